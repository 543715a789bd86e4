from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from common.data.panel import Panel
from common.errors import DataError
from common.model.anchor import fit_anchor
from common.model.features import (
    SEASON_LEVEL_DAYS,
    Examples,
    Series,
    build_series,
    cut_forecast,
    cut_training,
    look_ahead,
)
from common.plan.schema import ModelPlan, Plan

MakePlan = Callable[..., Plan]
MakePanel = Callable[..., Panel]
DAYS = 61
property_settings = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
shapes = st.sampled_from(
    [
        {"step": "day", "horizon_days": 4},
        {"step": "day", "horizon_days": 6, "bucket_days": 3, "likelihood": "log_normal"},
        {"step": "week", "horizon_days": 10, "bucket_days": 10, "window_steps": 4, "positions": 4},
        {"step": "week", "horizon_days": 6, "window_steps": 4, "positions": 4, "rhythm": True},
        {
            "step": "day",
            "horizon_days": 4,
            "window_steps": 90,
            "anchor": {"by_weekday": True, "regime": "promo"},
        },
    ]
)


@pytest.fixture
def make_model_plan(make_plan: MakePlan) -> Callable[..., ModelPlan]:
    known = {"rows": "panel", "known": [{"column": "promo"}]}
    return lambda **model: make_plan(data=known, model=model).model


def draw_panel(make_panel: MakePanel, seed: int, num_entities: int = 4) -> Panel:
    """Entities are born on different days, and some days are closed."""
    generator = np.random.default_rng(seed)
    first_day = generator.integers(0, DAYS, num_entities)
    exists = np.arange(DAYS)[None, :] >= first_day[:, None]
    panel = make_panel(num_entities=num_entities, num_days=DAYS, seed=seed, first_day=first_day)
    is_open = exists & (generator.random(exists.shape) < 0.9)
    return replace(panel, open=is_open, target=panel.target * is_open, observed=panel.observed * exists[:, :, None])


def assert_equal(first: Any, second: Any, message: str) -> None:
    np.testing.assert_array_equal(np.asarray(first), np.asarray(second), err_msg=message)


def assert_same_examples(first: Examples, second: Examples) -> None:
    for name, tensor in vars(first).items():
        assert_equal(tensor, vars(second)[name], name)


# ------------------------------------------------------------------ nothing looks ahead


@property_settings
@given(seed=st.integers(0, 2**20), day=st.integers(14, DAYS - 1), shape=shapes)
def test_nothing_that_a_step_may_not_see_changes_its_inputs_or_anchor(
    make_panel: MakePanel,
    make_model_plan: Callable[..., ModelPlan],
    seed: int,
    day: int,
    shape: dict[str, Any],
) -> None:
    panel, plan = draw_panel(make_panel, seed), make_model_plan(**shape)
    before = build_series(panel, plan, DAYS - 1)
    after = build_series(change_demand_from(panel, day, seed), plan, DAYS - 1)
    seen = (before.cutoffs <= day).numpy()
    for name in ("inputs", "level", "cell_level"):
        assert_equal(getattr(before, name)[:, seen], getattr(after, name)[:, seen], name)
    assert_equal(before.birth.clamp(max=seen.sum()), after.birth.clamp(max=seen.sum()), "birth")
    known_ahead = slice(0, day + plan.horizon_days)
    assert_equal(before.future[:, known_ahead], after.future[:, known_ahead], "future")


@property_settings
@given(seed=st.integers(0, 2**20), origin=st.integers(24, DAYS - 10), shape=shapes)
def test_nothing_from_the_origin_on_changes_what_a_forecast_starts_from(
    make_panel: MakePanel,
    make_model_plan: Callable[..., ModelPlan],
    seed: int,
    origin: int,
    shape: dict[str, Any],
) -> None:
    panel, plan = draw_panel(make_panel, seed), make_model_plan(**shape)
    before = cut_forecast(build_series(panel, plan, origin))
    after = cut_forecast(build_series(change_demand_from(panel, origin, seed), plan, origin))
    born = panel.first_day < origin
    for name in ("inputs", "anchor", "future", "open", "weight"):
        assert_equal(getattr(before, name)[born], getattr(after, name)[born], name)


