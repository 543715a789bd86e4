from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.data.panel import Panel
from common.model.anchor import CELL_PRIOR_DAYS, UNKNOWN_SPREAD, fit_anchor
from common.plan.schema import AnchorPlan

MakePanel = Callable[..., Panel]
HALVES = AnchorPlan(half_life_days=1.0)
property_settings = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def days(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


# Worked by hand: with a half-life of one day, 4 0 2 weigh ¼, ½, 1, so (1 + 0 + 2) / 1.75.
def test_the_level_is_the_weighted_mean_of_the_past(make_panel: MakePanel) -> None:
    panel = make_panel(target=days(4, 0, 2, 9))
    anchor = fit_anchor(panel, HALVES, np.array([1, 2, 3]), logarithmic=False)
    np.testing.assert_allclose(anchor.level, [[4.0, 4 / 3, 12 / 7]], rtol=1e-6)
    np.testing.assert_allclose(anchor.cell_level[:, :, 0], anchor.level, rtol=1e-6)


def test_a_closed_day_counts_neither_as_demand_nor_as_a_day(make_panel: MakePanel) -> None:
    is_open = np.array([[True, False, True]])
    anchor = fit_anchor(make_panel(target=days(4, 7, 2), open=is_open), HALVES, np.array([3]), logarithmic=False)
    np.testing.assert_allclose(anchor.level, [[(1 + 2) / 1.25]], rtol=1e-6)


def test_a_level_of_money_is_a_geometric_mean(make_panel: MakePanel) -> None:
    plan = AnchorPlan(half_life_days=1e12)
    anchor = fit_anchor(make_panel(target=days(0, 99)), plan, np.array([2]), logarithmic=True)
    np.testing.assert_allclose(np.expm1(anchor.level), [[9.0]], rtol=1e-5)


# Worked by hand: Monday to Sunday 1 … 7, then a Monday of 3; a cell also holds one day of the overall level.
def test_each_weekday_has_a_level_of_its_own(make_panel: MakePanel) -> None:
    plan = AnchorPlan(half_life_days=1e12, by_weekday=True)
    anchor = fit_anchor(make_panel(target=days(*range(1, 8), 3, 0)), plan, np.array([8]), logarithmic=False)
    overall = 31 / 8
    expected = [(4 + overall) / 3, *((day + overall) / 2 for day in range(2, 8))]
    assert CELL_PRIOR_DAYS == 1.0
    np.testing.assert_allclose(anchor.cell_level[0, 0], expected, rtol=1e-5)
    assert anchor.cell_of_day[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1]


def test_each_weekday_and_regime_is_a_cell(make_panel: MakePanel) -> None:
    known = np.zeros((1, 9, 2), np.float32)
    known[0, [1, 7], 1] = 1.0
    panel = make_panel(target=days(*[1.0] * 9), known=known, covariates=("price", "promo"))
    plan = AnchorPlan(by_weekday=True, regime="promo")
    anchor = fit_anchor(panel, plan, np.array([9]), logarithmic=False)
    assert anchor.cell_of_day[0].tolist() == [0, 3, 4, 6, 8, 10, 12, 1, 2]
    assert anchor.cell_level.shape == (1, 1, 14)


def test_a_cell_without_a_past_has_the_overall_level(make_panel: MakePanel) -> None:
    panel = make_panel(target=days(6, 6, 6), known=np.zeros((1, 3, 1), np.float32))
    anchor = fit_anchor(panel, AnchorPlan(regime="promo"), np.array([3]), logarithmic=False)
    np.testing.assert_allclose(anchor.cell_level[0, 0], [6.0, 6.0], rtol=1e-6)


# One sale on the first day is no rate of one a day: 29 further days of nothing are assumed.
@pytest.mark.parametrize("prior_days", [0.0, 1.0, 29.0])
def test_prior_days_of_nothing_hold_back_a_newborn(make_panel: MakePanel, prior_days: float) -> None:
    plan = AnchorPlan(half_life_days=1e12, prior_days=prior_days)
    anchor = fit_anchor(make_panel(target=days(1)), plan, np.array([1]), logarithmic=False)
    np.testing.assert_allclose(anchor.level, [[1 / (1 + prior_days)]], rtol=1e-6)
    np.testing.assert_allclose(anchor.cell_level[:, :, 0], anchor.level, rtol=1e-6)


def test_an_entity_that_never_sold_or_was_never_open_has_a_level_of_zero(make_panel: MakePanel) -> None:
    is_open = np.array([[True] * 4, [False] * 4])
    panel = make_panel(target=np.zeros((2, 4), np.float32), open=is_open)
    anchor = fit_anchor(panel, HALVES, np.array([2, 4]), logarithmic=False)
    assert not anchor.level.any()
    assert not anchor.cell_level.any()


# Worked by hand: nothing fades, and a level is known two days ahead. Days 0 to 3 have log demand 1 3 1 4; day 2 was
# forecast by day 0's level (1), day 3 by the level of days 0 and 1 (2): errors 0 and 2, beside seven days of the guess.
def test_the_spread_is_the_mean_error_of_levels_known_some_days_ahead(make_panel: MakePanel) -> None:
    plan, cutoffs = AnchorPlan(half_life_days=1e12), np.array([1, 2, 3, 4])
    panel = make_panel(target=days(*np.expm1([1.0, 3.0, 1.0, 4.0]), 0))
    anchor = fit_anchor(panel, plan, cutoffs, logarithmic=True, lead_days=2)
    third, fourth = 7 * UNKNOWN_SPREAD / 8, (7 * UNKNOWN_SPREAD + 2 * np.sqrt(np.pi / 2)) / 9
    np.testing.assert_allclose(anchor.spread, [[UNKNOWN_SPREAD, UNKNOWN_SPREAD, third, fourth]], rtol=1e-5)


# Origin: errors of independent Gaussian days around a level that many days have made sure of.
def test_the_spread_of_gaussian_days_is_their_standard_deviation(make_panel: MakePanel) -> None:
    generator = np.random.default_rng(0)
    panel = make_panel(target=np.exp(generator.normal(5.0, 0.1, (20, 2000))).astype(np.float32))
    anchor = fit_anchor(panel, AnchorPlan(half_life_days=500.0), np.arange(1, 2001), logarithmic=True, lead_days=14)
    np.testing.assert_allclose(anchor.spread[:, -1], 0.1, rtol=0.1)


def test_a_closed_day_and_a_day_without_demand_are_no_error(make_panel: MakePanel) -> None:
    is_open = np.array([[True, True, False, True]])
    panel = make_panel(target=days(5, 5, 90, 0), open=is_open)
    anchor = fit_anchor(panel, AnchorPlan(half_life_days=1e12), np.arange(1, 5), logarithmic=True, lead_days=1)
    np.testing.assert_allclose(anchor.spread[:, -1], 7 * UNKNOWN_SPREAD / 8, rtol=1e-5)


# Born after forty half-lives, or closed for as long: nothing fades while nothing is learned.
def test_whoever_is_born_late_or_closed_for_long_keeps_what_was_known(make_panel: MakePanel) -> None:
    is_open = np.ones((2, 100), dtype=bool)
    is_open[1, 20:95] = False
    target = np.exp(np.random.default_rng(0).normal(3.0, 0.1, (2, 100))).astype(np.float32)
    target[0, :80] = 0.0
    panel = make_panel(num_entities=2, num_days=100, target=target, open=is_open, first_day=np.array([80, 0]))
    anchor = fit_anchor(panel, AnchorPlan(half_life_days=2.0), np.arange(1, 101), logarithmic=True, lead_days=10)
    assert (anchor.spread[0, :90] == UNKNOWN_SPREAD).all()  # day 90 is the first that day 80 can be held against
    np.testing.assert_array_equal(anchor.spread[1, 20:95], anchor.spread[1, 19])
    assert 0.05 < anchor.spread[1, 19] < 0.25


def test_counts_have_the_spread_of_nobody_in_particular(make_panel: MakePanel) -> None:
    anchor = fit_anchor(make_panel(target=days(4, 0, 2, 9)), HALVES, np.array([1, 4]), logarithmic=False)
    assert anchor.spread.tolist() == [[UNKNOWN_SPREAD] * 2]


@property_settings
@given(seed=st.integers(0, 2**20), day=st.integers(1, 20), logarithmic=st.booleans())
def test_no_level_changes_with_what_happened_on_or_after_its_cut_off(
    make_panel: MakePanel, seed: int, day: int, logarithmic: bool
) -> None:
    panel = make_panel(num_entities=3, num_days=21, seed=seed)
    generator = np.random.default_rng(seed + 1)
    changed = {name: getattr(panel, name).copy() for name in ("target", "open", "known")}
    changed["target"][:, day:] = generator.poisson(50.0, changed["target"][:, day:].shape)
    changed["open"][:, day:] = generator.random(changed["open"][:, day:].shape) < 0.5
    changed["known"][:, day:] = 1 - changed["known"][:, day:]
    plan = AnchorPlan(half_life_days=5.0, by_weekday=True, regime="promo", prior_days=2.0)
    cutoffs = np.arange(1, 21)
    before = fit_anchor(panel, plan, cutoffs, logarithmic=logarithmic)
    after = fit_anchor(make_panel(num_entities=3, num_days=21, **changed), plan, cutoffs, logarithmic=logarithmic)
    seen = cutoffs <= day
    np.testing.assert_array_equal(before.level[:, seen], after.level[:, seen])
    np.testing.assert_array_equal(before.cell_level[:, seen], after.cell_level[:, seen])
    np.testing.assert_array_equal(before.spread[:, seen], after.spread[:, seen])


@property_settings
@given(seed=st.integers(0, 2**20), gone=st.integers(0, 3))
def test_no_level_changes_when_another_entity_goes(make_panel: MakePanel, seed: int, gone: int) -> None:
    panel = make_panel(num_entities=4, num_days=15, seed=seed)
    plan = AnchorPlan(half_life_days=5.0, by_weekday=True, regime="promo")
    left = np.delete(np.arange(4), gone)
    whole = fit_anchor(panel, plan, np.array([7, 14]), logarithmic=True)
    less = fit_anchor(panel.select(left), plan, np.array([7, 14]), logarithmic=True)
    np.testing.assert_array_equal(whole.level[left], less.level)
    np.testing.assert_array_equal(whole.spread[left], less.spread)
    np.testing.assert_array_equal(whole.cell_level[left], less.cell_level)
    np.testing.assert_array_equal(whole.cell_of_day[left], less.cell_of_day)
