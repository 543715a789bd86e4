"""Who bought on which day for how much: all that the customers' part reads of a shop.

Notable here: a purchase is a day on which a customer bought, however many orders she placed on it, for two orders of
one afternoon are one visit. Money that went back is counted off on the day on which it went back, so that a past day
knows of no later return. Everything is asked by binary search in one sorted array: a million purchases take a moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

SPREAD = 1 << 20  # more than any history has days: customer and day in one number


@dataclass(frozen=True)
class Purchases:
    """Days on which customers bought, sorted by customer and day, one row for each of both.

    Attributes
    ----------
    start
        Calendar date of day 0.
    num_days
        Days that are known, from day 0 on.
    customers
        Keyed hashes; `customer` counts in them.
    amount
        Money of the day, in the shop's currency.
    back_customer, back_day, back_amount
        Money that went back, sorted by customer and day.
    lines_without_customer
        Share of the shop's lines that name no customer.
    """

    start: date
    num_days: int
    customers: np.ndarray
    customer: Int[np.ndarray, " purchase"]
    day: Int[np.ndarray, " purchase"]
    amount: Float[np.ndarray, " purchase"]
    back_customer: Int[np.ndarray, " back"]
    back_day: Int[np.ndarray, " back"]
    back_amount: Float[np.ndarray, " back"]
    lines_without_customer: float = 0.0

    def date_of(self, day: int) -> date:
        """Calendar date of a day."""
        return self.start + timedelta(days=day)

    def day_of(self, when: date) -> int:
        """Day of a calendar date."""
        return (when - self.start).days

    @cached_property
    def first(self) -> Int[np.ndarray, " customer"]:
        """First day with a purchase of every customer."""
        return self.day[np.searchsorted(self.customer, np.arange(len(self.customers)))]

    @cached_property
    def selling(self) -> Bool[np.ndarray, " day"]:
        """Days on which anybody bought."""
        sold = np.zeros(self.num_days, dtype=np.bool_)
        sold[self.day] = True
        return sold

    @cached_property
    def keys(self) -> Int[np.ndarray, " purchase"]:
        """Customer and day as one ascending number."""
        return self.customer.astype(np.int64) * SPREAD + self.day

    @cached_property
    def back_keys(self) -> Int[np.ndarray, " back"]:
        """The same of what went back."""
        return self.back_customer.astype(np.int64) * SPREAD + self.back_day

    @cached_property
    def money(self) -> Float[np.ndarray, " edge"]:
        """Money of all purchases before each, as a running sum."""
        return np.concatenate([[0.0], np.cumsum(self.amount)])

    @cached_property
    def back_money(self) -> Float[np.ndarray, " edge"]:
        """Money of all that went back before each, as a running sum."""
        return np.concatenate([[0.0], np.cumsum(self.back_amount)])

    @cached_property
    def squares(self) -> Float[np.ndarray, " edge"]:
        """Squared gaps to the purchase before by the same customer, in days, as a running sum."""
        gaps = np.diff(self.day, prepend=0)
        gaps[np.flatnonzero(np.diff(self.customer, prepend=-1))] = 0
        return np.concatenate([[0.0], np.cumsum(gaps.astype(np.float64) ** 2)])

    def edges(self, who: Int[np.ndarray, " some"], day: int | np.ndarray) -> Int[np.ndarray, " some"]:
        """Give the place of the first purchase of each customer on or after a day."""
        return np.searchsorted(self.keys, who.astype(np.int64) * SPREAD + np.maximum(day, 0))

    def count(self, who: Int[np.ndarray, " some"], first: int, until: int) -> Int[np.ndarray, " some"]:
        """Count purchases from `first` to before `until`."""
        return self.edges(who, until) - self.edges(who, first)

    def spend(self, who: Int[np.ndarray, " some"], first: int, until: int) -> Float[np.ndarray, " some"]:
        """Sum money from `first` to before `until`, less what went back in that time."""
        came = self.money[self.edges(who, until)] - self.money[self.edges(who, first)]
        wide = who.astype(np.int64) * SPREAD
        back = [np.searchsorted(self.back_keys, wide + max(day, 0)) for day in (until, first)]
        return came - (self.back_money[back[0]] - self.back_money[back[1]])

    def there(self, day: int) -> Int[np.ndarray, " some"]:
        """Give the customers who bought before a day."""
        return np.flatnonzero(self.first < day)

    def before(self, day: int) -> Purchases:
        """Forget everything from a day on, so that nothing later can be looked at."""
        rows, back = self.day < day, self.back_day < day
        cut = replace(
            self,
            num_days=day,
            customer=self.customer[rows],
            day=self.day[rows],
            amount=self.amount[rows],
            back_customer=self.back_customer[back],
            back_day=self.back_day[back],
            back_amount=self.back_amount[back],
        )
        return cut.select(np.unique(cut.customer))

    def select(self, kept: Int[np.ndarray, " kept"]) -> Purchases:
        """Keep some customers, by ascending place."""
        place = np.full(len(self.customers), -1, dtype=np.int64)
        place[kept] = np.arange(len(kept))
        rows, back = place[self.customer] >= 0, place[self.back_customer] >= 0
        return replace(
            self,
            customers=self.customers[kept],
            customer=place[self.customer[rows]],
            day=self.day[rows],
            amount=self.amount[rows],
            back_customer=place[self.back_customer[back]],
            back_day=self.back_day[back],
            back_amount=self.back_amount[back],
        )


def make_purchases(
    who: np.ndarray,
    day: Int[np.ndarray, " row"],
    amount: Float[np.ndarray, " row"],
    *,
    start: date,
    num_days: int,
    back: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    lines_without_customer: float = 0.0,
) -> Purchases:
    """Sort rows of customer, day and money, one a customer and day; what went back from nobody known is left out."""
    names, customer = np.unique(who, return_inverse=True)
    order, kept = _sorted(customer, day)
    sums = np.add.reduceat(amount[order], kept) if len(kept) else np.zeros(0)
    first = order[kept]
    place, back_day, back_amount = _known_back(names, back)
    return Purchases(
        start=start,
        num_days=num_days,
        customers=names,
        customer=customer[first].astype(np.int64),
        day=day[first].astype(np.int64),
        amount=sums.astype(np.float64),
        back_customer=place,
        back_day=back_day,
        back_amount=back_amount,
        lines_without_customer=lines_without_customer,
    )


def _sorted(customer: np.ndarray, day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Order by customer and day, and where in that order a new customer or day begins."""
    order = np.lexsort((day, customer))
    keys = customer[order].astype(np.int64) * SPREAD + day[order]
    return order, np.flatnonzero(np.diff(keys, prepend=-1))


def _known_back(
    names: np.ndarray, back: tuple[np.ndarray, np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if back is None or not len(back[0]) or not len(names):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    who, day, amount = back
    place = np.minimum(np.searchsorted(names, who), len(names) - 1)
    known = names[place] == who
    place, day, amount = place[known], day[known], amount[known]
    order = np.lexsort((day, place))
    return place[order].astype(np.int64), day[order].astype(np.int64), amount[order].astype(np.float64)
