"""Shops that order for years in worlds of known law reach the service that was asked, at little more than least cost.

The long ones: `pytest -m slow -s tests/client/decision/order/test_truth.py`.
"""

import numpy as np
import pytest

from order_world import (
    Law,
    World,
    cheapest_levels,
    fill_beside_twins,
    intermittent,
    level_planner,
    live,
    negative_binomial,
    our_planner,
    poisson,
    weekly,
    with_huge,
)

LAWS = {
    "poisson": poisson(20.0),
    "negative binomial": negative_binomial(20.0, 3.0),
    "weekdays": weekly(20.0),
    "intermittent": intermittent(0.5, 20.0),
    "slow": poisson(5.0),
    "seldom": intermittent(0.25, 4.0),
}
PACKS = {"pieces": (1.0, 1.0), "minimum": (60.0, 1.0), "packs": (1.0, 12.0), "both": (48.0, 12.0)}
LEVELS = np.array([0.90, 0.95, 0.98])


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_orders_reach_the_share_of_pieces_that_was_asked(*, spread: float, waits: bool) -> None:
    """False alarms: the standard error over 24 shops and 40 reviews is below 0.2 points."""
    world = World(poisson(20.0), spread=spread, waits=waits)
    seen = live(world, our_planner(world, "pieces", 0.95), reviews=40, shops=24, seed=3, warm=6)
    assert seen.fill == pytest.approx(0.95, abs=0.01)


def test_orders_in_packs_reach_it_too() -> None:
    world = World(negative_binomial(20.0, 3.0), spread=2.0, minimum=48.0, pack=12.0)
    seen = live(world, our_planner(world, "pieces", 0.95), reviews=40, shops=24, seed=3, warm=6)
    assert seen.fill == pytest.approx(0.95, abs=0.01)


def test_orders_whose_lines_cost_work_reach_it_too() -> None:
    """False alarms: the standard error is below 0.3 points."""
    world = World(negative_binomial(20.0, 3.0), held=0.05, line_cost=80.0)
    served, error = fill_beside_twins(world, np.array([0.95]), shops=16, reviews=45, seed=3)[0]
    assert error < 0.003
    assert served == pytest.approx(0.95, abs=0.01)


def test_shelves_that_are_mostly_empty_as_packs_come_reach_it_by_ordering_a_pack_more_now_and_then() -> None:
    """Whole packs alone serve two points less or more; false alarms as above."""
    world = World(poisson(5.0), pack=12.0)
    seen = live(world, our_planner(world, "pieces", 0.9), reviews=40, shops=24, seed=3, warm=6)
    assert seen.fill == pytest.approx(0.9, abs=0.01)


def test_a_planner_that_takes_daily_means_misses_it() -> None:
    """The planted fault: base stock at the mean demand of lead time and review, with no safety."""
    world = World(poisson(20.0))
    seen = live(world, level_planner(world, 20.0 * 12), reviews=40, shops=24, seed=3, warm=6)
    assert abs(seen.fill - 0.95) > 0.015


@pytest.mark.slow
@pytest.mark.parametrize("waits", [False, True], ids=["lost", "waits"])
@pytest.mark.parametrize("spread", [0.0, 2.0], ids=["on the day", "give or take 2"])
@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("name", LAWS)
def test_each_law_lead_time_and_pack_reaches_each_level(name: str, pack: str, *, spread: float, waits: bool) -> None:
    """At 90, 95 and 98 %: no miss is above one point; the standard errors are printed."""
    minimum, size = PACKS[pack]
    world = World(LAWS[name], spread=spread, waits=waits, minimum=minimum, pack=size)
    found = fill_beside_twins(world, LEVELS, shops=24, reviews=45, seed=3)
    missed, error = 100 * (found[:, 0] - LEVELS), 100 * found[:, 1]
    told = ", ".join(f"{level:.0%} {miss:+.2f} ±{e:.2f}" for level, miss, e in zip(LEVELS, missed, error, strict=True))
    print(f"{name}, {pack}, spread {spread}, {'waits' if waits else 'lost'}: {told}")  # noqa: T201
    assert (np.abs(missed) <= 1.0).all()
    assert (error <= 0.5).all(), "too blurred to tell"


@pytest.mark.slow
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("law", [poisson(5.0), negative_binomial(6.0, 3.0)], ids=["poisson", "negative binomial"])
def test_orders_for_cost_cost_little_more_than_the_best_base_stock(law: Law, *, waits: bool) -> None:
    world = World(law, waits=waits, held=0.05, out=5.0)
    ours = live(world, our_planner(world, "cost", 0.95), reviews=60, shops=30, seed=5).cost(world)
    best = min(
        live(world, level_planner(world, float(s)), reviews=60, shops=30, seed=5).cost(world) for s in range(50, 150, 2)
    )
    print(f"ours {ours:.4f}, best {best:.4f}: {ours / best - 1:+.2%}")  # noqa: T201
    assert ours <= 1.03 * best


@pytest.mark.slow
@pytest.mark.parametrize("waits", [False, True], ids=["lost", "waits"])
@pytest.mark.parametrize("line_cost", [5.0, 20.0, 80.0])
@pytest.mark.parametrize("law", [poisson(5.0), negative_binomial(6.0, 3.0)], ids=["poisson", "negative binomial"])
def test_orders_whose_lines_cost_work_cost_little_more_than_the_best_s_and_big_s(
    law: Law, line_cost: float, *, waits: bool
) -> None:
    """The best of a grid of (s, S), which knows these very customers."""
    world = World(law, waits=waits, held=0.05, out=5.0, line_cost=line_cost)
    ours = live(world, our_planner(world, "cost", 0.95), reviews=80, shops=60, seed=5).cost(world)
    up, least, best = cheapest_levels(world, shops=60, reviews=80, seed=5)
    print(f"ours {ours:.3f}, best {best:.3f} by ({up - least:.0f}, {up:.0f}): {ours / best - 1:+.2%}")  # noqa: T201
    assert ours <= 1.03 * best


@pytest.mark.slow
@pytest.mark.parametrize(("chance", "size", "level"), [(0.0015, 2000.0, 0.98), (0.05 / 7, 60.0, 0.95)])
def test_an_order_too_rare_to_be_stocked_for_never_lies_on_the_shelf(chance: float, size: float, level: float) -> None:
    """Two pieces a day beside it; five weeks of them would be 70."""
    world = World(with_huge(poisson(2.0 if size > 100 else 1.4), chance, size))
    seen = live(world, our_planner(world, "pieces", level), reviews=40, shops=40, seed=3, warm=6)
    print(f"{seen.held / seen.days:.0f} pieces lie there, {seen.fill:.0%} of all pieces are served")  # noqa: T201
    assert seen.held / seen.days < 70
