"""The ledger on disk: append-only, chained, and written through to the disk before anything follows from it.

SQLite in WAL mode with synchronous=FULL: a transaction that has returned survives kill -9 and power loss, and one
that has not leaves no trace. The standard sqlite3 module, not an ORM: there are five statements, and what they lock
and sync is the point. The sealed message stands in the same transaction as the line that names its hash.

    entry    number, line, head    every line that was ever written; see `client.account.ledger.entry`
    message  spend, content        the bytes that were sealed for a spend, at most one message each

Whoever holds it open looks again before every line: are the files still those that were opened, is the last known line
still there, and has the ledger passed through every head that was noted (`head_file`)? See docs/protocol.md §6.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from pydantic import ValidationError

from client.account.ledger.entry import START, Entry, chain, read_entry, write_entry
from client.account.ledger.head_file import HeadFiles
from client.account.ledger.open_files import OpenFiles
from client.account.ledger.trouble import OPENING, READING, RECOVERING, Outcome, explain, outcome_of_commit
from common.disk.database import Step, migrate
from common.errors import PrivacyError

BUSY_SECONDS = 30.0
SCHEMA = """
CREATE TABLE entry (number INTEGER PRIMARY KEY, line TEXT NOT NULL, head TEXT NOT NULL) STRICT;
CREATE TABLE message (spend INTEGER PRIMARY KEY REFERENCES entry (number), content BLOB NOT NULL) STRICT;
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER entry_remains BEFORE DELETE ON entry BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER message_stays BEFORE UPDATE ON message BEGIN SELECT RAISE (ABORT, 'append-only'); END;
CREATE TRIGGER message_remains BEFORE DELETE ON message BEGIN SELECT RAISE (ABORT, 'append-only'); END;
"""
# A ledger of version 0 is one of version 1 that does not say so. Looking for a line keeps a file that holds no ledger
# from becoming an empty one: a migration never makes a table, since that would forget what was spent.
# One of version 2 has its head noted beside it. One of version 3 may have spends whose noise is shared, and lines that
# name who survived a round of a secure sum: a version from before it would count neither as it must.
STEPS: tuple[Step, ...] = (
    ("SELECT number FROM entry LIMIT 1", "SELECT spend FROM message LIMIT 1"),
    ("SELECT number FROM entry LIMIT 1",),
    ("SELECT number FROM entry LIMIT 1",),
)
NOTED = 2
FULL = 2


@dataclass(frozen=True)
class Durability:
    """How safe SQLite is on a connection, as the connection itself says."""

    journal_mode: str
    synchronous: int

    @property
    def is_full(self) -> bool:
        """Whether what was committed survives power loss."""
        return self.journal_mode == "wal" and self.synchronous >= FULL


class LedgerFile:
    """The lines of one ledger; several threads and processes may hold it open.

    Parameters
    ----------
    path
        A file that `client.account.ledger.ledger.create_ledger` made.
    trusts_head
        Whether the ledger must have passed through every head that was noted. Without, it is only looked at, or
        recovered: nothing can be spent on it.

    Raises
    ------
    PrivacyError
        There is no such file, a line in it was changed, or it is an older copy: nothing may be spent then.
    DataError
        A later version of hansa wrote it.
    """

    def __init__(self, path: Path, *, trusts_head: bool = True) -> None:
        if not path.is_file():
            raise PrivacyError(
                f"There is no ledger {path}; bring it back from where it is kept. Only for data from which nothing "
                "was ever released make one, with: hansa-client ledger open"
            )
        self.path = path
        self._lock = RLock()
        self._entries: list[Entry] = []
        self._heads = [START]
        self._head_files, self._trusts_head = HeadFiles(path), trusts_head
        self._appended: tuple[int, str] | None = None  # number and head of a line that is not committed yet
        self._outcome, self._files = OPENING, OpenFiles.of(path)
        with self._translated():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self._set_up()
        except BaseException:
            self._connection.close()
            raise
        self._outcome = READING

    def _set_up(self) -> None:
        with self._translated():
            self._connection.execute("SELECT 1 FROM entry, message LIMIT 0")  # what is no ledger stays as it is
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on -wal and -shm are
            before, self._files = self._files, OpenFiles.of(self.path)
            if before.identities[0] != self._files.identities[0]:
                raise PrivacyError(f"{self.path} was replaced while it was opened; begin again.")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        is_new_to_it = version < NOTED and not self._head_files.is_begun()
        if is_new_to_it and self._trusts_head:
            self._begin_noting()
        with self._translated():
            migrate(self._connection, STEPS[:1] if is_new_to_it and not self._trusts_head else STEPS, path=self.path)
        self._look_around()

    def _begin_noting(self) -> None:
        """Note the head of a ledger that an earlier version wrote, before it says that its head is noted."""
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._catch_up()
                if not self._head_files.is_begun():  # another process may have been first
                    self._note(also=None)
            finally:
                self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @property
    def durability(self) -> Durability:
        """How safe this very connection is now; pragmas belong to connections, not to files."""
        with self._lock, self._translated():
            (mode,) = self._connection.execute("PRAGMA journal_mode").fetchone()
            (synchronous,) = self._connection.execute("PRAGMA synchronous").fetchone()
            return Durability(mode, synchronous)

    def setting(self, name: str) -> str | int:
        """Read a PRAGMA of the very connection that writes, for an audit."""
        with self._lock, self._translated():
            value: str | int = self._connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every line so far, in order; the first has number 1."""
        self._catch_up()
        return tuple(self._entries)

    @property
    def head_files(self) -> HeadFiles:
        """Where its head is noted."""
        return self._head_files

    @property
    def heads(self) -> tuple[str, ...]:
        """The head after every number of lines, from none on."""
        self._catch_up()
        return tuple(self._heads)

    def _append(self, entry: Entry) -> int:
        """Write a line inside a transaction; it is read back, hence counted, once that is on the disk."""
        last, head = self._appended or (len(self._entries), self._heads[-1])
        number, line = last + 1, write_entry(entry)
        head = chain(head, line)
        self._connection.execute("INSERT INTO entry (number, line, head) VALUES (?, ?, ?)", (number, line, head))
        self._appended = number, head
        return number

    def _catch_up(self) -> None:
        """Read the lines that this or another process has written since, and check that they hang together."""
        with self._lock, self._translated():
            self._files.require_same()
            known = len(self._entries)
            rows = self._connection.execute(
                "SELECT number, line, head FROM entry WHERE number >= ? ORDER BY number", (known,)
            ).fetchall()
            if known and (not rows or (rows[0][0], rows[0][2]) != (known, self._heads[-1])):
                raise PrivacyError(
                    f"Line {known} of {self.path} is not there any more as it was: an older copy was written over the "
                    "ledger, and nothing is answered or spent; bring the newest back."
                )
            for place, (number, line, head) in enumerate(rows[1:] if known else rows, start=known + 1):
                if number != place or head != chain(self._heads[-1], line):
                    raise PrivacyError(
                        f"Line {place} of {self.path} was changed, dropped or moved; nothing may be spent on this "
                        "ledger: restore it from a copy."
                    )
                self._entries.append(read_entry(line))
                self._heads.append(head)

    def _look_around(self) -> bool:
        """Check everything that is looked at before a line is written; return whether the head is noted everywhere."""
        noted = self._head_files.read() if self._trusts_head else {}  # before the lines: they can only be ahead of it
        self._catch_up()
        self._head_files.require_passed(noted, self._heads)
        return bool(noted) and all(said.num_lines == len(self._entries) for said in noted.values())

    def _require_durable(self) -> None:
        durability = self.durability
        if not durability.is_full:
            raise PrivacyError(
                f"SQLite would not write {self.path} through to the disk (journal mode {durability.journal_mode}, "
                f"synchronous {durability.synchronous}), so no round is answered; restart hansa-client, or report it."
            )

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state of the file inside, whatever another process writes meanwhile."""
        with self._lock, self._translated():
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _writing(self, outcome: Outcome) -> Iterator[None]:
        """Hold the only pen: nobody else writes between what is read inside and what is written.

        What is written is committed first and noted then; only when both is done does this end without an error.
        """
        if not self._trusts_head and outcome is not RECOVERING:
            raise PrivacyError(f"{self.path} was opened to be looked at; nothing may be spent on it.")
        with self._lock, self._saying(outcome.before), self._translated():
            self._connection.execute("PRAGMA shrink_memory")  # what is read below comes from the file
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                is_noted = self._look_around()
                self._appended = None
                yield
                is_noted = is_noted and self._appended is None
                self._commit(outcome)
            except BaseException:
                with suppress(sqlite3.Error):
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                raise
            self._outcome = outcome.after
            self._files.require_same()
            if not is_noted:
                self._note_committed()

    def _commit(self, outcome: Outcome) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            is_there: bool | None = None
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                number, head = self._appended or (0, START)
                found = self._connection.execute("SELECT head FROM entry WHERE number = ?", (number,)).fetchone()
                is_there = found == (head,)
            self._outcome = outcome_of_commit(error, outcome, is_there=is_there)
            raise

    def _note_committed(self) -> None:
        """Note the head while nobody writes, so that a slower process never notes an older one over it."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._catch_up()
            self._note(also=self._head_files.second_place(strict=self._trusts_head))
        finally:
            self._connection.execute("ROLLBACK")

    def _note(self, *, also: str | None) -> None:
        try:
            self._head_files.note(self._entries, self._heads[-1], also=also)
        except OSError as error:
            raise PrivacyError(
                f"Cannot note the head of {self.path} in {error.filename or self._head_files.beside}: "
                f"{error.strerror}; {self._outcome}; make room, or make the place writable."
            ) from error

    @contextmanager
    def _saying(self, outcome: str) -> Iterator[None]:
        """Let errors inside say what is so."""
        before, self._outcome = self._outcome, outcome
        try:
            yield
        finally:
            self._outcome = before

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Make one sentence of a full, broken or foreign file."""
        try:
            yield
        except sqlite3.Error as error:
            raise PrivacyError(f"Cannot use the ledger {self.path}: {explain(error, self._outcome)}") from error
        except ValidationError as error:
            raise PrivacyError(
                f"{self.path} has a line that this version of hansa cannot read; use the one that wrote it."
            ) from error