@property_settings
@given(seed=st.integers(0, 2**20), origin=st.integers(24, DAYS - 10), shape=shapes, stock=st.booleans())
def test_a_forecast_reads_the_same_bits_whether_or_not_earlier_steps_are_noted(
    make_panel: MakePanel,
    make_model_plan: Callable[..., ModelPlan],
    seed: int,
    origin: int,
    shape: dict[str, Any],
    stock: bool,
) -> None:
    panel, plan = draw_panel(make_panel, seed), make_model_plan(**shape)
    out = np.random.default_rng(seed).random(panel.target.shape) < 0.1
    panel = replace(panel, censored=panel.open & out) if stock else panel
    assert_same_examples(look_ahead(panel, plan, origin), cut_forecast(build_series(panel, plan, origin)))


# `open` of the day after is known on each day; the last training day is the one before the origin.
@property_settings
@given(
    seed=st.integers(0, 2**20),
    origin=st.integers(24, DAYS - 10),
    shape=shapes,
    round_number=st.integers(1, 9),
)
def test_nothing_from_the_origin_on_changes_a_training_example(
    make_panel: MakePanel,
    make_model_plan: Callable[..., ModelPlan],
    seed: int,
    origin: int,
    shape: dict[str, Any],
    round_number: int,
) -> None:
    panel, plan = draw_panel(make_panel, seed), make_model_plan(**shape)
    changed = change_demand_from(panel, origin, seed)
    is_open, known = changed.open.copy(), changed.known.copy()
    is_open[:, origin + 1 :] ^= True
    known[:, origin:] += 1.0
    changed = replace(changed, open=is_open, known=known)
    before = cut_training(build_series(panel, plan, origin), round_number)
    after = cut_training(build_series(changed, plan, origin), round_number)
    assert_same_examples(before, after)


# 319 days ahead is the longest horizon that last year's season, 45 days wide to each side, may describe.
@pytest.mark.parametrize("horizon_days", [30, 318, 319, 320, 400])
def test_last_year_s_season_is_known_at_every_cut_off_of_a_long_horizon(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan], horizon_days: int
) -> None:
    panel = make_panel(num_entities=1, num_days=900)
    plan = replace_horizon(make_model_plan(), horizon_days)
    before = build_series(panel, plan, 450)
    for cutoff in (1, 364, 400, 450):
        after = build_series(change_demand_from(panel, cutoff, 1), plan, 450)
        known_ahead = slice(0, cutoff + horizon_days)
        assert_equal(before.future[:, known_ahead], after.future[:, known_ahead], f"future of {cutoff}")


