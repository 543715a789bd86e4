"""Which product was sold on which day, as plain arrays: what the kinds of days are guessed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from client.shop.calendar.kept import Kept
from common.errors import DataError

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Sold:
    """Days with a sale, by product and day, and days on which a stock level says that it ran out.

    Attributes
    ----------
    product
        Place of the product in `products`, which stand in the order of their names.
    day
        Counted from `first`.
    lines
        Order lines of the day; what was sold where every day of every product is one line, as in a table of totals.
    out_product, out_day
        As `product` and `day`.
    """

    first: date
    last: date
    products: tuple[str, ...]
    product: Int[np.ndarray, " row"]
    day: Int[np.ndarray, " row"]
    lines: Float[np.ndarray, " row"]
    out_product: Int[np.ndarray, " out"]
    out_day: Int[np.ndarray, " out"]

    @property
    def num_days(self) -> int:
        """Days from the first to the last sale of anything."""
        return (self.last - self.first).days + 1

    @property
    def lines_by_day(self) -> Float[np.ndarray, " day"]:
        """Lines of the whole shop."""
        return np.bincount(self.day, self.lines, minlength=self.num_days)

    def date_of(self, day: int | np.integer) -> date:
        """Give the date of a day."""
        return self.first + timedelta(days=int(day))


def read_sold(history: Kept) -> Sold:
    """Read the days of every product.

    Raises
    ------
    DataError
        Nothing was ever sold.
    """
    span = history.span()
    if span is None:
        raise DataError("Nothing was ever sold, so there are no days to tell apart; import sales first.")
    first, last = span
    products = sorted(name for name in history.products()["product"].to_pylist() if name)
    product, day, units, lines, out = read_rows(history, products)
    day = day - (first - EPOCH).days
    inside = (day >= 0) & (day <= (last - first).days)
    is_sold, is_out = inside & (lines > 0), inside & out
    by_total = bool((lines[is_sold] <= 1).all())
    amount = units if by_total else lines
    is_sold = is_sold & (amount > 0)
    return Sold(
        first=first,
        last=last,
        products=tuple(products),
        product=product[is_sold],
        day=day[is_sold],
        lines=amount[is_sold].astype(np.float64),
        out_product=product[is_out],
        out_day=day[is_out],
    )


def read_rows(history: Kept, products: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Read product's place, day since 1970, units, lines and out of each row of some products, in that order."""
    names = pa.array(products, pa.string())
    parts = [_read_part(batch, names) for batch in history.days()]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return tuple(column[order] for column in columns)


def _read_part(batch: pa.RecordBatch, names: pa.Array) -> tuple[np.ndarray, ...]:
    place = pc.index_in(batch["product"], names)
    known = pc.is_valid(place)
    batch, place = batch.filter(known), place.filter(known)
    day = batch["day"].cast(pa.int32()).to_numpy()
    units, lines = (pc.fill_null(batch[name], 0).to_numpy() for name in ("units", "lines"))
    out = pc.fill_null(batch["out"], False).to_numpy(zero_copy_only=False)
    return place.to_numpy(), day, units, lines, out
