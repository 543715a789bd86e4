"""What came of a shop's days, laid out for what was said of them: a row per product, a column per day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from client.shop.calendar.day_after import day_after
from client.shop.calendar.day_kind import DayKinds, guess_kinds
from client.shop.calendar.kept import Kept
from client.shop.calendar.sold import EPOCH, read_rows
from client.shop.settings import Shop
from common.errors import DataError

WITHOUT = "without a category"


@dataclass(frozen=True)
class Past:
    """Every product's days from the first of the history to the last that is complete.

    Attributes
    ----------
    units
        Sold.
    out
        Whether it was out of stock: it could have sold more.
    open
        Whether the shop was.
    price
        Of a piece, in the shop's money, as it was last sold for; NaN where unknown.
    category
        Of each product; "" where none is told.
    """

    first: date
    products: tuple[str, ...]
    names: tuple[str, ...]
    category: tuple[str, ...]
    units: Float[np.ndarray, "product day"]
    out: Bool[np.ndarray, "product day"]
    open: Bool[np.ndarray, " day"]
    price: Float[np.ndarray, " product"]

    @property
    def last(self) -> date:
        """Give the last day that is complete."""
        return self.first + timedelta(days=len(self.open) - 1)

    def column(self, day: date) -> int:
        """Give a day's column; outside of the past it is none."""
        return (day - self.first).days

    def rows_of(self, products: Sequence[str]) -> Int[np.ndarray, " asked"]:
        """Give the rows of some products; -1 for one that was never sold."""
        place = {product: row for row, product in enumerate(self.products)}
        return np.array([place.get(product, -1) for product in products], dtype=np.int64)


def read_past(history: Kept, shop: Shop, *, kinds: DayKinds | None = None) -> Past:
    """Read everything that was sold.

    The last day of the history counts as complete, and so do closed days that follow it up to the end of its week.

    Raises
    ------
    DataError
        Nothing was ever sold, or no day is left after the last sale.
    """
    span = history.span()
    if span is None:
        raise DataError("Nothing was ever sold in this shop's history; bring sales first: hansa-client import.")
    day_after(span[1])  # refused where there is none
    kinds = kinds or guess_kinds(history, shop)
    first, last = span[0], _complete_until(span[1], kinds)
    table = history.products().filter(pc.is_valid(pc.field("first_day"))).sort_by("product")
    products = tuple(table["product"].to_pylist())
    place, day, units, _, out = read_rows(history, products)
    day = day.astype(np.int64) - (first - EPOCH).days
    inside = (day >= 0) & (day <= (last - first).days)
    place, day, units, out = place[inside], day[inside], units[inside], out[inside]
    shape = (len(products), (last - first).days + 1)
    sold, is_out = np.zeros(shape, np.float32), kinds.is_out(products, first, last)
    sold[place, day] = np.maximum(units, 0.0)
    is_out[place[out], day[out]] = True
    return Past(
        first=first,
        products=products,
        names=tuple(name or product for name, product in zip(table["name"].to_pylist(), products, strict=True)),
        category=tuple(table["category"].to_pylist()),
        units=sold,
        out=is_out,
        open=kinds.is_open(first, last) | (sold.sum(axis=0) > 0),
        price=read_prices(history, products),
    )


def _complete_until(last: date, kinds: DayKinds) -> date:
    """Go over the closed days after the last sale, up to the Sunday: nothing more can come of them."""
    ahead = [last + timedelta(days=day) for day in range(1, 7 - last.weekday())]
    for day in ahead:
        if kinds.is_open(day, day)[0]:
            break
        last = day
    return last


def read_prices(history: Kept, products: Sequence[str]) -> Float[np.ndarray, " product"]:
    """Give what a piece of each product was last sold for: amount over units of its last ten days with a sale."""
    daily = history.daily()
    wanted = [name for name in ("product", "day", "units", "amount") if name in daily.column_names]
    found = np.full(len(products), np.nan)
    if "amount" not in wanted:
        return found
    rows = (
        daily.select(wanted)
        .filter(pc.is_valid(pc.field("amount")) & (pc.field("units") > 0))
        .sort_by([("product", "ascending"), ("day", "descending")])
    )
    place = pc.index_in(rows["product"], pc.cast(list(products), "string")).to_numpy()
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]]) if len(place) else np.zeros(0, int)
    nth = np.arange(len(place)) - np.repeat(starts, np.diff(np.r_[starts, len(place)]))
    recent = nth < 10
    units, amount = (np.bincount(place[recent], rows[name].to_numpy()[recent], len(products)) for name in wanted[2:])
    some = units > 0
    found[some] = amount[some] / units[some]
    found[found <= 0] = np.nan
    return found


def groups_of(past: Past) -> Mapping[str, Int[np.ndarray, " product"]]:
    """Give the rows of each category; none where no product has one."""
    if not any(past.category):
        return {}
    names = np.array([category or WITHOUT for category in past.category], dtype=object)
    return {name: np.flatnonzero(names == name) for name in sorted(set(names))}