def test_last_year_s_day_is_the_same_weekday_a_year_of_whole_weeks_ago(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    panel, plan = make_panel(num_entities=1, num_days=800), make_model_plan()
    target = panel.target.copy()
    target[0, 200] += 30.0
    before, after = (build_series(each, plan, 400).future[0] for each in (panel, replace(panel, target=target)))
    changed = (before != after).any(dim=1).nonzero().flatten().tolist()
    first, last = 200 + 52 * 7 - SEASON_LEVEL_DAYS // 2, 200 + 52 * 7 + SEASON_LEVEL_DAYS // 2
    assert changed == list(range(first, last + 1))


def replace_horizon(plan: ModelPlan, horizon_days: int) -> ModelPlan:
    """Without the plan's own span, which is shorter."""
    return ModelPlan(**{**dict(plan), "horizon_days": horizon_days})


def change_demand_from(panel: Panel, day: int, seed: int) -> Panel:
    """Change all that is known only afterwards, and let whoever was not born be born another day."""
    generator = np.random.default_rng(seed + 1)
    target, observed = panel.target.copy(), panel.observed.copy()
    target[:, day:] = generator.poisson(50.0, target[:, day:].shape)
    observed[:, day:] = generator.gamma(2.0, 50.0, observed[:, day:].shape)
    unborn = panel.first_day >= day
    first_day = np.where(unborn, generator.integers(day, panel.num_days, len(unborn)), panel.first_day)
    return replace(panel, target=target, observed=observed, first_day=first_day)


# ------------------------------------------------------------------ entities do not touch each other


@property_settings
@given(seed=st.integers(0, 2**20), gone=st.integers(0, 3), shape=shapes, round_number=st.integers(1, 99))
def test_no_entity_s_features_or_examples_change_when_another_goes(
    make_panel: MakePanel,
    make_model_plan: Callable[..., ModelPlan],
    seed: int,
    gone: int,
    shape: dict[str, Any],
    round_number: int,
) -> None:
    panel, plan, left = draw_panel(make_panel, seed), make_model_plan(**shape), np.delete(np.arange(4), gone)
    whole = build_series(panel, plan, 50)
    less = build_series(panel.select(left), plan, 50)
    kept = whole.select(torch.from_numpy(left))
    for name, value in vars(less).items():
        if name != "plan":
            assert_equal(vars(kept)[name], value, name)
    for cut in (cut_forecast, lambda series: cut_training(series, round_number)):
        for name, value in cut(less).parts.items():
            of_whole = getattr(cut(whole), name)
            assert_equal(of_whole if name == "position" else of_whole[left], value, name)


def test_an_entity_s_windows_depend_on_its_name_and_its_merchant_s(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    panel = make_panel(num_entities=2)
    other_shop = panel.deal(np.array(["other", "shop"], dtype=object))
    here, there = (build_series(each, make_model_plan(), 60).key for each in (panel, other_shop))
    assert len({*here, *there}) == 3


# ------------------------------------------------------------------ literal examples


def count_days(make_panel: MakePanel, num_entities: int = 1, **fields: Any) -> Panel:
    """Demand of a day is the number of the day, so a label tells which days it holds."""
    return make_panel(target=np.tile(np.arange(DAYS, dtype=np.float32), (num_entities, 1)), **fields)


@pytest.fixture
def weekly(make_model_plan: Callable[..., ModelPlan]) -> ModelPlan:
    return make_model_plan(step="week", horizon_days=30, bucket_days=30, window_steps=9, positions=9)


# Cut-offs 11, 18, 25, …, 60; the days c … c + 29 sum to 30 c + 435.
def test_labels_count_calendar_days_from_the_cut_off_in_weekly_steps(make_panel: MakePanel, weekly: ModelPlan) -> None:
    series = build_series(count_days(make_panel), weekly, 60)
    examples = cut_training(series, 1)
    assert series.cutoffs.tolist() == [11, 18, 25, 32, 39, 46, 53, 60]
    assert examples.label[0, :, 0].tolist() == [765.0, 975.0, 1185.0]
    assert examples.weight[0, :, 0].tolist() == [1.0] * 3
    assert examples.position.tolist() == [0, 1, 2]


def test_a_closed_day_is_no_part_of_a_label_and_a_closed_bucket_does_not_count(
    make_panel: MakePanel, weekly: ModelPlan
) -> None:
    is_open = np.ones((2, DAYS), dtype=bool)
    is_open[0, [11, 30]] = False
    is_open[1, 11:41] = False
    examples = cut_training(build_series(count_days(make_panel, 2, open=is_open), weekly, 60), 1)
    assert examples.label[0, :, 0].tolist() == [765.0 - 41, 975.0 - 30, 1185.0 - 30]
    assert examples.weight[1, :, 0].tolist() == [0.0, 1.0, 1.0]
    assert examples.open[1, :, 0].tolist() == [False, True, True]
    assert examples.anchor[1, 0, 0] == 0.0


def test_buckets_of_days_follow_each_other(make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]) -> None:
    plan = make_model_plan(horizon_days=6, bucket_days=2)
    examples = cut_forecast(build_series(count_days(make_panel), plan, 10))
    assert examples.label.tolist() == [[[21.0, 25.0, 29.0]]]
    assert examples.future[0, 0, :, -1].tolist() == pytest.approx([1 / 3, 2 / 3, 1.0])


@pytest.mark.parametrize("likelihood", ["negative_binomial", "log_normal"])
def test_the_anchor_of_steady_demand_is_that_demand_on_open_days(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan], likelihood: str
) -> None:
    is_open = np.ones((1, 20), dtype=bool)
    is_open[0, 11] = False
    panel = make_panel(target=np.full((1, 20), 3.0, np.float32), open=is_open)
    plan = make_model_plan(horizon_days=6, bucket_days=2, likelihood=likelihood)
    examples = cut_forecast(build_series(panel, plan, 10))
    np.testing.assert_allclose(examples.anchor, [[[3.0, 6.0, 6.0]]], rtol=1e-5)


