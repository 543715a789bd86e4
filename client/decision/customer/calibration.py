"""Said against seen: customers in ten groups of like chance, and which share of each bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from client.decision.customer.ahead import Judged

GROUPS = 10


@dataclass(frozen=True)
class Point:
    """Customers of a group, the mean chance that was said, the share that bought, and what chance alone would allow.

    `low` and `high` are Wilson's interval of the share, 19 of 20.
    """

    customers: int
    said: float
    seen: float
    low: float
    high: float


def group_by_chance(said: Float[np.ndarray, " some"], bought: np.ndarray, *, groups: int = GROUPS) -> tuple[Point, ...]:
    """Sort customers by what was said and cut them into groups of one size."""
    order = np.argsort(said, kind="stable")
    return tuple(_point(said[own], bought[own]) for own in np.array_split(order, groups) if len(own))


def judge(judged: Sequence[Judged]) -> tuple[Point, ...]:
    """Group the customers of all past days together."""
    if not judged:
        return ()
    said = np.concatenate([each.said for each in judged])
    return group_by_chance(said, np.concatenate([each.bought for each in judged]))


def _point(said: np.ndarray, bought: np.ndarray) -> Point:
    number, share, z = len(said), float(bought.mean()), float(norm.ppf(0.975))
    center = (share + z * z / (2 * number)) / (1 + z * z / number)
    half = z / (1 + z * z / number) * float(np.sqrt(share * (1 - share) / number + z * z / (4 * number * number)))
    return Point(number, float(said.mean()), share, max(center - half, 0.0), min(center + half, 1.0))
