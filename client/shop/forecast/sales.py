"""What was sold of each product on each day, held small: a shop of 100,000 products fits into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool, Float, Int

from client.shop.calendar.kept import Kept
from client.shop.calendar.sold import EPOCH, read_rows


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


def read_sales(history: Kept, products: Sequence[str]) -> Sales:
    """Read the days of some products, which are taken in the order of their names."""
    names = tuple(sorted(products))
    place, day, units, _, out = read_rows(history, names)
    ends = np.cumsum(np.bincount(place, minlength=len(names)))
    return Sales(names, ends, day, np.maximum(units, 0.0).astype(np.float32), out)
