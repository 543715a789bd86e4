"""Levels found from 200 draws, held against the law that the draws come from."""

import numpy as np
import pytest
from scipy.stats import poisson

from client.decision.order.level import Aim, Aims, find_level
from client.decision.order.need import Need

DRAWS, TIMES, MEAN, HUGE = 200, 1000, 14.0, 2000.0


def levels_of(asked: np.ndarray, aim: Aim, level: float) -> np.ndarray:
    """Give what is ordered for an empty shelf at each of many reviews, each with draws of its own."""
    asked, nothing = asked.astype(np.float32), np.zeros(asked.shape, np.float32)
    number = asked.shape[1]
    need = Need(asked, asked, nothing, nothing > 0, nothing)
    return find_level(need, Aims(aim, np.full(number, level), np.ones(number), np.ones(number)), None)


def ordinary() -> np.ndarray:
    return np.random.default_rng(0).poisson(MEAN, (DRAWS, TIMES))


def with_huge(chance: float) -> np.ndarray:
    return ordinary() + HUGE * (np.random.default_rng(1).random((DRAWS, TIMES)) < chance)


@pytest.mark.parametrize("aim", ["pieces", "cycles"])
@pytest.mark.parametrize(("level", "chance"), [(0.98, 0.01), (0.95, 0.03), (0.9, 0.07)])
def test_an_order_too_rare_to_be_stocked_for_is_not_stocked_for_by_the_chance_of_one_review(
    aim: Aim, level: float, chance: float
) -> None:
    """The right value is the law's own quantile, which is one of ordinary demand.

    The k-th smallest draw alone is a huge order at one review of 7, 12 or 14. False alarms: below one in a million, for
    as the order statistic has it each of the 1,000 reviews goes wrong with a chance of 0.0002 at most.
    """
    found = levels_of(with_huge(chance), aim, level)
    right = poisson.ppf(level / (1 - chance), MEAN)
    assert (found > HUGE / 2).sum() <= 5
    assert np.median(found) == pytest.approx(right, abs=2)
    assert np.quantile(found, 0.99) <= right + MEAN


@pytest.mark.parametrize("aim", ["pieces", "cycles"])
def test_huge_orders_that_come_often_enough_are_stocked_for(aim: Aim) -> None:
    assert (levels_of(with_huge(0.1), aim, 0.98) > HUGE / 2).mean() > 0.99


def test_ordinary_demand_is_stocked_for_as_before() -> None:
    """The right values of a service of cycles are the law's quantiles, half a piece more or less by chance."""
    found = levels_of(ordinary(), "cycles", 0.98)
    assert found.mean() == pytest.approx(poisson.ppf(0.98, MEAN), abs=0.5)
    slow = np.random.default_rng(2).poisson(0.1, (DRAWS, TIMES))
    assert np.median(levels_of(slow, "pieces", 0.98)) == 2, "one piece misses one in twenty, two hardly any"
