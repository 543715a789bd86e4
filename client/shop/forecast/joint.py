"""What the products of a shop have in common: how far they miss their means together.

Of two different products the product of their misses is, in the mean, what they share; so over all pairs

    shared = ((Σ miss)² - Σ miss²) / ((Σ mean)² - Σ mean²)

is the variance, as a share of the squared mean, of a factor that is common to all, whatever each does by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

USUAL, PRIOR_WINDOWS = 0.15**2, 2.0  # of the shared variance over a horizon, and what it is worth in past horizons
LARGEST = 1.0


@dataclass(frozen=True)
class Joint:
    """Variances of what is shared, as shares of the squared mean.

    Attributes
    ----------
    lasting
        Of a factor that lasts over the horizon.
    weekly, daily
        Of one that is anew each week, each day.
    """

    lasting: float
    weekly: float
    daily: float

    def over(self, days: int) -> float:
        """Give the variance of sums over so many days."""
        return self.lasting + self.weekly / max(days / 7, 1.0) + self.daily / days


def shared_variance(said: Float[np.ndarray, "window product"], sold: Float[np.ndarray, "window product"]) -> float:
    """Estimate it from past windows; it may come out below zero."""
    miss = sold - said
    over = miss.sum(axis=1) ** 2 - (miss**2).sum(axis=1)
    under = said.sum(axis=1) ** 2 - (said**2).sum(axis=1)
    good = under > 0
    return float((over[good] / under[good]).mean()) if good.any() else 0.0


def measure_joint(
    said: Float[np.ndarray, "window product day"], sold: Float[np.ndarray, "window product day"]
) -> Joint:
    """Measure what is shared on past horizons, near what is usual where there are few."""
    days = said.shape[2] if said.size else 1

    def at(length: int) -> float:
        whole = max(days // length, 1)
        cut = [part[:, :, : whole * length] for part in (said, sold)]
        sums = [part.reshape(*part.shape[:2], whole, -1).sum(axis=3).transpose(0, 2, 1) for part in cut]
        return shared_variance(*(part.reshape(-1, part.shape[2]) for part in sums))

    number = len(said)
    long, week, day = (at(days), at(min(7, days)), at(1)) if number else (USUAL, USUAL, USUAL)
    long = (number * max(long, 0.0) + PRIOR_WINDOWS * USUAL) / (number + PRIOR_WINDOWS)
    weeks = max(days / 7, 1.0)
    weekly = max(week - long, 0.0) / max(1 - 1 / weeks, 1e-9) if weeks > 1 else 0.0
    lasting = max(long - weekly / weeks, 0.0)
    return Joint(min(lasting, LARGEST), min(weekly, LARGEST), min(max(day - max(week, long), 0.0), LARGEST))