# The spread at a cut-off is the anchor's there, from levels of half a horizon before; it does not differ by bucket.
def test_each_position_has_the_spread_of_its_cut_off(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    plan = make_model_plan(horizon_days=6, likelihood="log_normal", window_steps=8, positions=3)
    target = np.random.default_rng(0).gamma(2.0, 10.0, (3, DAYS)).astype(np.float32)
    panel = make_panel(num_entities=3, num_days=DAYS, target=target)
    series = build_series(panel, plan, 50)
    expected = fit_anchor(panel, plan.anchor, series.cutoffs.numpy(), logarithmic=True, lead_days=3).spread
    np.testing.assert_array_equal(series.spread, expected)
    assert len(np.unique(expected)) > 20
    examples = cut_forecast(series)
    np.testing.assert_array_equal(examples.spread, np.repeat(expected[:, None, -1:], 6, axis=2))
    cut = cut_training(replace(series, key=np.zeros(3, np.int64)), 1)
    steps = [np.flatnonzero(expected[0] == value) for value in cut.spread[0, :, 0].numpy()]
    assert [len(step) for step in steps] == [1] * 3
    last = int(steps[-1][0])
    gaps = cut.position - cut.position[-1]
    np.testing.assert_array_equal(cut.spread[:, :, 0], expected[:, last + gaps.numpy()])


# Born on day 12, the entity first exists at the cut-off of day 18.
def test_before_its_birth_an_entity_has_no_inputs_and_no_label_counts(make_panel: MakePanel, weekly: ModelPlan) -> None:
    examples = cut_training(build_series(count_days(make_panel, first_day=np.array([12])), weekly, 60), 1)
    assert examples.weight[0, :, 0].tolist() == [0.0, 1.0, 1.0]
    assert not examples.inputs[0, 0].any()
    assert examples.inputs[0, 1:].any(dim=1).all()


def test_whoever_is_born_at_the_origin_or_later_is_no_example(make_panel: MakePanel, weekly: ModelPlan) -> None:
    series = build_series(count_days(make_panel, 2, first_day=np.array([30, 60])), weekly, 30)
    forecast = cut_forecast(series)
    assert series.birth.tolist() == [len(series.cutoffs)] * 2
    assert not forecast.weight.any()
    assert not forecast.inputs.any()


def test_a_forecast_whose_horizon_passes_the_data_has_no_label_that_counts(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    for origin, counts in ((DAYS - 4, 1.0), (DAYS - 3, 0.0)):
        examples = cut_forecast(build_series(count_days(make_panel), make_model_plan(horizon_days=4), origin))
        assert examples.weight[0, 0, 0] == counts


def assert_finite(examples: Examples) -> None:
    for name, tensor in examples.parts.items():
        assert torch.isfinite(tensor).all(), name


def test_three_days_of_history_are_enough_to_forecast_and_too_few_to_train(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    series = build_series(make_panel(num_entities=1, num_days=10), make_model_plan(horizon_days=4), 3)
    examples = cut_forecast(series)
    assert examples.inputs.shape[1] == 3
    assert_finite(examples)
    with pytest.raises(DataError, match="3 days of history before the origin hold no training example"):
        cut_training(series, 1)


def test_less_than_one_step_of_history_is_refused(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    for step, days in (("week", 6), ("day", 0)):
        with pytest.raises(DataError, match=f"There are {days} days of history before the origin"):
            build_series(make_panel(), make_model_plan(step=step), days)


@pytest.mark.parametrize("likelihood", ["negative_binomial", "log_normal"])
@pytest.mark.parametrize("demand", [0.0, 1e12])
def test_an_entity_that_never_sold_or_sold_giants_has_finite_examples(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan], likelihood: str, demand: float
) -> None:
    target = np.full((1, DAYS), demand, np.float32)
    panel = make_panel(target=target, observed=target[:, :, None])
    series = build_series(panel, make_model_plan(likelihood=likelihood), 50)
    assert_finite(cut_training(series, 1))
    assert_finite(cut_forecast(series))
    if demand == 0:
        assert not cut_training(series, 1).anchor.any()


def test_nobody_at_all_has_examples_of_the_right_shape(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    series = build_series(make_panel(num_entities=0), make_model_plan(), 50)
    assert cut_training(series, 1).inputs.shape[0] == 0
    assert cut_forecast(series).weight.shape[0] == 0


# ------------------------------------------------------------------ windows


def window_ends(series: Series, round_number: int) -> torch.Tensor:
    """Cut-off of each window's last position, read off its first label."""
    return cut_training(series, round_number).label[:, -1, 0]


def test_every_round_reads_other_windows_of_the_same_length(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    series = build_series(count_days(make_panel, 50), make_model_plan(), 60)
    ends = torch.stack([window_ends(series, round_number) for round_number in range(1, 101)])
    assert torch.equal(ends[0], window_ends(series, 1))
    # Each end from half a window on is equally likely: chi-square, false alarm 1 in 1,000 by another hash.
    values, counts = ends.unique(return_counts=True)
    assert values.tolist() == list(range(7, 57))
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3


def test_where_a_window_holds_the_whole_history_all_rounds_read_the_same(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    series = build_series(count_days(make_panel, 5), make_model_plan(window_steps=60), 60)
    assert_same_examples(cut_training(series, 1), cut_training(series, 2))
    assert window_ends(series, 1).tolist() == [56.0] * 5


@pytest.mark.parametrize(("window", "positions"), [(1, 1), (2, 1), (12, 1), (12, 5), (12, 9), (12, 12), (56, 3)])
def test_positions_lie_late_in_the_window_and_its_last_step_is_one(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan], window: int, positions: int
) -> None:
    plan = make_model_plan(window_steps=window, positions=positions)
    position = cut_training(build_series(make_panel(), plan, 60), 1).position.tolist()
    assert len(set(position)) == positions
    assert position == sorted(position)
    assert position[-1] == window - 1


def test_rare_demand_shows_all_that_each_channel_came_to(
    make_panel: MakePanel, make_model_plan: Callable[..., ModelPlan]
) -> None:
    panel, plan = draw_panel(make_panel, 3), make_model_plan(step="week", horizon_days=6, rhythm=True)
    series = build_series(panel, plan, 42)
    place = series.names.index(f"whole channel {panel.channels[0]}")
    expected = np.log1p(panel.observed[:, :42, 0].sum(axis=1)) / 8
    np.testing.assert_allclose(series.inputs[:, -1, place], expected, rtol=1e-5)
    assert len(series.names) == series.num_features
