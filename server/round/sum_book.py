"""What a coordinator must not forget of a session's secure sums: whose keys, which shares, who takes part in a round.

A member answers a round in one form for ever. So what it is asked with has to be the same after a restart: everything
here is on the disk before a message that follows from it leaves. Masked sums are not kept: a member sends the very same
one again, and once a set of survivors was chosen, a coordinator that is killed gives the round up.

    key       round, member: its signed keys
    share     round, member, recipient: a sealed bundle
    fixed     round, step, member: who is in a step of a round, once and for all
    chosen    round: a set of survivors was put to the members
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from common.disk.database import transaction, write_through
from common.errors import DataError
from common.message.sum_keys import read_keys, write_keys
from common.secure_sum.keys import SignedKeys

TABLES = """
CREATE TABLE IF NOT EXISTS key (
    round INTEGER NOT NULL, member TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (round, member)
) STRICT;
CREATE TABLE IF NOT EXISTS share (
    round INTEGER NOT NULL, member TEXT NOT NULL, recipient TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (round, member, recipient)
) STRICT;
CREATE TABLE IF NOT EXISTS fixed (
    round INTEGER NOT NULL, step TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (round, step, member)
) STRICT;
CREATE TABLE IF NOT EXISTS chosen (round INTEGER PRIMARY KEY) STRICT;
"""


class Step(StrEnum):
    """A step of a round that somebody is in or not, for good."""

    KEYS = "keys"  # whose keys went out, so that shares are sealed for them
    SHARES = "shares"  # whose shares went out: the participants, who mask with each other


class SumBook:
    """The book of one session.

    Parameters
    ----------
    path
        None keeps it in memory, where nothing is killed.

    Raises
    ------
    DataError
        The file cannot be used.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        with self._translated():
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None)
            write_through(self._connection)
            self._connection.executescript(TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def note_keys(self, member: str, keys: Iterable[SignedKeys]) -> None:
        """Keep a member's keys of some rounds; those that are there stay."""
        rows = [(signed.first_round, member, write_keys(signed)) for signed in keys]
        self._write_all("INSERT OR IGNORE INTO key VALUES (?, ?, ?)", rows)

    def keys(self, round_number: int) -> dict[str, SignedKeys]:
        """Give all keys of one round, by member."""
        rows = self._rows("SELECT member, content FROM key WHERE round = ? ORDER BY member", round_number)
        return {member: read_keys(round_number, content) for member, content in rows}

    def forget_keys(self, member: str, *, after: int) -> None:
        """Let go of a member's keys of later rounds, as far as they have not gone out: it is asked for them anew."""
        with self._translated():
            self._connection.execute(
                "DELETE FROM key WHERE member = ? AND round > ? "
                "AND round NOT IN (SELECT round FROM fixed WHERE step = ?)",
                (member, after, Step.KEYS.value),
            )

    def note_shares(self, round_number: int, shares: Mapping[str, Mapping[str, bytes]]) -> None:
        """Keep members' sealed bundles for one round, by who made them; those that are there stay."""
        rows = [
            (round_number, member, recipient, content)
            for member, sealed in shares.items()
            for recipient, content in sealed.items()
        ]
        self._write_all("INSERT OR IGNORE INTO share VALUES (?, ?, ?, ?)", rows)

    def shares(self, round_number: int) -> dict[str, dict[str, bytes]]:
        """Give all sealed bundles of one round, by who made them and by whom they are for."""
        found: dict[str, dict[str, bytes]] = defaultdict(dict)
        statement = "SELECT member, recipient, content FROM share WHERE round = ? ORDER BY member, recipient"
        for member, recipient, content in self._rows(statement, round_number):
            found[member][recipient] = content
        return dict(found)

    def fix(self, round_number: int, step: Step, members: Collection[str]) -> tuple[str, ...]:
        """Fix who is in a step of a round, unless that was done; return who is."""
        if not self.fixed(round_number, step):
            rows = [(round_number, step.value, member) for member in members]
            self._write_all("INSERT INTO fixed VALUES (?, ?, ?)", rows)
        return self.fixed(round_number, step)

    def fixed(self, round_number: int, step: Step) -> tuple[str, ...]:
        """Name who is in a step of a round, sorted; nobody where that is not fixed yet."""
        rows = self._rows(
            "SELECT member FROM fixed WHERE round = ? AND step = ? ORDER BY member", round_number, step.value
        )
        return tuple(member for (member,) in rows)

    def choose(self, round_number: int) -> None:
        """Note that a set of survivors is about to be put to the members: there is never another one."""
        self._write_all("INSERT INTO chosen VALUES (?)", [(round_number,)])

    def is_chosen(self, round_number: int) -> bool:
        """Whether a set of survivors may have been put to the members."""
        return bool(self._rows("SELECT 1 FROM chosen WHERE round = ?", round_number))

    def forget(self, *, before: int) -> None:
        """Let go of the keys and shares of rounds that are over."""
        with self._translated():
            for table in ("key", "share"):
                self._connection.execute(f"DELETE FROM {table} WHERE round < ?", (before,))  # noqa: S608  our own names

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self._translated():
            return self._connection.execute(statement, values).fetchall()

    def _write_all(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        with self._translated(), transaction(self._connection):
            self._connection.executemany(statement, rows)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(f"Cannot use {self._path}: {error}; make room, or bring a copy back.") from error
