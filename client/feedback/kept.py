"""Keep what was served, forecasts and proposals, in the shop's folder: one SQLite file, `feedback.sqlite`.

A row is one thing served: its kind, when it was made, from which first day to which last day it speaks, a small JSON of
what it is about (question, methods, version), and its body as bytes: rows as Parquet, a proposal as JSON. SQLite and
not the history's DuckDB, for an evening's forecast is one blob that is written once and read whole, many processes may
read while one writes, and the file of the history stays what imports alone change.

**Once.** The same answer to the same question is kept once, however often it is asked for (`same`, a hash of both).

**Bounded.** Each time something is kept, what no longer tells anything goes (`prune`): of those that begin more than
`DAILY_DAYS` before the newest, the first of each week stays; none that begins more than `LONGEST_DAYS` before it; and
beyond `MOST_BYTES` the oldest go first. 10,000 products over 12 periods are about 0.8 MB an evening, so evenings of
five weeks and the weeks of a year are under 80 MB.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from common.disk.database import Step, create, migrate, say_remedy
from common.errors import DataError

FILE_NAME = "feedback.sqlite"
FORECAST = "forecast"
DAILY_DAYS, LONGEST_DAYS, MOST_BYTES = 35, 550, 256 * 2**20
PATIENCE_SECONDS = 20.0
STEPS: tuple[Step, ...] = (
    (
        """CREATE TABLE kept (
            number INTEGER PRIMARY KEY, same TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, made TEXT NOT NULL,
            first TEXT NOT NULL, last TEXT NOT NULL, about TEXT NOT NULL, body BLOB NOT NULL
        ) STRICT""",
        "CREATE INDEX kept_by_kind ON kept (kind, first)",
    ),
)


@dataclass(frozen=True)
class Kept:
    """One thing that was served.

    Attributes
    ----------
    made
        When, in UTC.
    first, last
        The days that it speaks of.
    about
        The question, and what answered it.
    """

    number: int
    kind: str
    made: datetime
    first: date
    last: date
    about: Mapping[str, Any]
    body: bytes

    @property
    def payload(self) -> dict[str, Any]:
        """Give what was proposed, for what was kept by `keep`."""
        value: dict[str, Any] = json.loads(zlib.decompress(self.body))
        return value


def keep(folder: Path, kind: str, made: datetime, payload: Mapping[str, Any]) -> bool:
    """Keep a proposal, so that it can be held against what came.

    Parameters
    ----------
    kind
        Of proposal, as "order"; not "forecast".
    made
        When, with a time zone.
    payload
        What JSON can say. Where it has `lines`, each with `product`, `first`, `last` (days as 2025-06-30) and `covered`
        (pieces that were on hand, on order and proposed together, for these days), `score` holds them against what was
        sold; any other key is kept as it is. `first` and `last` of the whole are those of its lines, or the day of
        `made`.

    Returns
    -------
    bool
        Whether it is new; the same proposal made twice is kept once.

    Raises
    ------
    DataError
        The file cannot be used.
    """
    lines = payload.get("lines") or [{}]
    today = made.date().isoformat()
    first = min(str(line.get("first", today)) for line in lines)
    last = max(str(line.get("last", today)) for line in lines)
    text = json.dumps(payload, sort_keys=True, allow_nan=False).encode()
    about = {"lines": len(payload.get("lines", ()))}
    days = date.fromisoformat(first), date.fromisoformat(last)
    return keep_body(folder, kind, made, days=days, about=about, body=zlib.compress(text, 9), said=text)


def keep_body(
    folder: Path,
    kind: str,
    made: datetime,
    *,
    days: tuple[date, date],
    about: Mapping[str, Any],
    body: bytes,
    said: bytes,
) -> bool:
    """Keep bytes under what they are about; `said` tells whether two are the same."""
    told = json.dumps(about, sort_keys=True)
    same = hashlib.sha256(b"\0".join([kind.encode(), told.encode(), said])).hexdigest()
    moment = made.astimezone(UTC).isoformat(timespec="seconds")
    row = (same, kind, moment, days[0].isoformat(), days[1].isoformat(), told, body)
    with _writing(folder) as connection:
        question = (
            "INSERT OR IGNORE INTO kept (same, kind, made, first, last, about, body) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        is_new = connection.execute(question, row).rowcount == 1
        if is_new:
            prune(connection, kind)
    return is_new


def read_kept(folder: Path, kind: str, *, since: date = date.min) -> list[Kept]:
    """Read all of a kind that speak of any day from `since` on, in the order of their first days and then as made.

    Raises
    ------
    DataError
        The file cannot be used.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return []
    query = "SELECT number, kind, made, first, last, about, body FROM kept WHERE kind = ? AND last >= ?"
    with _open(path) as connection:
        found = connection.execute(f"{query} ORDER BY first, made, number", (kind, since.isoformat())).fetchall()
    return [_read(row) for row in found]


def list_kinds(folder: Path) -> dict[str, int]:
    """Count what is kept, by kind."""
    path = folder / FILE_NAME
    if not path.exists():
        return {}
    with _open(path) as connection:
        return dict(connection.execute("SELECT kind, count(*) FROM kept GROUP BY kind ORDER BY kind").fetchall())


def prune(connection: sqlite3.Connection, kind: str) -> None:
    """Let go of what no longer tells anything, of one kind; then of the oldest of all beyond the bound."""
    newest = connection.execute("SELECT max(first) FROM kept WHERE kind = ?", (kind,)).fetchone()[0]
    day = date.fromisoformat(newest)
    longest, daily = (_days_before(day, days) for days in (LONGEST_DAYS, DAILY_DAYS))
    connection.execute("DELETE FROM kept WHERE kind = ? AND first < ?", (kind, longest))
    query = "SELECT number, first, about FROM kept WHERE kind = ? AND first < ? ORDER BY first, number"
    seen, dropped = set[tuple[Any, ...]](), list[tuple[int]]()
    for number, first, about in connection.execute(query, (kind, daily)):
        week = (*date.fromisoformat(first).isocalendar()[:2], json.dumps(json.loads(about).get("question")))
        if week in seen:
            dropped.append((number,))
        seen.add(week)
    connection.executemany("DELETE FROM kept WHERE number = ?", dropped)
    _drop_beyond(connection, MOST_BYTES)


def _drop_beyond(connection: sqlite3.Connection, most: int) -> None:
    total = 0
    for number, size in connection.execute("SELECT number, length(body) FROM kept ORDER BY number DESC").fetchall():
        total += size
        if total > most:
            connection.execute("DELETE FROM kept WHERE number = ?", (number,))


def _days_before(day: date, days: int) -> str:
    return (day - timedelta(days=days)).isoformat()


def _read(row: tuple[Any, ...]) -> Kept:
    number, kind, made, first, last, about, body = row
    days = date.fromisoformat(first), date.fromisoformat(last)
    return Kept(number, kind, datetime.fromisoformat(made), *days, json.loads(about), body)


@contextmanager
def _writing(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the file to change it, made where there is none; all that is done is one transaction, or nothing."""
    path = folder / FILE_NAME
    try:
        if not path.exists():
            create(path, STEPS)
            path.chmod(0o600)
    except sqlite3.Error as error:
        raise DataError(f"Cannot use {path}: {say_remedy(error)}.") from error
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror}; make room, or make the folder writable.") from error
    with _open(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_SECONDS)) as connection:
            migrate(connection, STEPS, path=path)
            yield connection
    except sqlite3.Error as error:
        raise DataError(f"Cannot use {path}: {say_remedy(error)}.") from error
