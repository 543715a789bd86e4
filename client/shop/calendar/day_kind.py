"""What kind each day was: open, closed, out of stock, before a product's first sale, after its last.

What the owner told counts. What only the sales suggest is a guess, shown with its evidence; a guess of a closed day
counts unless `[days] closed = "told"`, a guess of a day out of stock only where `[days] out = "guess"`.

**For the shop alone.** A guess here looks at the rows of all products together: a day without any row of any product.
Nothing of it leaves the shop. For a federation that would be no right way to find a closed day, since one product's
row would decide about another's record; on the plan's road (`common.data.panel`) a day is closed as the plan says, or
as the entity's own rows say, and none of this is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
from jaxtyping import Bool

from client.shop.calendar.kept import Kept
from client.shop.settings import Shop

Source = Literal["told", "guess"]


@dataclass(frozen=True)
class Closure:
    """Days on which the shop was, or will be, closed, for one reason.

    Attributes
    ----------
    why
        "Saturdays", "public holidays", "a closure", …
    evidence
        What it was seen from, a sentence; what the owner told for `source = "told"`.
    exceptions
        Days on which it was open all the same.
    setting
        What to write into shop.toml to make it so for good; "" where it is there already.
    """

    why: str
    source: Source
    days: tuple[date, ...]
    evidence: str
    exceptions: tuple[date, ...] = ()
    setting: str = ""


@dataclass(frozen=True)
class StockOut:
    """A run of days on which a product was, or seems to have been, out of stock.

    Attributes
    ----------
    chance
        How many such runs its own sales would show by chance; 0 where stock levels say so.
    taken
        Whether it counts: a guess counts only where the owner says so.
    """

    product: str
    first: date
    last: date
    source: Source
    chance: float
    evidence: str
    taken: bool


@dataclass(frozen=True)
class Life:
    """From when to when a product was sold.

    Attributes
    ----------
    is_new
        Whether it came after the shop's first day, by its own rhythm: the days before are no zero demand.
    is_ended
        Whether it is sold no longer, by its own rhythm.
    """

    product: str
    first_sale: date
    last_sale: date
    is_new: bool
    is_ended: bool


@dataclass(frozen=True)
class DayKinds:
    """The kinds of all days from the first to the last sale, and what goes on after them.

    Attributes
    ----------
    closures
        All of them, told and guessed.
    weekdays, holidays
        What goes on being closed after the last day: weekdays (Monday is 0), and public holidays by name.
    stock_outs
        By product and day.
    lives
        By product, in the order of their names.
    """

    first: date
    last: date
    closures: tuple[Closure, ...]
    weekdays: frozenset[int]
    holidays: frozenset[str]
    stock_outs: tuple[StockOut, ...]
    lives: tuple[Life, ...]

    @property
    def closed(self) -> frozenset[date]:
        """Every day that counts as closed, also those told of the days to come."""
        return frozenset(day for closure in self.closures for day in closure.days)

    @property
    def proposed(self) -> tuple[StockOut, ...]:
        """The stock-outs that are only guessed and not taken."""
        return tuple(each for each in self.stock_outs if not each.taken)

    def is_open(self, first: date, last: date) -> Bool[np.ndarray, " day"]:
        """Whether the shop is open on each day of a span."""
        raise NotImplementedError

    def is_out(self, products: Sequence[str], first: date, last: date) -> Bool[np.ndarray, "product day"]:
        """Whether each product counts as out of stock on each day of a span."""
        raise NotImplementedError


def guess_kinds(history: Kept, shop: Shop) -> DayKinds:
    """Tell the kinds of a shop's days from what the owner told and from its own sales.

    Raises
    ------
    DataError
        Nothing was ever sold.
    """
    raise NotImplementedError
