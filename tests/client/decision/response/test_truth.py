"""What-if on worlds whose law is known: intervals hold the truth, a confounded world is flagged, chance finds cause."""

from dataclasses import replace

import numpy as np
import pytest

from client.decision.response import pooling
from client.decision.response.doubt import FALSE_ALARMS, judge_before, judge_season
from client.decision.response.estimate import Estimate, estimate_response
from client.decision.response.experiment import Experiment, read_out
from client.decision.response.market import read_market
from common.errors import DataError
from price_world import FIRST, SHOP, Manner, World, day_of, invent_world

SEEDS = 60
SMALL = {"products": 12, "categories": 2, "weeks": 60}


def find(world: World) -> Estimate:
    return estimate_response(read_market(world.history, SHOP))


def held(draws: np.ndarray, truth: np.ndarray) -> np.ndarray:
    low, high = np.quantile(draws, (0.05, 0.95), axis=0)
    return (low <= truth) & (truth <= high)


def test_a_world_of_chance_is_found_and_not_doubted() -> None:
    world = invent_world(1, **SMALL)  # type: ignore[arg-type]
    found = find(world)
    truth = np.array([world.elasticity[name] for name in found.market.products])
    assert found.columns == ("price", "promotion")
    assert held(found.pooled.product[:, :, 0], truth).sum() >= 9  # of 12; by chance fewer in 0.4 % of worlds
    assert np.abs(np.median(found.pooled.shop[:, 0]) - truth.mean()) < 0.6
    assert judge_before(found) > FALSE_ALARMS / 2
    assert judge_season(found) > FALSE_ALARMS / 2


def test_prices_that_follow_sales_are_doubted() -> None:
    assert judge_before(find(invent_world(2, manner="demand", **SMALL))) < 0.001  # type: ignore[arg-type]


def test_prices_that_follow_the_season_are_doubted() -> None:
    assert judge_season(find(invent_world(3, manner="season"))) <= FALSE_ALARMS / 2


def test_where_prices_never_moved_nothing_is_said() -> None:
    with pytest.raises(DataError, match="No price moved 2 times"):
        find(invent_world(4, manner="never", **SMALL))  # type: ignore[arg-type]


def test_where_prices_moved_in_promotions_alone_only_promotions_are_told() -> None:
    found = find(invent_world(5, manner="offers", **SMALL))  # type: ignore[arg-type]
    assert found.columns == ("promotion",)
    expected = 0.3 - 1.6 * np.log(0.85)  # the promotion and its lower price are one
    low, high = np.quantile(found.pooled.shop[:, 0], (0.02, 0.98))
    assert low < expected < high


def followed_world(seed: int, *, weeks: int = 24, products: int = 12, span: int = 60) -> tuple[World, Experiment]:
    """Draw a shop whose prices follow its sales until an experiment of so many last weeks."""
    names = tuple(f"P{place:03d}" for place in range(products))
    plan = Experiment(day_of(7 * (span - weeks)), weeks, seed, names, (10.0,) * products, (0.85, 1.0, 1.15))
    tail = np.log(np.array(plan.factors))[plan.arms()]
    world = invent_world(seed, manner="demand", products=products, weeks=span, tail=tail)
    return world, replace(plan, usual=world.usual)


def test_an_experiment_in_a_confounded_shop_gives_the_truth() -> None:
    world, plan = followed_world(6)
    found, followed = read_out(find(world), plan)
    truth = np.array([world.elasticity[name] for name in found.market.products])
    assert held(found.pooled.product[:, :, 0], truth).sum() >= 8  # of 12; by chance fewer in 0.05 % of worlds
    assert (followed.weeks, followed.chance) == (24, 1 / 400)
    assert followed.kept > 0.97


def test_an_experiment_that_was_not_kept_to_is_refused() -> None:
    world, plan = followed_world(7, weeks=8)
    with pytest.raises(DataError, match=r"Prices were the plan's in \d+% of its weeks"):
        read_out(find(world), replace(plan, seed=plan.seed + 1))
    with pytest.raises(DataError, match="has 0 of its weeks"):
        read_out(find(world), replace(plan, first=day_of(60 * 7)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("world", "expected"),
    [({}, 0.9), ({"told": True, "products": 60, "categories": 6, "mean": 1.0}, 0.9), ({"weeks": 60, "mean": 2.0}, 0.9)],
    ids=["usual", "many slow sellers", "short"],
)
def test_nine_of_ten_intervals_hold_the_elasticity(world: dict[str, object], expected: float) -> None:
    """By product and by category, in worlds of chance; the bounds are three Monte Carlo errors, a world one case."""
    number = SEEDS // 2 if world.get("products") else SEEDS
    product, category = [], []
    for seed in range(2000, 2000 + number):
        own = invent_world(seed, **world)  # type: ignore[arg-type]
        found = find(own)
        truth = np.array([own.elasticity[name] for name in found.market.products])
        group = np.array([own.category_elasticity[name] for name in found.market.categories])
        product.append(held(found.pooled.product[:, :, 0], truth).mean())
        category.append(held(found.pooled.category[:, :, 0], group).mean())
    for share in (product, category):
        error = float(np.std(share)) / number**0.5
        print(f"{np.mean(share):.3f} ± {error:.3f} in {number} worlds")  # noqa: T201  shown by -s
        assert abs(np.mean(share) - expected) < 3 * error + 0.01


@pytest.mark.slow
@pytest.mark.parametrize(
    ("manner", "least", "most"), [("random", 0.0, 0.12), ("demand", 0.9, 1.0), ("season", 0.9, 1.0)]
)
def test_confounded_worlds_are_flagged_and_worlds_of_chance_are_not(
    manner: Manner, least: float, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """5 % of worlds of chance may be flagged; of 60 more than 7 are by chance in 2 of 100."""
    monkeypatch.setattr(pooling, "DRAWS", 2)  # the tests ask nothing of the draws
    monkeypatch.setattr(pooling, "WARM_UP", 1)
    flagged = 0
    for seed in range(3000, 3000 + SEEDS):
        found = find(invent_world(seed, manner=manner))
        flagged += judge_before(found) < FALSE_ALARMS / 2 or judge_season(found) <= FALSE_ALARMS / 2
    print(f"{manner}: {flagged} of {SEEDS} flagged")  # noqa: T201  shown by -s
    assert least <= flagged / SEEDS <= most


@pytest.mark.slow
def test_association_is_wrong_where_an_experiment_is_right() -> None:
    """Prices that follow sales: 24 weeks of chance hold the truth, what went together before them does not."""
    by_chance, together = [], []
    for seed in range(4000, 4000 + SEEDS // 2):
        world, plan = followed_world(seed, products=24, span=104)
        found, _ = read_out(find(world), plan)
        truth = np.array([world.elasticity[name] for name in found.market.products])
        by_chance.append(held(found.pooled.product[:, :, 0], truth).mean())
        before = find(invent_world(seed, manner="demand"))
        together.append(held(before.pooled.product[:, :, 0], truth).mean())
    print(f"by chance {np.mean(by_chance):.3f}, together {np.mean(together):.3f}")  # noqa: T201  shown by -s
    assert np.mean(by_chance) > 0.85
    assert np.mean(together) < 0.85
    assert day_of(0) == FIRST
