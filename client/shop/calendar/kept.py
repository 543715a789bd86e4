"""What the calendar asks of a shop's history, and the same of records that are nowhere on a disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.compute as pc

from client.shop.record import Kind, schema_of


@runtime_checkable  # annotations are checked in tests
class Kept(Protocol):
    """A shop's history, as `client.shop.history` keeps it."""

    def span(self) -> tuple[date, date] | None:
        """Give the first and the last day with a sale of a product."""
        ...

    def products(self) -> pa.Table:
        """Give columns product, name, category, first_day, last_day, units, lines."""
        ...

    def daily(self, products: Sequence[str] | None = None) -> pa.Table:
        """Give columns product, day, units, lines, out and others; only days with something, by product and day."""
        ...

    def days(self) -> Iterator[pa.RecordBatch]:
        """Give columns product, day, units, lines, out of every day with something sold or known of the stock."""
        ...

    def records(self, kind: Kind) -> pa.Table:
        """Give the current records of a kind."""
        ...


@dataclass(frozen=True)
class Tables:
    """A history in memory.

    Attributes
    ----------
    by_day
        As `Kept.daily` gives it.
    by_kind
        Records; a kind that is not there has none.
    categories
        Of products; "" where not named.
    """

    by_day: pa.Table
    by_kind: Mapping[Kind, pa.Table] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)

    def span(self) -> tuple[date, date] | None:
        """Give the first and the last day with a sale."""
        days = self._sold()["day"]
        return (pc.min(days).as_py(), pc.max(days).as_py()) if len(days) else None

    def products(self) -> pa.Table:
        """Sum the days up by product."""
        sums = [("day", "min"), ("day", "max"), ("units", "sum"), ("lines", "sum")]
        found = self._sold().group_by("product", use_threads=False).aggregate(sums)
        names = found["product"].to_pylist()
        return pa.table(
            {
                "product": found["product"],
                "name": pa.array(names, pa.string()),
                "category": pa.array([self.categories.get(name, "") for name in names], pa.string()),
                "first_day": found["day_min"],
                "last_day": found["day_max"],
                "units": found["units_sum"],
                "lines": found["lines_sum"],
            }
        )

    def daily(self, products: Sequence[str] | None = None) -> pa.Table:
        """Give the days of some products, or of all."""
        if products is None:
            return self.by_day
        return self.by_day.filter(pc.is_in(self.by_day["product"], pa.array(list(products), pa.string())))

    def days(self) -> Iterator[pa.RecordBatch]:
        """Give the days of all products."""
        yield from self.by_day.select(["product", "day", "units", "lines", "out"]).to_batches()

    def records(self, kind: Kind) -> pa.Table:
        """Give the records of a kind."""
        return self.by_kind.get(kind, schema_of(kind).empty_table())

    def _sold(self) -> pa.Table:
        return self.by_day.filter(pc.greater(self.by_day["lines"], 0))
