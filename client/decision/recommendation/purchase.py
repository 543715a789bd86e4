"""Who bought what, when and in which basket, as plain arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int
from scipy import sparse

from client.shop.calendar.sold import EPOCH
from client.shop.history.history import History

NOBODY = -1
_SELECT = """
    SELECT customer, product, day, "order", count(*) AS lines FROM sales
    WHERE state = 'sold' AND product <> '' AND day IS NOT NULL AND coalesce(quantity, 1) > 0
    GROUP BY ALL ORDER BY day, "order", customer, product
"""


@dataclass(frozen=True)
class Purchases:
    """What was bought: a row for each product of each basket, by day.

    Attributes
    ----------
    products, customers
        In the order of their names; customers are keyed hashes.
    product, customer
        Places in both; `NOBODY` where the source knows no customer.
    basket
        What was bought together: one order; without a number, all that a customer bought on a day; a row that has
        neither is a basket by itself.
    day
        Days since 1970-01-01.
    """

    products: tuple[str, ...]
    customers: tuple[str, ...]
    product: Int[np.ndarray, " row"]
    customer: Int[np.ndarray, " row"]
    basket: Int[np.ndarray, " row"]
    day: Int[np.ndarray, " row"]

    @property
    def last(self) -> date | None:
        """The last day with a purchase; None where there is none."""
        return day_of(int(self.day.max())) if len(self.day) else None

    def where(self, kept: Bool[np.ndarray, " row"]) -> Purchases:
        """Keep some rows; products, customers and baskets keep their places."""
        return replace(
            self,
            product=self.product[kept],
            customer=self.customer[kept],
            basket=self.basket[kept],
            day=self.day[kept],
        )

    def between(self, first: date, end: date) -> Purchases:
        """Keep what was bought from a day on and before another."""
        return self.where((self.day >= number_of(first)) & (self.day < number_of(end)))

    def baskets(self) -> sparse.csr_matrix:
        """Give baskets × products, 1 where it is in it; baskets without a row are left out."""
        _, row = np.unique(self.basket, return_inverse=True)
        ones = np.ones(len(row), np.float32)
        shape = (int(row.max()) + 1 if len(row) else 0, len(self.products))
        return as_flags(sparse.csr_matrix((ones, (row, self.product)), shape=shape))

    @property
    def digest(self) -> str:
        """A hash of all of it: what was learned from other purchases is not of these."""
        found = hashlib.sha256()
        for names in (self.products, self.customers):
            found.update("\0".join(names).encode() + b"\1")
        for column in (self.product, self.customer, self.basket, self.day):
            found.update(np.ascontiguousarray(column, np.int64).tobytes())
        return found.hexdigest()


def read_purchases(history: History) -> Purchases:
    """Read everything that was sold, products by the number that counts."""
    rows = history.ask(_SELECT)
    products, product = _place(rows["product"])
    customers, customer = _place(rows["customer"])
    return Purchases(products, customers, product, customer, _number_baskets(rows), _days(rows["day"]))


def _place(column: pa.ChunkedArray) -> tuple[tuple[str, ...], np.ndarray]:
    """Give what is not empty its place in the order of the names; empty is `NOBODY`."""
    names = sorted(name for name in pc.unique(column).to_pylist() if name)
    place = pc.fill_null(pc.index_in(column, value_set=pa.array(names, pa.string())), NOBODY)
    return tuple(names), place.to_numpy().astype(np.int64)


def _days(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.int32()).to_numpy().astype(np.int64)


def _number_baskets(rows: pa.Table) -> np.ndarray:
    """Rows come by day, order and customer: a basket begins where one of them changes, or where none tells."""
    number = rows.num_rows
    order, customer = (
        rows[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in ("order", "customer")
    )
    day = _days(rows["day"])
    alone = (pc.equal(rows["order"], "").to_numpy()) & (pc.equal(rows["customer"], "").to_numpy())
    begins = np.ones(number, bool)
    for column in (order, customer, day):
        begins[1:] &= column[1:] == column[:-1]
    begins[1:] = ~begins[1:]
    return np.cumsum(begins | alone)


def number_of(day: date) -> int:
    """Count the days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """Give the day of a number."""
    return date.fromordinal(EPOCH.toordinal() + number)


def as_flags(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Put 1 wherever there is anything."""
    matrix.sum_duplicates()
    matrix.data = (matrix.data > 0).astype(np.float32)
    matrix.eliminate_zeros()
    return matrix
