"""One reading of a table: pages in the order of a key, cut into batches, each with the position behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import sqlalchemy
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from client.shop.source.source import Batch
from client.shop.source.sql.address import Address
from client.shop.source.sql.connection import Unreadable
from client.shop.source.sql.keyset import behind, between, select_rows
from client.shop.source.sql.position import Key, Position, Stage, digest_of, read_position
from client.shop.source.sql.shape import Shape
from client.shop.source.sql.value import to_arrow
from common.errors import DataError

GROUP_ROWS: Final = 100_000  # with one value that are kept together where nothing tells them apart

Rows = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Order:
    """In which order a table is read.

    Attributes
    ----------
    names
        The followed columns and the key; () where there is neither.
    key
        What tells the rows apart; () where nothing does.
    follows
        Whether a column is followed: only what came since is read.
    has_empty
        Whether the followed column may hold nothing.
    """

    names: tuple[str, ...]
    key: tuple[str, ...]
    follows: bool
    has_empty: bool


@dataclass(frozen=True)
class _Piece:
    """Rows and their keys, and whether no row behind them has the last key."""

    rows: Rows
    keys: Sequence[Key]
    complete: bool = True


def choose_order(shape: Shape, follow: str, address: Address) -> Order:
    """Choose in which order to read.

    Raises
    ------
    DataError
        What is to be followed is no column, or has no order that can be relied on.
    """
    if not follow:
        return Order(shape.key, shape.key, follows=False, has_empty=False)
    followed = (follow,) if follow in shape.columns else tuple(part.strip() for part in follow.split(","))
    for name in followed:
        if name not in shape.columns:
            raise DataError(
                f"The table {shape.title!r} in {address.place} has no column {name!r} to follow (any more); it has "
                f"{', '.join(shape.columns)}: correct `follow` of the source."
            )
        if not shape.columns[name].ordered:
            raise DataError(
                f"The column {name!r} of the table {shape.title!r} in {address.place} cannot be followed: its values"
                " have no order that can be relied on; follow a time or a whole number that grows."
            )
    names = followed + tuple(name for name in shape.key if name not in followed)
    return Order(names, shape.key, follows=True, has_empty=shape.columns[followed[0]].nullable)


class Reading:
    """Rows of one table, over one connection.

    Parameters
    ----------
    columns
        Those that are given; what the key has beyond them is read too, and given to nobody.
    """

    def __init__(
        self,
        connection: Connection,
        shape: Shape,
        order: Order,
        columns: list[str],
        address: Address,
        *,
        batch_rows: int,
        page_rows: int,
    ) -> None:
        self._connection = connection
        self._shape = shape
        self._order = order
        self._columns = columns
        self._address = address
        self._batch_rows = batch_rows
        self._page_rows = page_rows
        self._names = columns + [name for name in order.names if name not in columns]
        self._form: dict[str, Any] = {}

    def batches(self, after: str) -> Iterator[Batch]:
        """Read what comes behind a cursor; the last batch says that it is the last."""
        begin, notes = self._begin(after)
        held: tuple[Batch, Position] | None = None
        try:
            for batch, position in self._read(begin):
                if held is not None:
                    yield _with_cursor(*held)
                held, notes = (replace(batch, notes=(*notes, *batch.notes)), position), ()
        except (SQLAlchemyError, DataError):
            if held is not None:
                yield _with_cursor(*held)
            raise
        if held is None and (notes or not (self._order.follows and _is_end(after))):
            held = self._batch([], begin, notes), begin
        if held is not None:
            yield _with_cursor(held[0], replace(held[1], stage="end", empty=None))

    def _begin(self, after: str) -> tuple[Position, tuple[str, ...]]:
        """Choose where to begin, and say why where it is not where the last reading ended."""
        by = self._describe_order()
        first: Stage = "empty" if self._order.has_empty else "values"
        start = Position(by, first)
        if not after:
            return start, ()
        position = read_position(after, by)
        if position is None:
            why = "it was read in another order, or by another version of hansa, before"
            return start, (f"{self._shape.title} is read from its beginning: {why}",)
        if not self._order.follows:
            return (start if position.stage == "end" else position), ()
        if position.stage == "end":
            position = replace(position, stage=first)
        return self._look_back(position)

    def _describe_order(self) -> tuple[str, ...]:
        columns = self._shape.columns
        kinds = [columns[name].kind if name in columns else "row" for name in self._order.names]
        how = "follow" if self._order.follows else "whole"
        return (f"{self._shape.title} {how}", *map(" ".join, zip(self._order.names, kinds, strict=True)))

    def _look_back(self, position: Position) -> tuple[Position, tuple[str, ...]]:
        """Go back to the first mark where the rows behind it are not those that were read."""
        mark = position.marks[0]
        if position.at is None:
            return position, ()
        where = between(self._shape, self._order.names, mark.at, position.at, self._address.system)
        count = digest = 0
        for rows in self._stream(select_rows(self._shape, self._order.names, self._address.system, where=where)):
            keys = [tuple(map(_plain, row)) for row in rows]
            count, digest = count + len(keys), (digest + digest_of(keys)) % 2**64
        if (count, digest) == (mark.count, mark.digest):
            return position, ()
        note = f"rows of {self._shape.title} have come late, changed or gone: the last {count} are read once more"
        return position.back(), (note,)

    def _read(self, position: Position) -> Iterator[tuple[Batch, Position]]:
        if position.stage == "empty":
            yield from self._read_empty(position)
            position = replace(position, stage="values", empty=None)
        conditions = [sqlalchemy.column(self._order.names[0]).is_not(None)] if self._order.has_empty else []
        count = digest = 0
        for page in self._pages(self._order.names, position.at, conditions, whole=not self._order.key):
            before, num_rows = position, len(page.rows)
            count, digest = count + len(page.keys), (digest + digest_of(page.keys)) % 2**64
            if page.complete and page.keys:
                position = position.advance(page.keys[-1], num_rows=num_rows, count=count, digest=digest)
                count = digest = 0
            else:
                position = replace(position, row=position.row + num_rows)
            yield self._batch(page.rows, before), position

    def _read_empty(self, position: Position) -> Iterator[tuple[Batch, Position]]:
        """Read the rows that have nothing in the followed column."""
        is_empty = sqlalchemy.column(self._order.names[0]).is_(None)
        for page in self._pages(self._order.key, position.empty, [is_empty], whole=False):
            before, num_rows = position, len(page.rows)
            last = page.keys[-1] if page.keys else None
            position = replace(position, empty=last, row=position.row + num_rows)
            yield self._batch(page.rows, before, (self._note_of_empty(num_rows),)), position

    def _note_of_empty(self, num_rows: int) -> str:
        return f"{num_rows} rows of {self._shape.title} have no {self._order.names[0]}, and are read each time"

    def _pages(
        self, names: tuple[str, ...], at: Key | None, conditions: Sequence[ColumnElement[bool]], *, whole: bool
    ) -> Iterator[_Piece]:
        """Read in the order of columns from behind a key on.

        Parameters
        ----------
        whole
            Whether rows that are alike in these columns stay together: a page could end among them.
        """
        if whole and names and self._address.system == "sqlite":
            yield from self._groups(names, at, conditions)
            return
        system, limit = self._address.system, self._page_rows if names and not whole else None
        while True:
            where = conditions if at is None else [*conditions, behind(self._shape, names, at, system)]
            statement = select_rows(self._shape, self._names, system, where=where, order=names, limit=limit)
            num_rows = 0
            pieces = (_Piece(rows, self._keys(rows, names)) for rows in self._stream(statement, limit))
            for piece in _whole_groups(pieces) if whole and names else pieces:
                num_rows += len(piece.rows)
                at = piece.keys[-1] if names else None
                yield piece
            if limit is None or num_rows < limit:
                return

    def _groups(
        self, names: tuple[str, ...], at: Key | None, conditions: Sequence[ColumnElement[bool]]
    ) -> Iterator[_Piece]:
        """Read whole groups by a statement each: SQLite lets nobody write while a statement is under way."""
        system, limit, is_last = self._address.system, self._page_rows, False
        while not is_last:
            where = conditions if at is None else [*conditions, behind(self._shape, names, at, system)]
            statement = select_rows(self._shape, self._names, system, where=where, order=names, limit=limit)
            rows = [row for piece in self._stream(statement, limit) for row in piece]
            keys, is_last = self._keys(rows, names), len(rows) < limit
            cut = len(rows) if is_last else _start_of_last_group(keys)
            if cut:
                yield _Piece(rows[:cut], keys[:cut])
                at, limit = keys[cut - 1], self._page_rows
            else:
                limit *= 4

    def _stream(self, statement: sqlalchemy.Select[Any], limit: int | None = None) -> Iterator[Rows]:
        """Run a statement, and let go of the table before the last of its rows are given."""
        options = {"stream_results": True, "max_row_buffer": self._batch_rows}
        self._connection.begin()  # by itself: where the connection is gone, no cursor is left open behind
        result = self._connection.execute(statement, execution_options=options)
        try:
            self._compare_form(result)
            num_rows, is_last = 0, False
            while not is_last:
                rows = result.fetchmany(self._batch_rows)
                num_rows += len(rows)
                is_last = len(rows) < self._batch_rows or num_rows == limit
                if is_last:
                    result.fetchmany(1)  # its very end, without which pymysql could not use the connection again
                    result.close()
                    self._connection.commit()
                if rows:
                    yield rows
        finally:
            result.close()

    def _compare_form(self, result: Any) -> None:
        """See that the columns are of the same type as on the pages before.

        Raises
        ------
        DataError
            Somebody has changed the table meanwhile.
        """
        form = {part[0]: part[1] for part in result.cursor.description}
        changed = [name for name, kind in form.items() if self._form.get(name, kind) != kind]
        self._form |= form
        if changed:
            raise DataError(
                f"The column {changed[0]!r} of the table {self._shape.title!r} in {self._address.place} got another"
                " type while it was read; what was read before stands: run the same again, and it goes on from there."
            )

    def _keys(self, rows: Rows, names: tuple[str, ...]) -> list[Key]:
        """Take the keys of rows.

        Raises
        ------
        DataError
            A part of one is empty or cannot be read.
        """
        parts = [[_plain(row[place]) for row in rows] for place in map(self._names.index, names)]
        for name, values in zip(names, parts, strict=True):
            if None in values:
                raise DataError(
                    f"A row of the table {self._shape.title!r} in {self._address.place} has nothing that can be read "
                    f"in {name!r}, which tells its rows apart; name in `follow` columns that are never empty."
                )
        return list(zip(*parts, strict=True))

    def _batch(self, rows: Rows, before: Position, notes: tuple[str, ...] = ()) -> Batch:
        columns: dict[str, pa.Array] = {}
        cells = list(zip(*rows, strict=True)) or [()] * len(self._names)
        said = list(notes)
        for name, values in zip(self._columns, cells, strict=False):  # behind them is the key
            columns[name], lost = to_arrow(values, self._shape.columns[name].kind, self._address.system)
            if lost:
                said.append(
                    f"{len(lost)} values of {name} cannot be read and count as empty (the first in row "
                    f"{before.row + lost[0] + 1})"
                )
        places = np.arange(before.row + 1, before.row + len(rows) + 1, dtype=np.int64)
        return Batch(rows=pa.table(columns), places=places, notes=tuple(said))


def _whole_groups(pieces: Iterator[_Piece]) -> Iterator[_Piece]:
    """Cut where the key changes; a group that is too large to be held is given in parts."""
    rows: list[Sequence[Any]] = []
    keys: list[Key] = []
    for piece in pieces:
        rows, keys = [*rows, *piece.rows], [*keys, *piece.keys]
        cut = _start_of_last_group(keys)
        if cut:
            yield _Piece(rows[:cut], keys[:cut])
            rows, keys = rows[cut:], keys[cut:]
        elif len(keys) >= GROUP_ROWS:
            yield _Piece(rows[:-1], keys[:-1], complete=False)
            rows, keys = rows[-1:], keys[-1:]
    if keys:
        yield _Piece(rows, keys)


def _start_of_last_group(keys: Sequence[Key]) -> int:
    return next((index for index in range(len(keys) - 1, 0, -1) if keys[index - 1] != keys[-1]), 0)


def _with_cursor(batch: Batch, position: Position) -> Batch:
    return replace(batch, cursor=position.write())


def _is_end(cursor: str) -> bool:
    """Whether a reading ended with this cursor."""
    return '"end"' in cursor


def _plain(part: Any) -> Any:
    """Give a part of a key as what JSON can hold."""
    if part is Unreadable:
        return None
    return part if part is None or isinstance(part, (int, float, str, bytes)) else str(part)
