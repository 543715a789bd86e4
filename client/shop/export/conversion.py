"""Batches of raw rows become records, each row by itself or with the lines of its own order.

Guarantee: which records come out depends on the rows and not on where batches end; a damaged row changes records of
its own order only; of what tells customers apart one column goes into `customer`, and no other personal column into
any.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from client.shop.export.cells import Meaning
from client.shop.export.description import TEXTS, Export, find_columns
from client.shop.export.order import ROW, Heads, Joined, fill_joined, join
from client.shop.export.plain import convert_plain
from client.shop.export.product import ProductNames
from client.shop.export.recognition import recognise
from client.shop.export.sale import OrderLines
from client.shop.export.sieve import Sieve, add_up
from client.shop.export.text import read_names
from client.shop.export.word import REFUNDED, STATES
from client.shop.record import Kind, State
from client.shop.settings import Dialect, Shop, SourceSettings
from client.shop.source.source import Batch
from common.data.usable import LeftOut
from common.errors import DataError


@dataclass(frozen=True)
class Converted:
    """Records of one batch.

    Attributes
    ----------
    records
        A table for each kind of which there are any, its columns as `client.shop.record.schema_of` says.
    left_out
        Rows that became no record, by reason; an example is a row's number.
    notes
        Rows that became records of which something is not known, by reason.
    """

    records: dict[Kind, pa.Table]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[LeftOut, ...] = field(default=())


class Converter:
    """Converts the batches of one source, in their order; it keeps what must be carried from one to the next."""

    def __init__(self, settings: SourceSettings, shop: Shop) -> None:
        self._settings, self._shop = settings, shop
        self._joined, self._heads, self._products = Joined(), Heads(), ProductNames()
        self._lines: OrderLines | None = None
        self._export: Export | None = None

    def convert(self, batch: Batch) -> Converted:
        """Convert a batch; what needs lines that have not come yet is held back.

        Raises
        ------
        DataError
            A column is missing that the settings name, or that the export needs.
        """
        unreadable = _unreadable(batch.unreadable)
        if not len(batch.rows):
            return Converted({}, unreadable)
        rows = self._select(batch)
        if self._settings.format == "table" and self._settings.kind not in ("sales", "returns"):
            table, sieve = convert_plain(rows, self._settings, self._shop)
            return _converted({self._settings.kind: table}, [sieve], unreadable)
        return self._convert_lines(self._joined.take(rows), unreadable)

    def finish(self) -> Converted:
        """Convert what was held back."""
        held = self._joined.rest()
        converted = Converted({}) if held is None else self._convert_lines(held, ())
        waiting = self._heads.rest()
        if waiting is None:
            return converted
        late, lost = waiting
        sieve = Sieve(lost[ROW].to_numpy())
        sieve.leave_out(np.ones(len(lost), bool), "no line of the order says its day", _NO_DAY[self._is_taobao])
        return merge((converted, self._sell(late, ()), _converted({}, [sieve], ())))

    @property
    def _are_returns(self) -> bool:
        return (self._export.kind if self._export else self._settings.kind) == "returns"

    @property
    def _is_taobao(self) -> bool:
        return self._settings.format == "taobao"

    def _select(self, batch: Batch) -> pa.Table:
        """Keep the columns that mean something, named by what they mean."""
        columns = self._columns(batch)
        chosen = {
            name: read_names(batch.rows[column]) if name in TEXTS else batch.rows[column].combine_chunks()
            for name, column in columns.items()
        }
        if "order" not in chosen:
            chosen["order"] = pa.array(np.full(len(batch.rows), ""), pa.string())
        return pa.table({ROW: pa.array(np.asarray(batch.places, np.int64)), **chosen})

    def _columns(self, batch: Batch) -> dict[str, str]:
        settings, header = self._settings, batch.rows.column_names
        missing = [column for column in settings.columns.values() if column and column not in header]
        if settings.format == "table":
            if missing:
                raise DataError(_say_missing(settings, missing[0], header))
            return {name: column for name, column in settings.columns.items() if column}
        export = recognise(header, settings.format) or self._export
        if export is None:
            raise DataError(
                f"{settings.location} lacks columns that every known export of {settings.format} has; export it again "
                f'with its own header, or describe it as format = "table" in shop.toml.'
            )
        self._export = export
        found = find_columns(export, header)
        return {**found, **{name: column for name, column in settings.columns.items() if column in header}}

    def _convert_lines(self, rows: pa.Table, unreadable: tuple[LeftOut, ...]) -> Converted:
        if not len(rows):
            return Converted({}, unreadable)
        if self._settings.format != "table" and not self._are_returns:
            return self._sell(self._heads.fill(rows), unreadable)
        return self._sell(fill_joined(rows), unreadable)

    def _sell(self, rows: pa.Table, unreadable: tuple[LeftOut, ...]) -> Converted:
        if not len(rows):
            return Converted({}, unreadable)
        self._lines = self._lines or OrderLines(self._meaning())
        sales, returns, sieve = self._lines.convert(rows)
        products = self._products.convert(rows, sieve)
        return _converted({"sales": sales, "returns": returns, "products": products}, [sieve], unreadable)

    def _meaning(self) -> Meaning:
        settings, export = self._settings, self._export
        states: dict[State, tuple[str, ...]] = dict(export.states if export else STATES)
        said = {word for words in settings.states.values() for word in words}
        for state in ("sold", "cancelled", "test", "unpaid"):
            rest = tuple(word for word in states.get(state, ()) if word not in said)
            states[state] = (*rest, *settings.states.get(state, ()))
        return Meaning(
            shop=self._shop,
            dialect=settings.dialect or Dialect(),
            states=states,
            refunded=export.refunded if export else REFUNDED,
            zone=export.zone if export else "",
            currency=export.currency if export else "",
            counts_rows="quantity" not in settings.columns,
            is_table=export is None,
            are_returns=self._are_returns,
        )


_NO_DAY = {
    False: "export the order's own columns with it, in its first line at least",
    True: 'read 宝贝报表 together with 订单报表, which has the days: location = "Export*.csv" in shop.toml',
}


def merge(parts: tuple[Converted, ...]) -> Converted:
    """Put several results into one."""
    kinds = dict.fromkeys(kind for part in parts for kind in part.records)
    records = {kind: join([part.records[kind] for part in parts if kind in part.records]) for kind in kinds}
    left_out = add_up([each for part in parts for each in part.left_out])
    return Converted(records, left_out, add_up([each for part in parts for each in part.notes]))


def _converted(records: dict[Kind, pa.Table], sieves: list[Sieve], unreadable: tuple[LeftOut, ...]) -> Converted:
    left_out = add_up([*unreadable, *(each for sieve in sieves for each in sieve.left_out)])
    notes = add_up([each for sieve in sieves for each in sieve.notes])
    return Converted({kind: table for kind, table in records.items() if len(table)}, left_out, notes)


def _unreadable(places: tuple[int, ...]) -> tuple[LeftOut, ...]:
    if not places:
        return ()
    advice = "mend these rows in the file"
    return (LeftOut("the row cannot be read", len(places), True, f"the first in row {min(places)}", advice),)


def _say_missing(settings: SourceSettings, column: str, header: list[str]) -> str:
    field_ = next(name for name, each in settings.columns.items() if each == column)
    there = ", ".join(header[:20])
    return f"sources.columns.{field_} names the column {column!r}, which {settings.location} lacks; it has {there}."
