"""Batches of raw rows become records, each row by itself or with the lines of its own order.

Guarantee: which records come out depends on the rows and not on where batches end; a damaged row changes records of
its own order only; of what tells customers apart one column goes into `customer`, and no other personal column into
any.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from client.shop.export.cells import Cells, Meaning
from client.shop.export.description import TEXTS, Export, find_columns
from client.shop.export.item import split_items
from client.shop.export.order import ROW, Heads, Joined, fill_joined, join
from client.shop.export.plain import NEEDED, convert_plain
from client.shop.export.product import ProductNames
from client.shop.export.recognition import recognise
from client.shop.export.sale import OrderLines
from client.shop.export.sieve import Sieve, add_up
from client.shop.export.text import nothing, one_array, read_names
from client.shop.export.word import REFUNDED, STATES
from client.shop.record import Kind, State
from client.shop.settings import Dialect, Shop, SourceSettings
from client.shop.source.source import Batch
from common.data.usable import LeftOut
from common.errors import ConfigError, DataError


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
        _require_fields(settings)
        self._settings, self._shop = settings, shop
        self._joined, self._heads, self._products = Joined(), Heads(), ProductNames()
        self._lines: dict[str, OrderLines] = {}
        self._export: Export | None = None
        self._summaries: list[pa.Table] = []  # rows of whole orders, which are lines only where no others come

    def convert(self, batch: Batch) -> Converted:
        """Convert a batch; what needs lines that have not come yet is held back.

        Raises
        ------
        DataError
            A column is missing that the settings name, or that the export needs.
        """
        unreadable = _converted({}, [], _unreadable(batch.unreadable))
        if not len(batch.rows):
            return unreadable
        before = self._change_export(batch.rows.column_names)
        rows = self._select(batch)
        if self._is_plain:
            table, sieve = convert_plain(rows, self._settings, self._shop)
            table = self._products.give(table) if self._settings.kind == "products" else table
            return merge((unreadable, _converted({self._settings.kind: table}, [sieve])))
        return merge((unreadable, before, self._convert_lines(self._joined.take(split_items(rows)))))

    def finish(self) -> Converted:
        """Convert what was held back."""
        parts = [self._convert_lines(self._joined.rest())]
        if self._summaries and len(self._lines) == 0:
            parts.append(self._sell(join(self._summaries)))
        waiting = self._heads.rest()
        if waiting is not None:
            parts += [self._sell(rows) for rows in waiting]
        return merge(tuple(parts))

    @property
    def _is_plain(self) -> bool:
        return self._settings.format == "table" and self._settings.kind not in ("sales", "returns")

    @property
    def _are_returns(self) -> bool:
        return (self._export.kind if self._export else self._settings.kind) == "returns"

    def _change_export(self, header: list[str]) -> Converted:
        """Find out which export the next rows are of; convert what was held back of another."""
        if self._settings.format == "table":
            return Converted({})
        export = recognise(header, self._settings.format)
        if export is None:
            raise DataError(
                f"{self._settings.location} lacks columns that every known export of {self._settings.format} has; "
                f'export it again with its own header, or describe it as format = "table" in shop.toml.'
            )
        if self._export is None or export is self._export:
            self._export = export
            return Converted({})
        held = self._convert_lines(self._joined.rest())
        self._export = export
        return held

    def _select(self, batch: Batch) -> pa.Table:
        """Keep the columns that mean something, named by what they mean."""
        texts = TEXTS - {"product"} if self._is_plain else TEXTS
        chosen = {
            name: read_names(batch.rows[column]) if name in texts else one_array(batch.rows[column])
            for name, column in self._columns(batch.rows.column_names).items()
        }
        if "order" not in chosen:
            chosen["order"] = nothing(len(batch.rows))
        return pa.table({ROW: pa.array(np.asarray(batch.places, np.int64)), **chosen})

    def _columns(self, header: list[str]) -> dict[str, str]:
        columns = {name: column for name, column in self._settings.columns.items() if column}
        if self._export is not None:
            return {
                **find_columns(self._export, header),
                **{name: column for name, column in columns.items() if column in header},
            }
        for name, column in columns.items():
            if column not in header:
                raise DataError(
                    f"columns.{name} of the source {self._settings.name!r} names {column!r}, which "
                    f"{self._settings.location} lacks; it has {', '.join(header[:20])}."
                )
        return columns

    def _convert_lines(self, rows: pa.Table | None) -> Converted:
        if rows is None or not len(rows):
            return Converted({})
        if self._export is None or self._are_returns:
            return self._sell(fill_joined(rows))
        filled = self._heads.fill(rows)
        if "kinds" in rows.column_names:
            self._summaries.append(filled)
            return Converted({})
        return self._sell(filled)

    def _sell(self, rows: pa.Table) -> Converted:
        title = self._export.title if self._export else ""
        lines = self._lines.setdefault(title, OrderLines())
        if not len(rows):
            return Converted({})
        cells = Cells(rows, self._meaning())
        sales, returns, sieve = lines.convert(cells)
        products = self._products.convert(cells, sieve)
        return _converted({"sales": sales, "returns": returns, "products": products}, [sieve])

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


def _require_fields(settings: SourceSettings) -> None:
    """Refuse a table that lacks a field without which no row of it is a record.

    Raises
    ------
    ConfigError
        It names the key of shop.toml.
    """
    if settings.format != "table":
        return
    for name in NEEDED[settings.kind]:
        if not settings.columns.get(name):
            raise ConfigError(
                f"The source {settings.name!r} of {settings.kind} does not say which column holds the {name}; add "
                f"columns.{name} in shop.toml."
            )


def merge(parts: tuple[Converted, ...]) -> Converted:
    """Put several results into one."""
    kinds = dict.fromkeys(kind for part in parts for kind in part.records)
    records = {kind: join([part.records[kind] for part in parts if kind in part.records]) for kind in kinds}
    left_out = add_up([each for part in parts for each in part.left_out])
    return Converted(records, left_out, add_up([each for part in parts for each in part.notes]))


def _converted(records: dict[Kind, pa.Table], sieves: list[Sieve], unreadable: tuple[LeftOut, ...] = ()) -> Converted:
    left_out = add_up([*unreadable, *(each for sieve in sieves for each in sieve.left_out)])
    notes = add_up([each for sieve in sieves for each in sieve.notes])
    return Converted({kind: table for kind, table in records.items() if len(table)}, left_out, notes)


def _unreadable(places: tuple[int, ...]) -> tuple[LeftOut, ...]:
    if not places:
        return ()
    advice = "mend these rows in the file"
    return (LeftOut("the row cannot be read", len(places), True, f"the first in row {min(places)}", advice),)
