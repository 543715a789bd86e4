"""Lines of one order: which of them stand together, and what its first line says for all of them.

    raw rows → lines that stand together, whole → each with what its order's first line says

An order's first line is the first one with a day: its **head**. A line that says less than its head (Shopify writes
state, day and customer once) has its head's cells in its own empty ones. So:

Guarantee: what a line holds depends on the lines of its own order alone, and not on where batches end.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from client.shop.export.description import PER_ORDER
from client.shop.export.seen import Seen
from client.shop.export.text import hash_names, is_filled

ROW, RUN, IS_HEAD = "row", "run", "is_head"


class Joined:
    """Lines that stand together are given out together: those of the last order of a batch wait for the next."""

    def __init__(self) -> None:
        self._held: pa.Table | None = None
        self._runs = 0

    def take(self, rows: pa.Table) -> pa.Table:
        """Take some rows; give all that stood before the last order begins."""
        rows = rows if self._held is None else join([self._held, rows])
        names = rows["order"].combine_chunks() if len(rows) else pa.array([], pa.string())
        last = names[-1].as_py() if len(names) else ""
        others = np.flatnonzero(pc.not_equal(names, last).to_numpy(zero_copy_only=False))
        start = (others[-1] + 1 if len(others) else 0) if last else len(rows)
        self._held = rows.slice(start) if start < len(rows) else None
        return self._number(rows.slice(0, start))

    def rest(self) -> pa.Table | None:
        """Give what was held back."""
        held, self._held = self._held, None
        return None if held is None else self._number(held)

    def _number(self, rows: pa.Table) -> pa.Table:
        """Give each stretch of one order a number."""
        if not len(rows):
            return rows.append_column(RUN, pa.array([], pa.int64()))
        names = rows["order"].combine_chunks()
        begins = pc.not_equal(names.slice(1), names.slice(0, len(names) - 1)).to_numpy(zero_copy_only=False)
        runs = self._runs + 1 + np.cumsum(np.append(0, begins))
        self._runs = int(runs[-1])
        return rows.append_column(RUN, pa.array(runs))


def join(tables: list[pa.Table]) -> pa.Table:
    """Put rows below each other; a column that some lack is empty there."""
    return pa.concat_tables(tables, promote_options="permissive").combine_chunks()


class Heads:
    """The first line of each order so far."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._tables: list[pa.Table] = []
        self._starts: list[int] = [0]
        self._waiting: list[pa.Table] = []

    def fill(self, rows: pa.Table) -> pa.Table:
        """Give each line its head's cells where its own are empty; lines whose head has not come yet wait."""
        if "day" not in rows.column_names:
            self._waiting.append(rows)
            return _mark_heads(rows.slice(0, 0), np.zeros(0, bool))
        names = rows["order"].combine_chunks()
        coded = names.dictionary_encode()
        codes, keys = coded.indices.to_numpy(zero_copy_only=False), hash_names(coded.dictionary)
        own = _first_rows(codes, len(keys), is_filled(rows["day"].combine_chunks()))
        before = self._seen.find(keys, -1)
        is_new = (before < 0) & (own >= 0)
        own = np.where(before < 0, own, -1)
        head = own[codes]
        runs = rows[RUN].to_numpy()
        waits = (before[codes] < 0) & ((head < 0) | (runs[head] > runs))
        if waits.any():
            self._waiting.append(rows.filter(pa.array(waits)))
        is_head = head == np.arange(len(rows))
        filled = self._fill(rows, np.where(waits, -1, head), np.where(waits, -1, before[codes]))
        self._keep(rows, own[is_new], keys[is_new])
        return _mark_heads(filled, is_head).filter(pa.array(~waits))

    def rest(self) -> tuple[pa.Table, pa.Table] | None:
        """Give the lines whose head came after them, filled, and those that have none."""
        if not self._waiting:
            return None
        rows, self._waiting = join(self._waiting), []
        before = self._seen.find(hash_names(rows["order"].combine_chunks()), -1)
        found = before >= 0
        rows = _mark_heads(rows, np.zeros(len(rows), bool))
        with_head = self._fill(rows.filter(pa.array(found)), np.full(found.sum(), -1), before[found])
        return with_head, rows.filter(pa.array(~found))

    def _fill(self, rows: pa.Table, own: np.ndarray, before: np.ndarray) -> pa.Table:
        for name in self._columns(rows):
            column = rows[name].combine_chunks() if name in rows.column_names else pa.nulls(len(rows), pa.string())
            filled = is_filled(column)
            if filled.all():
                continue
            for source, places in ((column, own), (self._column(name, column.type), before)):
                wanted = ~filled & (places >= 0)
                if wanted.any() and len(source):
                    taken = source.take(pa.array(places, mask=~wanted))
                    column = pc.if_else(pa.array(wanted), taken, column)
                    filled = is_filled(column)
            rows = _put(rows, name, column)
        return rows

    def _columns(self, rows: pa.Table) -> list[str]:
        there = set(rows.column_names).union(*(table.column_names for table in self._tables[-1:]))
        return [name for name in PER_ORDER if name in there]

    def _column(self, name: str, kind: pa.DataType) -> pa.Array:
        """Give one column of all heads; built only where an order goes on after another batch."""
        parts = [
            table[name].combine_chunks().cast(kind) if name in table.column_names else pa.nulls(len(table), kind)
            for table in self._tables
        ]
        return pa.concat_arrays(parts) if parts else pa.array([], kind)

    def _keep(self, rows: pa.Table, heads: np.ndarray, keys: np.ndarray) -> None:
        if not len(heads):
            return
        cells = [name for name in PER_ORDER if name in rows.column_names]
        self._tables.append(rows.select(cells).take(pa.array(heads)).combine_chunks())
        self._seen.add(keys, self._starts[-1] + np.arange(len(heads)))
        self._starts.append(self._starts[-1] + len(heads))


def fill_joined(rows: pa.Table) -> pa.Table:
    """Give lines that stand together what the first of them with a day says, for tables that are no known export."""
    has_day = is_filled(rows["day"].combine_chunks()) if "day" in rows.column_names else np.ones(len(rows), bool)
    if has_day.all():
        return _mark_heads(rows, np.zeros(len(rows), bool))
    runs = rows[RUN].to_numpy() - rows[RUN][0].as_py()
    has_order = is_filled(rows["order"].combine_chunks())
    head = _first_rows(runs, int(runs.max()) + 1, has_day)[runs]
    filled = Heads()._fill(rows, np.where(has_day | ~has_order, -1, head), np.full(len(rows), -1))
    return _mark_heads(filled, np.zeros(len(rows), bool))


def _first_rows(codes: np.ndarray, size: int, wanted: np.ndarray) -> np.ndarray:
    first = np.full(size, -1)
    places = np.flatnonzero(wanted)[::-1]
    first[codes[places]] = places
    return first


def _mark_heads(rows: pa.Table, is_head: np.ndarray) -> pa.Table:
    return _put(rows, IS_HEAD, pa.array(is_head))


def _put(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    if name in rows.column_names:
        return rows.set_column(rows.column_names.index(name), name, column)
    return rows.append_column(name, column)
