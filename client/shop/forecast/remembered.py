"""A history that is asked the same things for every batch of products, and looks them up once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa

from client.shop.calendar.kept import Kept
from client.shop.record import Kind


class Remembered:
    """What a history says, for as long as one forecast takes: records, products and span are read once."""

    def __init__(self, history: Kept) -> None:
        self.folder: Path | None = getattr(history, "folder", None)
        self._history, self._span, self._products = history, history.span(), history.products()
        self._records: dict[Kind, pa.Table] = {}

    def span(self) -> tuple[date, date] | None:
        """Give the first and the last day with a sale of a product."""
        return self._span

    def products(self) -> pa.Table:
        """Give columns product, name, category, first_day, last_day, units, lines."""
        return self._products

    def daily(self, products: Sequence[str] | None = None) -> pa.Table:
        """Give the days of some products, or of all."""
        return self._history.daily(products)

    def days(self) -> Iterator[pa.RecordBatch]:
        """Give the days of all products."""
        return self._history.days()

    def records(self, kind: Kind) -> pa.Table:
        """Give the current records of a kind."""
        if kind not in self._records:
            self._records[kind] = self._history.records(kind)
        return self._records[kind]
