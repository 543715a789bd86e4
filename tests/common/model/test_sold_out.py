"""Days out of stock filled in: by the right expectation, from the entity's own past alone, and without a drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from common.data.panel import Panel
from common.model.anchor import fit_anchor
from common.model.features import build_series
from common.model.sold_out import LARGEST_LIFT, complete_demand, expect_count, expect_money, fill_in, find_cells
from common.plan.schema import AnchorPlan, ModelPlan, Plan

MakePanel = Callable[..., Panel]
DAYS, ENTITIES, DISPERSION = 300, 60, 5.0
LIKELIHOODS = ("negative_binomial", "log_normal")
TOO_LOW = pytest.mark.xfail(
    strict=True, reason="by 2.2 %: days in stock alone scatter less than all; docs/experiments.md"
)


def draw(make_panel: MakePanel, likelihood: str, *, seed: int = 0) -> tuple[Panel, Panel]:
    """Draw demand around levels that stand still, and what is sold of it where one day in five runs out of stock."""
    generator = np.random.default_rng(seed)
    rate = np.exp(generator.normal(1.5, 0.6, (ENTITIES, 1))) * np.ones((1, DAYS))
    chance = 0.4 * generator.random(rate.shape)
    if likelihood == "log_normal":
        demand = 100 * rate * np.exp(0.3 * generator.standard_normal(rate.shape))
        stock = 100 * rate * np.exp(0.3 * stats.norm.isf(chance))
    else:
        law = stats.nbinom(DISPERSION, DISPERSION / (DISPERSION + rate))
        demand = law.rvs(random_state=generator).astype(float)
        stock = np.maximum(law.isf(chance) + 1, 1.0)
    wanted = make_panel(target=demand.astype(np.float32))
    return wanted, replace(wanted, target=np.minimum(demand, stock).astype(np.float32), censored=demand >= stock)


def completed(panel: Panel, plan: AnchorPlan, *, likelihood: str = "negative_binomial", until: int = DAYS) -> Any:
    return complete_demand(panel, plan, *find_cells(panel, plan), until=until, logarithmic=likelihood == "log_normal")


@pytest.mark.parametrize(("mean", "alpha"), [(0.3, 0.5), (4.0, 0.2), (40.0, 2.0), (2.0, 1e-3)])
def test_what_is_expected_of_a_count_is_its_sum(mean: float, alpha: float) -> None:
    counts = np.arange(20_000)
    chance = stats.nbinom.pmf(counts, 1 / alpha, 1 / (1 + alpha * mean))
    sold = np.array([0.0, 1.0, 2.0, 5.0, 11.0])
    above = counts[None, :] >= sold[:, None]
    weight = above * chance / (above * chance).sum(axis=1, keepdims=True)
    expected, square = expect_count(sold, np.full(5, mean), np.full(5, alpha))
    np.testing.assert_allclose(expected, (weight * counts).sum(axis=1), rtol=1e-9)
    np.testing.assert_allclose(square, (weight * (counts - mean) ** 2).sum(axis=1), rtol=1e-7)


def test_a_count_that_was_next_to_impossible_is_what_was_sold() -> None:
    expected, square = expect_count(np.array([1e6]), np.array([0.1]), np.array([1e-3]))
    assert expected.tolist() == [1e6]
    assert np.isfinite(square).all()


@pytest.mark.parametrize("sold", [1.0, 20.0, 60.0])
def test_what_is_expected_of_money_is_its_integral(sold: float) -> None:
    level, deviation = 3.0, 0.4
    start = np.log1p(sold)

    def mean_of(value: Callable[[float], float]) -> float:
        parts = (integrate.quad(lambda z: value(z) * stats.norm.pdf(z, level, deviation), start, 8)[0], 1.0)
        return parts[0] / stats.norm.sf(start, level, deviation)

    found = expect_money(np.array([sold]), np.array([level]), np.array([deviation]))
    expected = mean_of(np.expm1), mean_of(lambda z: z), mean_of(lambda z: (z - level) ** 2)
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-6)


# Seeded; a fifth of 18,000 days is filled in, whose mean should err by .3 %. Unhandled: -6 % and -5 %.
@pytest.mark.parametrize("likelihood", [pytest.param("negative_binomial", marks=TOO_LOW), "log_normal"])
def test_levels_of_demand_that_runs_out_are_those_of_all_demand(make_panel: MakePanel, likelihood: str) -> None:
    wanted, sold = draw(make_panel, likelihood)
    blind = replace(sold, censored=np.zeros_like(sold.censored))
    late = np.array([DAYS - 1])

    def level(panel: Panel) -> float:
        fitted = fit_anchor(panel, AnchorPlan(), late, logarithmic=likelihood == "log_normal").level
        return float(np.expm1(fitted).sum() if likelihood == "log_normal" else fitted.sum())

    assert 0.15 < sold.censored.mean() < 0.22
    assert level(blind) / level(wanted) - 1 < -0.03
    assert abs(level(sold) / level(wanted) - 1) < 0.015


# Seeded as above; the spread of half a horizon ahead is .3 of the logarithm.
def test_the_spread_of_money_that_runs_out_is_that_of_all_money(make_panel: MakePanel) -> None:
    wanted, sold = draw(make_panel, "log_normal")
    blind = replace(sold, censored=np.zeros_like(sold.censored))
    cutoffs = np.arange(7, DAYS, 7)
    told, seen, true = (
        fit_anchor(panel, AnchorPlan(), cutoffs, logarithmic=True).spread[:, -1].mean()
        for panel in (sold, blind, wanted)
    )
    assert seen < 0.9 * true
    assert abs(told / true - 1) < 0.06


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_day_is_filled_in_from_its_own_past_alone(make_panel: MakePanel, likelihood: str) -> None:
    _, sold = draw(make_panel, likelihood)
    plan = AnchorPlan(by_weekday=True, half_life_days=30.0)
    whole = completed(sold, plan, likelihood=likelihood)
    target, censored = sold.target.copy(), sold.censored.copy()
    target[:, 150:], censored[:, 150:] = 99.0, True
    other = completed(replace(sold, target=target, censored=censored), plan, likelihood=likelihood)
    assert np.array_equal(whole.demand[:, :150], other.demand[:, :150])
    for few in (np.array([3]), np.array([40, 3])):
        alone = completed(sold.select(few), plan, likelihood=likelihood)
        assert np.array_equal(alone.demand, whole.demand[few])
        assert np.array_equal(alone.level_demand, whole.level_demand[few])


def test_nothing_is_filled_in_from_a_day_on_and_a_panel_without_such_days_is_left_as_it_is(
    make_panel: MakePanel,
) -> None:
    wanted, sold = draw(make_panel, "negative_binomial")
    assert np.array_equal(completed(sold, AnchorPlan(), until=100).demand[:, 100:], sold.target[:, 100:])
    assert completed(wanted, AnchorPlan()).demand is wanted.target


def test_a_shelf_that_is_always_empty_does_not_talk_itself_up(make_panel: MakePanel) -> None:
    shape = (1, 600)
    panel = make_panel(target=np.full(shape, 3.0, np.float32), censored=np.ones(shape, bool))
    filled = complete_demand(panel, AnchorPlan(), *find_cells(panel, AnchorPlan()), until=600, logarithmic=False).demand
    assert filled.max() <= 3.0 * LARGEST_LIFT
    assert filled.min() >= 3.0


def test_filling_in_closes_a_day_on_which_nothing_was_there(make_panel: MakePanel) -> None:
    target = np.full((1, 60), 4.0, np.float32)
    target[0, 30], target[0, 40] = 0.0, 2.0
    censored = np.zeros((1, 60), bool)
    censored[0, [30, 40, 50]] = True
    plan = ModelPlan(step="day", horizon_days=4, likelihood="negative_binomial")
    filled = fill_in(make_panel(target=target, censored=censored), plan, until=45)
    assert filled.open[0, [29, 30, 31, 40, 50]].tolist() == [True, False, True, True, True]
    assert filled.target[0, 30] == 0
    assert 4.0 < filled.target[0, 40] < 6.0
    assert filled.target[0, 50] == 4.0


def test_features_see_what_was_wanted_and_whether_something_was_sold(
    make_panel: MakePanel, make_plan: Callable[..., Plan]
) -> None:
    _, sold = draw(make_panel, "negative_binomial")
    plan = make_plan(model={"horizon_days": 4}).model
    known = build_series(sold, plan, 200)
    blind = build_series(replace(sold, censored=np.zeros_like(sold.censored)), plan, 200)
    rate, since = known.names.index("rate"), known.names.index("since last")
    assert known.names == blind.names
    assert (known.inputs[:, 50:, rate] > blind.inputs[:, 50:, rate]).float().mean() > 0.95
    assert (known.inputs[:, :, since] == blind.inputs[:, :, since]).all()
