"""Cells of one source's rows by what they mean."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float

from client.shop.export.moment import Times, read_times
from client.shop.export.text import fold_words, is_filled, nothing
from client.shop.record import State
from client.shop.settings import Dialect, Shop
from client.shop.source.cells import read_numbers

STATES: tuple[State, ...] = ("sold", "cancelled", "test", "unpaid")
SOLD, CANCELLED, TEST, UNPAID, UNKNOWN = range(5)


@dataclass(frozen=True)
class Meaning:
    """What the words and cells of one source mean."""

    shop: Shop
    dialect: Dialect
    states: dict[State, tuple[str, ...]]
    refunded: tuple[str, ...] = ()
    zone: str = ""
    currency: str = ""
    counts_rows: bool = False  # a row without a quantity is one piece
    is_table: bool = False
    are_returns: bool = False
    state_numbers: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        numbers = {word: place for place, state in enumerate(STATES) for word in fold_words(self.states.get(state, ()))}
        self.state_numbers.update(numbers)


class Cells:
    """Cells of rows by field; a field that no column holds is empty."""

    def __init__(self, rows: pa.Table, meaning: Meaning) -> None:
        self.rows, self.meaning, self.shop = rows, meaning, meaning.shop
        self.size = len(rows)

    def has(self, name: str) -> bool:
        """Whether a column holds this field."""
        return name in self.rows.column_names

    def text(self, name: str) -> pa.Array:
        """Give a field as names."""
        return self.rows[name].combine_chunks() if self.has(name) else nothing(self.size)

    def numbers(self, name: str) -> Float[np.ndarray, " row"]:
        """Give a field as numbers, NaN where there is none."""
        if not self.has(name):
            return np.full(self.size, np.nan)
        return read_numbers(self.rows[name], self.meaning.dialect)

    def filled(self, name: str) -> Bool[np.ndarray, " row"]:
        """Tell where a field holds anything."""
        return is_filled(self.rows[name].combine_chunks()) if self.has(name) else np.zeros(self.size, bool)

    def times(self, name: str) -> Times:
        """Give a field as days and moments."""
        if not self.has(name):
            size = self.size
            return Times(np.full(size, "NaT", "datetime64[D]"), np.full(size, np.nan), np.full(size, "NaT", "M8[us]"))
        meaning = self.meaning
        zone = meaning.shop.time_zone
        return read_times(self.rows[name], meaning.dialect, written_in=meaning.zone, shop_zone=zone)
