"""Walk through the past from review to review, and note what each method would have said of the days to cover.

What a method says at a review rests on days before it alone. Errors at a review are of those earlier ones whose days
had all come by then, so a safety stock never knows how its own days turn out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from common.data.panel import Panel
from common.errors import ConfigError

WEEK = 7
WARM_UP_DAYS = 14  # at least, until shelves that were full at first are as usual


@dataclass(frozen=True)
class Rhythm:
    """How often it is ordered, and how long an order takes."""

    lead_days: int = 7
    review_days: int = 7

    @property
    def window_days(self) -> int:
        """Days that an order has to cover."""
        return self.lead_days + self.review_days

    @property
    def warm_up_cycles(self) -> int:
        """Cycles before anything is counted."""
        return -(-max(self.window_days, WARM_UP_DAYS) // self.review_days)


@dataclass(frozen=True)
class Walk:
    """Reviews, and what came in the days that each has to cover.

    Attributes
    ----------
    panel
        Of the products; it ends with the days of the last review.
    reviews
        Days of all reviews, the rehearsals first: there nothing is ordered, and errors are noted.
    first
        Place of the first review at which orders are placed.
    actual
        What was wanted in the days to cover.
    open_days
        Days of those on which the product could be sold.
    """

    panel: Panel
    rhythm: Rhythm
    reviews: Int[np.ndarray, " review"]
    first: int
    actual: Float[np.ndarray, "review product"]
    open_days: Int[np.ndarray, "review product"]

    @property
    def demand(self) -> Float[np.ndarray, "product day"]:
        """What was wanted on each day."""
        return (self.panel.target * self.panel.open).astype(np.float64)

    @property
    def ordering(self) -> range:
        """Places of the reviews at which orders are placed."""
        return range(self.first, len(self.reviews))

    def known(self, place: int) -> Bool[np.ndarray, " review"]:
        """Tell which reviews' days had all come before a review."""
        return self.reviews + self.rhythm.window_days <= self.reviews[place]


def plan_walk(panel: Panel, rhythm: Rhythm, *, first: int, rehearsals: int) -> Walk:
    """Plan reviews from day `first` to the end of the panel, and so many rehearsals before.

    Raises
    ------
    ConfigError
        There are too few days before, or after.
    """
    every, window = rhythm.review_days, rhythm.window_days
    before = min(rehearsals, (first - window) // every)
    reviews = np.arange(first - before * every, panel.num_days - window + 1, every)
    if before * every < window + every:
        raise ConfigError(
            f"There are {first} days before the first review, too few to see how far forecasts of {window} days miss; "
            "choose a later --first."
        )
    if len(reviews) - before <= rhythm.warm_up_cycles + 1:
        raise ConfigError(
            f"Only {panel.num_days - first} days follow the first review; choose an earlier --first, or a shorter "
            "--lead-days or --review-days."
        )
    panel = forget(panel, int(reviews[-1]) + window)
    days = [slice(day, day + window) for day in reviews]
    demand = panel.target * panel.open
    actual = np.stack([demand[:, span].sum(axis=1, dtype=np.float64) for span in days])
    open_days = np.stack([panel.open[:, span].sum(axis=1) for span in days])
    return Walk(panel, rhythm, reviews, before, actual, open_days)


def forget(panel: Panel, day: int) -> Panel:
    """Cut off what happened from a day on; what is known ahead stays."""
    ahead = np.arange(panel.num_days) >= day
    return replace(
        panel,
        target=np.where(ahead, 0, panel.target).astype(panel.target.dtype),
        observed=np.where(ahead[:, None], 0, panel.observed).astype(panel.observed.dtype),
        censored=panel.censored & ~ahead,
    )
