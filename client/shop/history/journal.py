"""The journal in the store: which imports there were, what each changed, and how far a source was read."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime

import duckdb

from client.shop.history.entry import Counts, Entry, EntryState
from client.shop.record import Kind
from common.data.usable import LeftOut

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Beginning:
    """What is known of an import before its first record.

    Attributes
    ----------
    export
        The first import of those that go on where one ended, itself where it begins anew.
    after
        The cursor from which it goes on; "" from the beginning.
    numbering
        Whose order numbers these are; see `client.shop.history.identity.key_of`.
    given_moment
        When the source was exported, where its data does not tell.
    """

    number: int
    export: int
    at: datetime
    source: str
    origin: str
    fingerprint: str
    after: str
    given_moment: datetime | None
    numbering: str = ""


def add_import(connection: Connection, beginning: Beginning) -> None:
    """Enter an import that has not committed anything yet."""
    connection.execute(
        "INSERT INTO import SELECT ?, ?, ?, ?, ?, ?, ?, '', 'partial', NULL, ? "
        "WHERE NOT EXISTS (SELECT 1 FROM import WHERE number = ?)",
        [
            beginning.number,
            beginning.export,
            beginning.at,
            beginning.source,
            beginning.origin,
            beginning.fingerprint,
            beginning.after,
            beginning.given_moment,
            beginning.number,
        ],
    )


def add_change(connection: Connection, number: int, kind: Kind, counts: Counts) -> None:
    """Add to what an import changed."""
    connection.execute("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)", [number, kind, *astuple(counts)])


def add_left_out(connection: Connection, number: int, said: LeftOut) -> None:
    """Add rows that an import could not use."""
    connection.execute(
        "INSERT INTO left_out VALUES (?, ?, ?, ?, ?, ?)",
        [number, said.reason, said.count, said.is_fault, said.example, said.advice],
    )


def move_on(connection: Connection, number: int, *, moment: datetime | None, cursor: str | None, state: str) -> None:
    """Note how far an import has come; what is None stays as it is."""
    connection.execute(
        "UPDATE import SET moment = greatest(moment, ?::TIMESTAMP), cursor = coalesce(?, cursor), state = ? "
        "WHERE number = ?",
        [moment, cursor, state, number],
    )


def read_entries(connection: Connection) -> tuple[Entry, ...]:
    """Read the journal, the first import first."""
    rows = connection.execute(
        "SELECT number, began, source, origin, fingerprint, state FROM import ORDER BY number"
    ).fetchall()
    changes: dict[int, dict[Kind, Counts]] = {}
    for number, kind, *counts in connection.execute(
        "SELECT number, kind, sum(new)::BIGINT, sum(replaced)::BIGINT, sum(same)::BIGINT, sum(older)::BIGINT "
        "FROM change GROUP BY ALL ORDER BY number, kind"
    ).fetchall():
        changes.setdefault(number, {})[kind] = Counts(*counts)
    reasons: dict[int, list[LeftOut]] = {}
    for number, *said in connection.execute(
        "SELECT number, reason, sum(count)::BIGINT, is_fault, first(example ORDER BY rowid), advice FROM left_out "
        "GROUP BY number, reason, is_fault, advice ORDER BY number, min(rowid)"
    ).fetchall():
        reasons.setdefault(number, []).append(LeftOut(*said))
    return tuple(
        Entry(number, at, source, origin, fingerprint, state, changes.get(number, {}), tuple(reasons.get(number, ())))
        for number, at, source, origin, fingerprint, state in rows
    )


def read_number(connection: Connection) -> int:
    """Give the number of the next import."""
    found = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM import").fetchone()
    return int(found[0]) if found else 1


def read_cursor(connection: Connection, source: str, *, fingerprint: str = "") -> tuple[str, int]:
    """Read how far a source has been read without a gap, and the number of the export that this belongs to.

    A source that cannot be continued, or of which an import in the middle was undone, gives "": it is read from the
    beginning. So does a file that was read to its end, or that has changed.
    """
    rows = connection.execute(
        "SELECT export, after, cursor, state FROM import WHERE source = ? AND fingerprint = ? ORDER BY number",
        [source, fingerprint],
    ).fetchall()
    if not rows or (fingerprint and rows[-1][3] != "partial"):
        return "", 0
    export, reached = 0, ""
    for one, after, cursor, state in rows:
        if state == "undone":
            continue
        if after == "":
            export, reached = one, cursor
        else:
            reached = cursor if one == export and after == reached else ""
    return (reached, export) if reached else ("", 0)


def read_state(connection: Connection, number: int) -> EntryState | None:
    """Read the state of an import, None where there is none of this number."""
    found = connection.execute("SELECT state FROM import WHERE number = ?", [number]).fetchone()
    return found[0] if found else None
