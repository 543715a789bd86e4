"""Whether what a forecast says comes true as often as it says.

What is said is a share, what comes true is between two shares.

demand      At each quantile level: how often demand was below the quantile, and how often at most at it. A count
            can sit on its quantile, so an honest forecast has the level between the two, not on a line.
purchases   Entities in groups of like probability: the mean probability said, and the share that bought, as an
            interval that allows for chance (Wilson 1927).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import norm

from common.forecast.metric import QUANTILE_LEVELS
from simulation.evaluation.results import Record

GROUPS = 10


@dataclass(frozen=True)
class Point:
    """The share that was said, and between what the share lies that came true."""

    said: float
    low: float
    high: float


def demand_points(records: Iterable[Record]) -> list[Point]:
    """Give one point per quantile level over all open buckets; none for a method without a distribution."""
    below, at_most, total = np.zeros(len(QUANTILE_LEVELS)), np.zeros(len(QUANTILE_LEVELS)), 0
    for record in records:
        if record.forecast.quantiles is None:
            return []
        actual = record.actual[record.counted][:, None]
        quantiles = record.forecast.quantiles[record.counted]
        below += (actual < quantiles).sum(axis=0)
        at_most += (actual <= quantiles).sum(axis=0)
        total += len(actual)
    if total == 0:
        return []
    points = zip(QUANTILE_LEVELS, below / total, at_most / total, strict=True)
    return [Point(level, float(low), float(high)) for level, low, high in points]


def purchase_points(records: Iterable[Record]) -> list[Point]:
    """Give one point per group of entities of like probability, over all origins and seeds."""
    said, bought, seeds = [], [], set()
    for record in records:
        if record.forecast.probability is None:
            return []
        said.append(record.forecast.probability)
        bought.append(record.actual.sum(axis=1) > 0)
        seeds.add(record.seed)
    return _grouped(np.concatenate(said), np.concatenate(bought), repeats=len(seeds)) if said else []


def _grouped(said: Float[np.ndarray, " entity"], bought: Bool[np.ndarray, " entity"], *, repeats: int) -> list[Point]:
    """Group by rank; the same entity under another seed is no further evidence."""
    order = np.argsort(said, kind="stable")
    groups = [group for group in np.array_split(order, GROUPS) if len(group)]
    return [
        Point(float(said[group].mean()), *_wilson(float(bought[group].mean()), max(len(group) / repeats, 1.0)))
        for group in groups
    ]


def _wilson(share: float, number: float) -> tuple[float, float]:
    """95 % interval of a share that was seen among `number`."""
    z = float(norm.ppf(0.975))
    center = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * np.sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    return float(center - half), float(center + half)
