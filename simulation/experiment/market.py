"""What `hansa-client trends` tells of invented shops whose market is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

import numpy as np

from client.decision.market.series import count_days, list_series
from client.decision.market.surprise import WEEKS, find_surprises
from client.decision.market.survey import ALPHA, Finding, describe_series
from client.feedback.past import Past
from simulation.synthetic.market import MarketWorld, draw_past

NEAR_DAYS = 42  # a step that is told within so many days of the true one is that one
EARLIEST, LATEST = 0.25, 0.75  # of the history, between which steps come


@dataclass(frozen=True)
class StepResult:
    """Of many worlds of one kind.

    Attributes
    ----------
    told
        Share in which any step is told that is none.
    found
        Share in which the true step is told.
    day_held, size_held
        Of these, shares in which its day, and its size, lie within the interval that should hold nine of ten.
    days_off
        Median of the days by which it is told too early or late.
    """

    world: MarketWorld
    runs: int
    told: float
    found: float
    day_held: float
    size_held: float
    days_off: float


@dataclass(frozen=True)
class SurpriseResult:
    """Of many worlds of one kind.

    Attributes
    ----------
    any_false
        Share of worlds in which a product is named that had not changed.
    power
        Share of the changed products that are named.
    false_share
        Of the named ones those that had not changed, on average.
    """

    changed: float
    factor: float
    runs: int
    any_false: float
    power: float
    false_share: float


def describe_shop(past: Past) -> Finding:
    """Describe an invented shop as a whole, as `trends` does."""
    counted = count_days(past, np.zeros(past.units.shape, bool))
    series = next(iter(list_series(past, counted, products=(), most=0)))
    return describe_series(past, series, alpha=ALPHA)


def try_steps(world: MarketWorld, *, runs: int, seed: int) -> StepResult:
    """Draw worlds of one kind, with the step on another day each time, and count what is told."""
    generator = np.random.default_rng(seed)
    told, hits = 0, list[tuple[bool, bool, float]]()
    for _ in range(runs):
        day = int(generator.integers(int(7 * world.weeks * EARLIEST), int(7 * world.weeks * LATEST)))
        past = draw_past(replace(world, step_day=day), generator)
        truth = past.first + timedelta(days=day)
        steps = describe_shop(past).steps
        near = [step for step in steps if abs((step.since - truth).days) <= NEAR_DAYS] if world.step != 1 else []
        told += len(near) < len(steps)
        if near:
            step = min(near, key=lambda each: abs((each.since - truth).days))
            held = step.first <= truth <= step.last, step.low <= world.step <= step.high
            hits.append((*held, float(abs((step.since - truth).days))))
    means = np.array(hits, dtype=float).mean(axis=0) if hits else np.full(3, np.nan)
    off = float(np.median([hit[2] for hit in hits])) if hits else float("nan")
    return StepResult(world, runs, told / runs, len(hits) / runs, float(means[0]), float(means[1]), off)


def try_surprises(world: MarketWorld, *, changed: float, factor: float, runs: int, seed: int) -> SurpriseResult:
    """Change a share of the products in the last weeks, half up and half down, and count who is named."""
    generator = np.random.default_rng(seed)
    false, power, share = list[bool](), list[float](), list[float]()
    for _ in range(runs):
        past = draw_past(world, generator)
        is_changed = generator.random(world.products) < changed
        rises = generator.random(world.products) < 0.5
        scale = np.where(is_changed, np.where(rises, factor, 1 / factor), 1.0)
        recent = past.units[:, -7 * WEEKS :]
        kept = np.where(
            scale[:, None] < 1, generator.binomial(recent.astype(int), np.minimum(scale, 1)[:, None]), recent
        )
        more = generator.binomial(recent.astype(int), np.clip(scale - 1, 0, 1)[:, None])
        units = np.concatenate([past.units[:, : -7 * WEEKS], (kept + more).astype(np.float32)], axis=1)
        named = find_surprises(replace(past, units=units), count_days(past, np.zeros(past.units.shape, bool)), ())
        names = {each.product for each in named.found}
        truth = {name for name, own in zip(past.products, is_changed, strict=True) if own}
        false.append(bool(names - truth))
        power.append(len(names & truth) / len(truth) if truth else float("nan"))
        share.append(len(names - truth) / max(len(names), 1))
    powers = np.array(power)
    reached = float(np.nanmean(powers)) if np.isfinite(powers).any() else float("nan")
    return SurpriseResult(changed, factor, runs, float(np.mean(false)), reached, float(np.mean(share)))


STEADY = tuple(
    MarketWorld(weeks=weeks, pieces=pieces, carry=carry, growth=growth, out=0.02)
    for weeks, pieces, carry, growth in (
        (60, 300.0, 0.0, 0.0),
        (60, 3000.0, 0.3, 0.0),
        (90, 1000.0, 0.0, 0.0),
        (90, 1000.0, 0.3, 0.0),
        (90, 3000.0, 0.5, 0.0),
        (150, 1000.0, 0.0, 0.0),
        (150, 3000.0, 0.3, 0.0),
        (90, 1000.0, 0.0, 0.03),
        (90, 3000.0, 0.3, 0.03),
    )
)
STEPPED = tuple(
    MarketWorld(weeks=90, pieces=pieces, carry=0.2, step=step, out=0.02)
    for pieces, step in ((300.0, 1.5), (1000.0, 1.18), (1000.0, 0.8), (1000.0, 1.5), (3000.0, 1.18), (3000.0, 0.8))
)


def try_all(*, runs: int, seed: int, on_step: Callable[[float], None]) -> dict[str, list[dict[str, object]]]:
    """Try steady worlds, worlds with a step, and worlds in which some products change."""
    steps = []
    for place, world in enumerate((*STEADY, *STEPPED), start=1):
        steps.append(asdict(try_steps(world, runs=runs, seed=seed + place)))
        on_step(place / (len(STEADY) + len(STEPPED) + 2))
    shelf = MarketWorld(weeks=40, pieces=6000.0, products=200, lumps=2.5, common=0.05, carry=0.2, out=0.02)
    kinds = ((0.0, 1.0), (0.05, 1.8))
    surprises = [
        asdict(try_surprises(shelf, changed=changed, factor=factor, runs=max(runs // 4, 5), seed=seed))
        for changed, factor in kinds
    ]
    on_step(1.0)
    return {"steps": steps, "surprises": surprises}
