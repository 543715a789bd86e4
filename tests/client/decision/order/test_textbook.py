"""Answers that stockpyl 1.0.2 gives for the cases of Snyder & Shen, run in an environment of its own (2026-11-30).

It is no dependency of ours: it requires Sphinx 4.5.0, of which nothing here has a use.
"""

import math

import numpy as np
import pytest
from scipy.stats import poisson

from client.decision.order.textbook import (
    best_levels,
    cost_of_levels,
    economic_quantity,
    economic_quantity_waiting,
    newsvendor_discrete,
    newsvendor_explicit,
    newsvendor_normal,
    newsvendor_poisson,
    reorder_poisson,
)

near = lambda value: pytest.approx(value, rel=1e-9)  # noqa: E731
POISSON_6 = tuple(poisson.pmf(np.arange(80), 6).tolist())


def test_economic_quantities_are_those_of_examples_3_1_and_3_5() -> None:
    assert economic_quantity(8.0, 0.225, 1300.0) == near((304.0467800264368, 68.41052550594829))
    assert economic_quantity_waiting(8.0, 0.225, 5.0, 1300.0) == near(
        (310.81255515896464, 0.0430622009569378, 66.92136355097325)
    )


def test_the_newsvendors_are_those_of_example_4_3_and_its_neighbours() -> None:
    assert newsvendor_normal(0.18, 0.70, 50.0, 8.0) == near((56.60395592743389, 1.9976051931766445))
    assert newsvendor_normal(0.18, 0.70, 50.0, 8.0, lead=4.0) == near((264.76689437415484, 4.466781004149577))
    assert newsvendor_poisson(0.18, 0.70, 50.0) == near((56.0, 1.7972352118091772))
    assert newsvendor_discrete(0.18, 0.70, (0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.3, 0.1)) == pytest.approx(
        (8, 0.25)
    )
    assert newsvendor_explicit(1.0, 0.3, 0.12, 50.0, 8.0) == near((56.60395592743389, 33.002394806823354))


def test_a_ratio_on_a_step_takes_the_step() -> None:
    assert newsvendor_discrete(1.0, 3.0, (0.25,) * 4) == (2.0, 1.5)
    assert newsvendor_discrete(0.3, 0.7, (0.1,) * 10) == (6.0, pytest.approx(1.05))
    third = (1 / 3, 1 / 3, 1 / 3)
    assert newsvendor_discrete(1.0, 2.0, third)[0] == 1.0, "two thirds as floats lie above 2/3 or below it"


@pytest.mark.parametrize("law", [(0.5, 0.6), (-0.1, 1.1), (math.nan, 1.0)])
def test_what_is_no_law_is_refused(law: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        newsvendor_discrete(1.0, 1.0, law)


def test_s_and_big_s_are_those_of_example_4_7() -> None:
    assert cost_of_levels(4, 10, 1.0, 4.0, 5.0, POISSON_6) == pytest.approx(8.034111561471642, rel=1e-6)
    assert best_levels(1.0, 4.0, 5.0, POISSON_6) == (4, 10, pytest.approx(8.034111561471642, rel=1e-6))


def test_s_and_big_s_of_three_demands_cost_what_a_pencil_says() -> None:
    """By hand: visits 4/3, 8/9, 28/27 of stock 3, 2, 1, which cost 2, 1 and 1.25, and one order of 5 a round.

    stockpyl 1.0.2 names the same levels, and 2.6023 as their cost.
    """
    by_hand = (5 + 4 / 3 * 2 + 8 / 9 * 1 + 28 / 27 * 1.25) / (4 / 3 + 8 / 9 + 28 / 27)
    assert best_levels(1.0, 4.0, 5.0, (0.25, 0.5, 0.25)) == (0, 3, near(by_hand))


def test_r_and_q_under_poisson_demand_cost_what_stockpyl_says() -> None:
    assert reorder_poisson(3, 5, (20.0, 150.0, 100.0), 1.5, 2.0) == near(107.92358063314975)
    around = {(r, q): reorder_poisson(r, q, (20.0, 150.0, 100.0), 1.5, 2.0) for r in range(7) for q in range(1, 12)}
    assert min(around, key=around.__getitem__) == (3, 5)
