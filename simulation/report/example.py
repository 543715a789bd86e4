"""A few entities whose forecasts are shown: chosen by how much they sold, never by how well they were forecast.

They are not named: the page may be passed on, and an entity can be a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from simulation.evaluation.results import Record

INTERMITTENT_SHARE = 0.25  # of open buckets with demand
SHOWN_ODDS = 9


@dataclass(frozen=True)
class Example:
    """One entity's horizon: what was forecast and what happened."""

    name: str
    day: np.ndarray
    median: Float[np.ndarray, " bucket"]
    quantiles: Float[np.ndarray, "bucket level"] | None
    actual: Float[np.ndarray, " bucket"]
    counted: Bool[np.ndarray, " bucket"]

    @property
    def share_inside(self) -> float:
        """Share of open buckets inside the 80 % interval."""
        if self.quantiles is None or not self.counted.any():
            return 0.0
        inside = (self.quantiles[:, 0] <= self.actual) & (self.actual <= self.quantiles[:, -1])
        return float(inside[self.counted].mean())


@dataclass(frozen=True)
class Odds:
    """One entity's whole horizon: how probable any demand was said to be, how much was expected, how much came."""

    probability: float
    expected: float
    actual: float


def choose_examples(record: Record) -> list[Example]:
    """Choose the entity that sold most, one in the middle, and one that sells on about a quarter of days."""
    demand = record.actual * record.counted
    total = demand.sum(axis=1)
    sold = np.flatnonzero(total > 0)
    if not len(sold):
        return []
    by_total = sold[np.argsort(total[sold], kind="stable")]
    share = (demand > 0).sum(axis=1) / np.maximum(record.counted.sum(axis=1), 1)
    rare = sold[np.argmin(np.abs(share[sold] - INTERMITTENT_SHARE))]
    chosen = {"the largest": by_total[-1], "one in the middle": by_total[len(by_total) // 2]}
    if share[rare] < 2 * INTERMITTENT_SHARE and rare not in chosen.values():
        chosen["one that sells rarely"] = rare
    return [_example(name, record, int(row)) for name, row in chosen.items()]


def choose_odds(record: Record) -> list[Odds]:
    """Choose entities evenly by rank of the probability that was said for them."""
    said = record.forecast.probability
    if said is None or not len(said):
        return []
    ranks = np.unique(np.linspace(0, len(said) - 1, SHOWN_ODDS).round().astype(int))
    rows = np.argsort(said, kind="stable")[ranks][::-1]
    expected, actual = record.forecast.mean.sum(axis=1), record.actual.sum(axis=1)
    return [Odds(float(said[row]), float(expected[row]), float(actual[row])) for row in rows]


def _example(name: str, record: Record, row: int) -> Example:
    quantiles = record.forecast.quantiles
    return Example(
        name=name,
        day=record.day,
        median=record.forecast.median[row],
        quantiles=None if quantiles is None else quantiles[row],
        actual=record.actual[row],
        counted=record.counted[row],
    )
