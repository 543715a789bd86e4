"""What is known of every customer before a day, and what then came of it.

Columns of the features, all of the order of 1; logarithms of days, purchases or money plus one:

    recency, count, tenure           days since the last purchase, purchases, days since the first
    count_30 … count_365             purchases of the last so many days
    spend, spend_90, order           money in all, of the last 90 days, and of a purchase
    gap, overdue, irregular, return  the own rhythm (`common.model.purchase_gaps`)
    year_ago                         purchases a year before the days ahead, two weeks more on either side
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from client.decision.customer.purchase import Purchases
from common.model.purchase_gaps import Gaps, describe_rhythm

WINDOWS = (30, 90, 180, 365)
YEAR, AROUND = 364, 14
SIMPLE = 2  # of the columns, recency and count, are what the simple regression knows


@dataclass(frozen=True)
class Past:
    """Customers who bought before a day, and what they did until then.

    Attributes
    ----------
    who
        Places of the customers in the purchases.
    day
        The first day that is not known.
    count
        Purchases.
    first, last
        Days of the first and of the last purchase.
    """

    purchases: Purchases
    who: Int[np.ndarray, " some"]
    day: int

    @cached_property
    def count(self) -> Int[np.ndarray, " some"]:
        """Purchases so far, at least one."""
        return self.purchases.count(self.who, 0, self.day)

    @cached_property
    def first(self) -> Int[np.ndarray, " some"]:
        """Day of the first purchase."""
        return self.purchases.first[self.who]

    @cached_property
    def last(self) -> Int[np.ndarray, " some"]:
        """Day of the last purchase."""
        return self.purchases.day[self.purchases.edges(self.who, self.day) - 1]

    @cached_property
    def spend(self) -> Float[np.ndarray, " some"]:
        """Money so far, less what went back."""
        return self.purchases.spend(self.who, 0, self.day)

    @property
    def silence(self) -> Int[np.ndarray, " some"]:
        """Days since the last purchase."""
        return self.day - self.last

    @property
    def age(self) -> Int[np.ndarray, " some"]:
        """Days since the first purchase."""
        return self.day - self.first

    @property
    def again(self) -> Int[np.ndarray, " some"]:
        """Purchases after the first."""
        return self.count - 1

    @cached_property
    def gaps(self) -> Gaps:
        """Gaps between purchases, as the rhythm reads them."""
        ends = self.purchases.edges(self.who, self.day)
        begins = self.purchases.edges(self.who, 0)
        squares = self.purchases.squares[ends] - self.purchases.squares[begins]
        columns = (self.count, self.age, self.silence, squares)
        return Gaps(*(np.asarray(each, dtype=np.float64)[:, None] for each in columns))

    def features(self, horizon_days: int) -> Float[np.ndarray, "some feature"]:
        """Give what the learned candidates look at."""
        ask, who, day = self.purchases, self.who, self.day
        amounts = [
            self.silence,
            self.count,
            self.age,
            *(ask.count(who, day - window, day) for window in WINDOWS),
            ask.count(who, day - YEAR - AROUND, day - YEAR + horizon_days + AROUND) * (day >= YEAR),
            self.spend,
            ask.spend(who, day - 90, day),
            self.spend / self.count,
        ]
        logarithms = [np.log1p(np.maximum(amount, 0)) for amount in amounts]
        rhythm = [column[:, 0] for column in describe_rhythm(self.gaps, horizon_days).values()]
        return np.stack([*logarithms, *rhythm], axis=1).astype(np.float64)


@dataclass(frozen=True)
class Came:
    """What came within a horizon: purchases and money of each customer of a past."""

    count: Int[np.ndarray, " some"]
    money: Float[np.ndarray, " some"]

    @property
    def bought(self) -> np.ndarray:
        """Whether there was any purchase."""
        return self.count > 0


def look_back(purchases: Purchases, day: int) -> Past:
    """Take all customers who bought before a day."""
    return Past(purchases, purchases.there(day), day)


def see(past: Past, horizon_days: int) -> Came:
    """Say what came within the days after a past."""
    until = past.day + horizon_days
    ask = past.purchases
    return Came(ask.count(past.who, past.day, until), ask.spend(past.who, past.day, until))
