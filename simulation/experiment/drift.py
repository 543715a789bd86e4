"""False alarms of `hansa-client watch` on steady shops, and how soon it sees a fifth more or less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from client.feedback.chart import WITHIN_WEEKS, Chart, judge, limits_of
from client.feedback.week import BASE_WEEKS, GAP_WEEKS

LEARNED, WATCHED, AFTER = 26, 52, 8  # weeks


@dataclass(frozen=True)
class DriftWorld:
    """A shop whose forecasts are means of the weeks before, as those of a shop that forecasts every week.

    Attributes
    ----------
    pieces
        Of the whole shop in a usual week.
    groups
        Beside the shop, each an equal part of it; 0: the shop alone.
    lumps
        Variance over mean of a week's pieces, beside what weeks have in common.
    common, carry
        Standard deviation of what a week's groups have in common, as a share; what of it is carried over.
    """

    pieces: float
    groups: int = 0
    lumps: float = 3.0
    common: float = 0.05
    carry: float = 0.0


@dataclass(frozen=True)
class DriftResult:
    """Of many worlds.

    Attributes
    ----------
    false_alarms
        In 52 weeks, of all charts together; with its standard error.
    rise_seen, fall_seen
        Share of worlds in which a lasting fifth more, or less, is noticed within four weeks by any chart.
    rise_later, fall_later
        Within eight.
    noise
        Standard deviation of the whole shop's weekly errors, as a share.
    """

    world: DriftWorld
    runs: int
    false_alarms: float
    false_alarms_error: float
    rise_seen: float
    fall_seen: float
    rise_later: float
    fall_later: float
    noise: float


def try_world(world: DriftWorld, *, runs: int, seed: int, shift: float = 0.2) -> DriftResult:
    """Watch steady worlds for a year, and worlds in which everything shifts after a year."""
    generator = np.random.default_rng(seed)
    alarms = _count(judge_all(world, generator, runs, LEARNED + WATCHED, 1.0, WATCHED, first=LEARNED)).sum(axis=1)
    seen = []
    for factor, side in ((1 + shift, 1), (1 - shift, -1)):
        charts = judge_all(world, generator, runs, LEARNED + WATCHED + AFTER, factor, AFTER, first=LEARNED + WATCHED)
        alarm = np.stack([chart.alarm[:, -AFTER:] for chart in charts])
        there = (alarm == side).any(axis=0)
        seen.append([float(there[:, :weeks].any(axis=1).mean()) for weeks in (WITHIN_WEEKS, AFTER)])
    errors = draw_errors(world, generator, runs, LEARNED + WATCHED, 1.0, WATCHED)[0]
    return DriftResult(
        world=world,
        runs=runs,
        false_alarms=float(alarms.mean()),
        false_alarms_error=float(alarms.std() / np.sqrt(runs)),
        rise_seen=seen[0][0],
        fall_seen=seen[1][0],
        rise_later=seen[0][1],
        fall_later=seen[1][1],
        noise=float(errors.std(axis=1).mean()),
    )


def judge_all(
    world: DriftWorld,
    generator: np.random.Generator,
    runs: int,
    weeks: int,
    factor: float,
    after: int,
    *,
    first: int,
) -> list[Chart]:
    """Judge the shop and its groups, each by its own limit; only weeks from `first` on."""
    own, each = limits_of(world.groups)
    errors = draw_errors(world, generator, runs, weeks, factor, after)
    return [judge(part, own if place == 0 else each, first=first) for place, part in enumerate(errors)]


def _count(charts: list[Chart]) -> np.ndarray:
    return np.asarray(sum((chart.alarm != 0).astype(int) for chart in charts))


def draw_errors(
    world: DriftWorld, generator: np.random.Generator, runs: int, weeks: int, factor: float, after: int
) -> list[Float[np.ndarray, "run week"]]:
    """Draw the logarithms of sold over said of the shop and its groups; the last weeks are shifted."""
    number, begin = max(world.groups, 1), BASE_WEEKS + GAP_WEEKS
    total = weeks + begin
    common = np.zeros((runs, total))
    common[:, 0] = generator.standard_normal(runs)
    for week in range(1, total):
        fresh = generator.standard_normal(runs)
        common[:, week] = world.carry * common[:, week - 1] + np.sqrt(1 - world.carry**2) * fresh
    mean = world.pieces / number * np.exp(world.common * common - world.common**2 / 2)
    mean[:, total - after :] *= factor
    sold = generator.negative_binomial(
        np.repeat(mean[None], number, axis=0) / (world.lumps - 1), 1 / world.lumps
    ).astype(float)
    parts = [sold.sum(axis=0), *(sold if world.groups else ())]
    return [_errors(part, begin) for part in parts]


def _errors(sold: Float[np.ndarray, "run week"], begin: int) -> Float[np.ndarray, "run judged"]:
    said = [sold[:, week - begin : week - GAP_WEEKS].mean(axis=1) for week in range(begin, sold.shape[1])]
    return np.asarray(np.log((sold[:, begin:] + 0.5) / (np.stack(said, axis=1) + 0.5)))


WORLDS = (
    *(DriftWorld(pieces) for pieces in (100.0, 300.0, 1000.0, 3000.0, 10_000.0)),
    *(DriftWorld(pieces, carry=0.3) for pieces in (300.0, 3000.0, 10_000.0)),
    DriftWorld(3000.0, carry=0.6),
    DriftWorld(3000.0, common=0.1),
    DriftWorld(3000.0, groups=6),
    DriftWorld(10_000.0, groups=6),
    DriftWorld(10_000.0, groups=6, carry=0.3),
    DriftWorld(30_000.0, groups=12, carry=0.3),
)


def try_all(*, runs: int, seed: int, on_step: Callable[[float], None]) -> list[dict[str, object]]:
    """Try shops of several sizes, alone and with groups, with weeks that hang together and with none."""
    found = []
    for place, world in enumerate(WORLDS, start=1):
        found.append(asdict(try_world(world, runs=runs, seed=seed + place)))
        on_step(place / len(WORLDS))
    return found
