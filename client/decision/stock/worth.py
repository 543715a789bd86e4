"""What a method's forecasts are worth as stock: the same real days lived through with each, at the same share served.

walk → each method's means and levels (`own`, `classic`, `level`) → a shelf for each (`shelf`) → costs (`frontier`)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from client.decision.stock.classic import forecast_weeks
from client.decision.stock.cost import StockCosts
from client.decision.stock.frontier import Ledger, Point, Saving, keep_ledger, measure_saving, read_point
from client.decision.stock.level import (
    SERVICE_LEVELS,
    average_levels,
    measured_levels,
    normal_levels,
    own_levels,
)
from client.decision.stock.own import average_candidates, forecast_candidates
from client.decision.stock.shelf import live
from client.decision.stock.walk import Walk
from client.shop.forecast.candidate import missing_library
from common.plan.schema import Plan

OURS = "hansa"
CLASSES = {"A": 0.8, "B": 0.95, "C": 1.0}
DRAWN = (0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99)  # shares served that a picture shows
RESAMPLES = 500

Levels = Float[np.ndarray, "level product ordering"]
OnStep = Callable[[str, float], None]


@dataclass(frozen=True)
class At:
    """Every method where it serves one share of demand.

    Attributes
    ----------
    points
        METHOD → what it costs there; None where it never serves so much.
    best_other
        The cheapest of the others there, chosen in hindsight, which favours it; "" where none serves so much.
    saving
        Of `OURS` over that one.
    """

    fill_rate: float
    points: dict[str, Point | None]
    best_other: str
    saving: Saving | None


@dataclass(frozen=True)
class Group:
    """Some of the products.

    Attributes
    ----------
    frontier
        METHOD → what it costs at each of `DRAWN`.
    """

    name: str
    products: int
    demand_share: float
    at: tuple[At, ...]
    frontier: dict[str, tuple[float | None, ...]]


def make_levels(walk: Walk, plan: Plan, *, on_step: OnStep = lambda what, share: None) -> dict[str, Levels]:
    """Give every method's order-up-to levels at each review, ours first."""
    means = forecast_candidates(walk, plan, on_step=lambda share: on_step("forecasting", share))
    weekday_mean = means["weekday_mean"].sum(axis=2)
    levels = {
        OURS: measured_levels(walk, average_candidates(walk, means)),
        "weekday_mean": normal_levels(walk, weekday_mean),
    }
    if not missing_library("auto_ets"):
        mean, variance = forecast_weeks(walk, on_step=lambda share: on_step("smoothing exponentially", share))
        levels["auto_ets"] = own_levels(walk, mean, variance)
        levels["auto_ets_misses"] = normal_levels(walk, mean)
    levels["min_max"] = average_levels(walk)
    return levels


def keep_ledgers(
    walk: Walk, levels: Mapping[str, Levels], costs: StockCosts, *, counts: bool, backorders: bool = False
) -> dict[str, Ledger]:
    """Live through the days with each method's levels, and write down what it cost once shelves are as usual.

    Parameters
    ----------
    counts
        Whether products come in whole pieces: then a level is rounded up to one.
    """
    ledgers = {}
    for name, wanted in levels.items():
        level = np.ceil(wanted - 1e-6) if counts else wanted
        flow = live(
            walk.demand,
            level,
            walk.reviews[walk.first :],
            lead_days=walk.rhythm.lead_days,
            backorders=backorders,
        ).after(walk.rhythm.warm_up_cycles)
        ledgers[name] = keep_ledger(flow, costs, cycle_days=walk.rhythm.review_days)
    return ledgers


def compare(
    ledgers: Mapping[str, Ledger],
    groups: Mapping[str, np.ndarray],
    *,
    fill_rates: Sequence[float],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Group, ...]:
    """Compare `OURS` with the others in every group of products.

    Parameters
    ----------
    groups
        NAME → whether each product is in it; one without a product, or without demand, is left out.
    """
    total = ledgers[OURS].wanted.sum()
    found = []
    for name, chosen in groups.items():
        own = {method: ledger.select(np.flatnonzero(chosen)) for method, ledger in ledgers.items()}
        wanted = own[OURS].wanted.sum()
        if wanted > 0:
            at = tuple(_compare_at(own, rate, resamples, seed) for rate in fill_rates)
            frontier = {method: _draw_frontier(ledger) for method, ledger in own.items()}
            found.append(Group(name, int(chosen.sum()), float(wanted / total), at, frontier))
    return tuple(found)


def _compare_at(ledgers: Mapping[str, Ledger], fill_rate: float, resamples: int, seed: int) -> At:
    points = {name: read_point(ledger, SERVICE_LEVELS, fill_rate=fill_rate) for name, ledger in ledgers.items()}
    others = {name: point.cost for name, point in points.items() if point is not None and name != OURS}
    best = min(others, key=lambda name: others[name], default="")
    if not best or points[OURS] is None:
        return At(fill_rate, points, best, None)
    generator = np.random.default_rng(seed)
    saving = measure_saving(ledgers[OURS], ledgers[best], fill_rate=fill_rate, resamples=resamples, generator=generator)
    return At(fill_rate, points, best, saving)


def _draw_frontier(ledger: Ledger) -> tuple[float | None, ...]:
    points = [read_point(ledger, SERVICE_LEVELS, fill_rate=rate) for rate in DRAWN]
    return tuple(None if point is None else point.cost for point in points)
