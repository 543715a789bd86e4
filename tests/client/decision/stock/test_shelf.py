"""A shelf lived through by hand, and against a law whose answer is known."""

import numpy as np
import pytest
from scipy import stats

from client.decision.stock.shelf import live


def _live(demand, level, reviews, **options):
    levels = np.full((len(demand), len(reviews)), float(level))
    return live(np.array(demand, float), levels, np.array(reviews), **options)


def test_a_shelf_is_lived_through_day_by_day():
    # full with 5 at first; day 0: 3 of 3; day 1: 2 of 4, two lost; day 2: the order of day 2 comes on day 3
    flow = _live([[3, 4, 1, 2, 1, 0]], 5, [0, 2, 4], lead_days=1)
    # shelf: 2, 0 | day 2: orders 5, none there: 0 of 1; day 3: 5 come, 3 left | day 4: orders 2, 1 sold: 2; day 5: 4
    np.testing.assert_array_equal(flow.wanted, [[7, 3, 1]])
    np.testing.assert_array_equal(flow.served, [[5, 2, 1]])
    np.testing.assert_array_equal(flow.held, [[2, 3, 2 + 4]])
    np.testing.assert_array_equal(flow.orders, [[0, 1, 1]])
    np.testing.assert_array_equal(flow.short, [[True, True, False]])


def test_who_waits_is_served_by_what_comes_next():
    flow = _live([[3, 4, 1, 2, 1, 0]], 5, [0, 2, 4], lead_days=1, backorders=True)
    # two wait after day 1, three after day 2; day 2 orders 7: day 3 begins with 4 and sells 2
    np.testing.assert_array_equal(flow.served, [[5, 2, 1]])
    np.testing.assert_array_equal(flow.held, [[2, 2, 1 + 4]])


def test_what_is_on_its_way_is_not_ordered_again():
    flow = _live([[2] * 12], 20, [0, 2, 4, 6, 8, 10], lead_days=7)
    # 16 on their way after a review, so 4 on the shelf: 2 are left that night, and 4 + 2 - 2 the next
    assert flow.held[0, -1] == 2 + 4
    np.testing.assert_array_equal(flow.orders, [[0, 1, 1, 1, 1, 1]])
    np.testing.assert_array_equal(flow.served, flow.wanted)


def test_levels_change_from_review_to_review_and_each_try_lives_alone():
    demand = np.full((1, 6), 1.0)
    levels = np.array([[[2.0, 2.0, 2.0]], [[2.0, 0.0, 9.0]]])
    both = live(demand, levels, np.array([0, 2, 4]), lead_days=0)
    for place in range(2):
        alone = live(demand, levels[place], np.array([0, 2, 4]), lead_days=0)
        for name in ("held", "served", "orders", "short"):
            np.testing.assert_array_equal(getattr(both, name)[place], getattr(alone, name))
    np.testing.assert_array_equal(both.served[1], [[2, 0, 2]])


# Poisson 3 a day; 400 shelves of 58 weeks: the standard error of a share of weeks is .002.
def test_a_level_of_the_true_law_is_short_as_often_as_that_law_says():
    demand = np.random.default_rng(0).poisson(3.0, size=(400, 7 * 60)).astype(float)
    level = stats.poisson.ppf(0.9, 21)
    flow = _live(demand, level, np.arange(0, 7 * 60, 7), lead_days=0, backorders=True).after(2)
    assert flow.short.mean() == pytest.approx(1 - stats.poisson.cdf(level, 21), abs=0.008)


def test_what_is_held_is_what_the_law_leaves_over():
    demand = np.random.default_rng(1).poisson(3.0, size=(400, 7 * 60)).astype(float)
    level, pieces = stats.poisson.ppf(0.9, 30), np.arange(200)
    flow = _live(demand, level, np.arange(0, 7 * 60, 7), lead_days=3, backorders=True).after(2)
    # the shelf after day t of a cycle is the level less the demand since the review of the last order that has come
    since = [day + 1 if day >= 3 else day + 8 for day in range(7)]
    nights = [(np.maximum(level - pieces, 0) * stats.poisson.pmf(pieces, 3 * days)).sum() for days in since]
    assert flow.held.mean() / sum(nights) == pytest.approx(1, abs=0.01)


def test_reviews_that_are_no_rhythm_are_refused():
    with pytest.raises(ValueError, match="evenly spaced"):
        _live([[1] * 10], 5, [0, 2, 5], lead_days=1)
    with pytest.raises(ValueError, match="before the demand does"):
        _live([[1] * 10], 5, [0, 6], lead_days=1)
