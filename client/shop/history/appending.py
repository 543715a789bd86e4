"""One import: records come in batches, are hashed and masked at once, and are committed in groups with the cursor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from client.shop.history.entry import Counts, Entry, EntryState
from client.shop.history.identity import latest_moment
from client.shop.history.journal import Beginning, add_change, add_import, add_left_out, move_on, read_entries
from client.shop.history.mask import mask
from client.shop.history.merge import merge, settle_late
from client.shop.history.pseudonym import Pseudonyms
from client.shop.history.store import Store
from client.shop.history.table import read_meta, require_kind, write_meta
from client.shop.record import COLUMNS, KINDS, Kind, schema_of
from common.data.usable import LeftOut
from common.errors import DataError

if TYPE_CHECKING:
    from filelock import FileLock

GROUP_RECORDS = 500_000  # after so many a commit is worth its while
_FREE_TEXT: dict[Kind, tuple[str, ...]] = {
    "searches": ("words",),
    "reviews": ("text",),
    "promotions": ("name",),
    "closures": ("name",),
    "events": ("name",),
}
_QUOTED = re.compile(r"\s*[:'\"„“«].*", re.DOTALL)


class Import:
    """An import under way; use it as a context manager.

    Guarantee: what `commit` returned from is on the disk, records and cursor together; of what came after it there is
    nothing. Customers and sessions are hashes, and free text is masked, before anything is handed to the store.

    Attributes
    ----------
    same_as
        The import that read the very same already; then nothing that is given here is kept.
    """

    def __init__(
        self, store: Store, pseudonyms: Pseudonyms, beginning: Beginning, lock: FileLock, *, same_as: Entry | None
    ) -> None:
        self._store, self._pseudonyms, self._beginning, self._lock = store, pseudonyms, beginning, lock
        self.same_as = same_as
        self._pending: dict[Kind, list[pa.Table]] = {}
        self._left_out: list[LeftOut] = []
        self._cursor: str | None = None

    @property
    def number(self) -> int:
        """The import's number in the journal."""
        return self._beginning.number if self.same_as is None else self.same_as.number

    @property
    def is_full(self) -> bool:
        """Whether enough has come since the last commit to be worth one."""
        return sum(table.num_rows for tables in self._pending.values() for table in tables) >= GROUP_RECORDS

    def append(self, kind: Kind, records: pa.Table) -> None:
        """Take records; they count from the next `commit` on.

        Raises
        ------
        DataError
            They do not have the columns of their kind.
        """
        require_kind(kind)
        if records.schema.remove_metadata() != schema_of(kind):
            raise DataError(f"Records of {kind} need the columns of schema_of({kind!r}), in that order and type.")
        if records.num_rows and self.same_as is None:
            self._pending.setdefault(kind, []).append(_without_persons(kind, records, self._pseudonyms))

    def left_out(self, reasons: Sequence[LeftOut]) -> None:
        """Note what could not be used; of an example the place is kept, not what stood there."""
        self._left_out += [
            replace(said, reason=mask(said.reason), example=mask(_QUOTED.sub("", said.example))) for said in reasons
        ]

    def remember(self, cursor: str) -> None:
        """Remember how far the source has been read, with the next `commit`."""
        self._cursor = cursor

    def commit(self) -> None:
        """Put on the disk what has come.

        Raises
        ------
        DataError
            There is no room, or the history cannot be used; it is as it was after the last commit.
        """
        if self.same_as is None:
            self._commit("partial")

    def finish(self) -> Entry:
        """Commit what is left: the source has ended.

        Raises
        ------
        DataError
            As `commit`.
        """
        if self.same_as is not None:
            return self.same_as
        self._commit("done")
        with self._store.reading() as connection:
            return next(entry for entry in read_entries(connection) if entry.number == self.number)

    def __enter__(self) -> Import:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pending.clear()
        self._lock.release()

    def _commit(self, state: EntryState) -> None:
        tables = {kind: pa.concat_tables(self._pending[kind]) for kind in KINDS if kind in self._pending}
        self._pending.clear()
        with self._store.writing() as connection:
            if not read_meta(connection, "key"):
                write_meta(connection, "key", self._pseudonyms.check)
            commit_group(connection, self._beginning, tables, cursor=self._cursor, state=state)
            for said in self._left_out:
                add_left_out(connection, self.number, said)
        self._left_out.clear()
        self._cursor = None


def commit_group(
    connection: duckdb.DuckDBPyConnection,
    beginning: Beginning,
    tables: Mapping[Kind, pa.Table],
    *,
    cursor: str | None,
    state: EntryState,
) -> None:
    """Write a group of records, whose customers are hashes, and how far the import has come, in one transaction."""
    add_import(connection, beginning)
    before = beginning.at + timedelta(days=2)
    moments = [latest_moment(kind, records, before=before) for kind, records in tables.items()]
    moment = max((found for found in moments if found is not None), default=None)
    move_on(connection, beginning.number, moment=moment, cursor=cursor, state=state)
    for kind, records in tables.items():
        add_change(connection, beginning.number, kind, _merge(connection, kind, records, beginning))
    _settle_late(connection, beginning.number)


def _merge(connection: duckdb.DuckDBPyConnection, kind: Kind, records: pa.Table, beginning: Beginning) -> Counts:
    return merge(connection, kind, records, number=beginning.number, numbering=beginning.numbering)


def _settle_late(connection: duckdb.DuckDBPyConnection, number: int) -> None:
    """Weigh again what lost when the import's latest moment was not yet known."""
    lost = connection.execute(
        "SELECT kind FROM change WHERE number = ? GROUP BY kind HAVING sum(older) > 0", [number]
    ).fetchall()
    for (kind,) in lost:
        replaced = settle_late(connection, kind, number=number)
        add_change(connection, number, kind, Counts(replaced=replaced, older=-replaced))


def _without_persons(kind: Kind, records: pa.Table, pseudonyms: Pseudonyms) -> pa.Table:
    """Put hashes in the place of customers and sessions, and mask free text."""
    for field in _FREE_TEXT.get(kind, ()):
        records = _replace(records, field, _mask_column(records, field))
    if "customer" in COLUMNS[kind]:
        records = _replace(records, "customer", pseudonyms.of_customers(records["customer"]))
    if "session" in COLUMNS[kind]:
        records = _replace(records, "session", pseudonyms.of_sessions(records["session"]))
    return records


def _replace(records: pa.Table, field: str, column: pa.ChunkedArray) -> pa.Table:
    return records.set_column(records.schema.get_field_index(field), field, column)


def _mask_column(records: pa.Table, field: str) -> pa.ChunkedArray:
    texts = records[field].to_pylist()
    if "customer" not in records.column_names:
        return pa.chunked_array([pa.array([mask(text or "") for text in texts], pa.string())])
    customers = records["customer"].to_pylist()
    masked = [mask(text or "", who or "") for text, who in zip(texts, customers, strict=True)]
    return pa.chunked_array([pa.array(masked, pa.string())])


def now_utc() -> datetime:
    """Give the present moment in UTC, as the history writes it: without a zone."""
    from datetime import UTC

    return datetime.now(UTC).replace(tzinfo=None)
