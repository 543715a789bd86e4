"""What was sold of each product on each day, held small: a shop of 100,000 products fits into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from client.shop.calendar.kept import Kept

READ_TOGETHER = 20_000  # products of one question to the history
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Sales:
    """Rows of a history, product by product and day by day.

    Attributes
    ----------
    products
        Their names, in order.
    ends
        The row after the last of each product.
    day
        Days since 1970-01-01.
    out
        Whether the product was out of stock some time that day.
    """

    products: tuple[str, ...]
    ends: Int[np.ndarray, " product"]
    day: Int[np.ndarray, " row"]
    units: Float[np.ndarray, " row"]
    out: Bool[np.ndarray, " row"]

    def rows_of(self, place: Int[np.ndarray, " chosen"]) -> tuple[np.ndarray, np.ndarray]:
        """Give the rows of some products, and for each row the product's place among the chosen."""
        starts = np.concatenate([[0], self.ends[:-1]])[place]
        lengths = self.ends[place] - starts
        before = np.cumsum(lengths) - lengths
        rows = np.arange(lengths.sum()) - np.repeat(before - starts, lengths)
        return rows, np.repeat(np.arange(len(place)), lengths)

    def before(self, day: date) -> Sales:
        """Forget what was sold from a day on."""
        kept = self.day < (day - EPOCH).days
        counts = np.concatenate([[0], np.cumsum(kept)])
        return Sales(self.products, counts[self.ends], self.day[kept], self.units[kept], self.out[kept])

    @property
    def are_counts(self) -> bool:
        """Whether everything was sold in whole pieces."""
        return bool((self.units == np.rint(self.units)).all())


def read_sales(history: Kept, products: Sequence[str], on_step: Callable[[float], None]) -> Sales:
    """Read the days of some products, which are taken in the order of their names."""
    names = tuple(sorted(products))
    parts = []
    for first in range(0, len(names), READ_TOGETHER):
        together = names[first : first + READ_TOGETHER]
        parts.append(_read_part(history.daily(together), together))
        on_step(min(first + READ_TOGETHER, len(names)) / len(names))
    lengths, day, units, out = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Sales(names, np.cumsum(lengths), day, units, out)


def _read_part(daily: pa.Table, names: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Give the number of rows of each product, and the rows' columns."""
    place = pc.index_in(daily["product"], value_set=pa.array(names, pa.string())).to_numpy()
    day = daily["day"].cast(pa.int32()).to_numpy()
    order = np.lexsort((day, place))
    units = np.maximum(pc.fill_null(daily["units"], 0.0).to_numpy(), 0.0)
    out = pc.fill_null(daily["out"], False).to_numpy(zero_copy_only=False)
    lengths = np.bincount(place, minlength=len(names))
    return lengths, day[order], units[order].astype(np.float32), out[order].astype(bool)
