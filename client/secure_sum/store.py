"""What a member of a sum holds on disk: its one-time secrets, what it sent, and what it was sent.

SQLite in WAL mode with synchronous=FULL: what is kept survives kill -9 and power loss before anything follows from it.

    kept    session, round, kind, content, digest    written once, removed with its closed round

Two processes that draw two secrets for one round end up with the same: the first that is kept. See docs/protocol.md
§10.8.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from common.disk.database import Step, create, migrate, say_remedy, transaction, write_through
from common.disk.reading import require_file
from common.errors import PrivacyError

BUSY_SECONDS = 30.0
COLUMNS = ("session", "round", "kind", "content", "digest")
STEPS: tuple[Step, ...] = (
    (
        "CREATE TABLE kept (session TEXT NOT NULL, round INTEGER NOT NULL, kind TEXT NOT NULL, content BLOB NOT NULL, "
        "digest BLOB NOT NULL, PRIMARY KEY (session, round, kind)) STRICT",
        "CREATE TRIGGER never_changed BEFORE UPDATE ON kept BEGIN SELECT RAISE(ABORT, 'kept for good'); END",
        "CREATE TRIGGER kept_until_closed BEFORE DELETE ON kept WHEN old.kind = 'closed' OR NOT EXISTS (SELECT 1 FROM "
        "kept WHERE session = old.session AND round = old.round AND kind = 'closed') "
        "BEGIN SELECT RAISE(ABORT, 'kept until its round is closed'); END",
    ),
)


class Kind(StrEnum):
    """What is kept of a round."""

    SECRETS = "secrets"  # mask key, seal key and self-mask seed, 96 bytes
    SHARES = "shares"  # with whom, its own shares, and the sealed bundles
    INCOMING = "incoming"  # whose bundles came in
    MASKED = "masked"  # the masked vector that may leave
    AGREED = "agreed"  # the set and the model that were signed
    CLOSED = "closed"  # nothing more is said about the round


class SumStore:
    """One member's rounds on disk; several threads and processes may hold it open.

    Raises
    ------
    PrivacyError
        The file is damaged, or something else, or cannot be made.
    DataError
        A later version of hansa wrote it.
    """

    def __init__(self, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self._lock = threading.RLock()
        with self._translated():
            if not path.exists() and not path.is_symlink():
                create(path, STEPS, is_private=True)
            require_file(path)
            self._connection = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
        try:
            self._set_up()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def keep(self, session: str, round_number: int, kind: Kind, content: bytes) -> bytes:
        """Keep something of a round; return what is kept, which is the first ever given (check 9)."""
        return self.keep_all(session, kind, {round_number: content})[round_number]

    def keep_all(self, session: str, kind: Kind, contents: Mapping[int, bytes]) -> dict[int, bytes]:
        """Keep something of several rounds at once; return what is kept, which is the first ever given.

        Guarantee: when this returns, all of it is on the disk; when it raises, nothing of it is.

        Raises
        ------
        PrivacyError
            A round is closed, or the file cannot be used.
        """
        rows = [(session, number, kind, content, _digest(session, number, kind, content)) for number, content in
                contents.items()]  # fmt: skip
        with self._transaction():
            for number in contents:
                self._require_open(session, number)
            self._connection.executemany("INSERT INTO kept VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
            return {number: self._require(session, number, kind) for number in contents}

    def find(self, session: str, round_number: int, kind: Kind) -> bytes | None:
        """Give what is kept; None where there is nothing.

        Raises
        ------
        PrivacyError
            The round is closed, or the row was changed.
        """
        with self._lock, self._translated():
            self._require_open(session, round_number)
            return self._get(session, round_number, kind)

    def forget(self, session: str, round_number: int) -> None:
        """Close a round: remove its secrets for good, and refuse everything about it from now on."""
        content = b"closed"
        row = (session, round_number, Kind.CLOSED, content, _digest(session, round_number, Kind.CLOSED, content))
        with self._transaction():
            self._connection.execute("INSERT INTO kept VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
            self._connection.execute(
                "DELETE FROM kept WHERE session = ? AND round = ? AND kind <> ?", (session, round_number, Kind.CLOSED)
            )
        with self._lock, self._translated():
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # the log would remember them

    def forget_before(self, session: str, round_number: int) -> None:
        """Close every round before one of which anything is kept."""
        with self._lock, self._translated():
            rows = self._connection.execute(
                "SELECT DISTINCT round FROM kept WHERE session = ? AND round < ? AND kind <> ?",
                (session, round_number, Kind.CLOSED),
            ).fetchall()
        for (number,) in rows:
            self.forget(session, number)

    def _set_up(self) -> None:
        self._require_table()  # before anything is written: what is something else stays as it is
        with self._translated():
            write_through(self._connection)
            self._connection.execute("PRAGMA secure_delete = ON")
            migrate(self._connection, STEPS, path=self.path)

    def _require_table(self) -> None:
        with self._translated():
            found = self._connection.execute("SELECT name FROM pragma_table_info('kept') ORDER BY cid").fetchall()
        if tuple(name for (name,) in found) != COLUMNS:
            raise PrivacyError(f"{self.path} holds no sums; bring a copy back, or move it away.")

    def _require_open(self, session: str, round_number: int) -> None:
        if self._get(session, round_number, Kind.CLOSED) is not None:
            raise PrivacyError(f"Round {round_number} of this sum is closed; nothing more is said about it.")

    def _require(self, session: str, round_number: int, kind: Kind) -> bytes:
        content = self._get(session, round_number, kind)
        if content is None:
            raise PrivacyError(f"{self.path} is damaged: it does not keep what is written to it.")
        return content

    def _get(self, session: str, round_number: int, kind: Kind) -> bytes | None:
        row = self._connection.execute(
            "SELECT content, digest FROM kept WHERE session = ? AND round = ? AND kind = ?",
            (session, round_number, kind),
        ).fetchone()
        if row is None:
            return None
        if row[1] != _digest(session, round_number, kind, row[0]):
            raise PrivacyError(f"{self.path} is damaged: what it keeps of round {round_number} was changed.")
        return bytes(row[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, self._translated(), transaction(self._connection):
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise PrivacyError(f"Cannot use the sums in {self.path}: {error}; {say_remedy(error)}.") from error
        except OSError as error:
            raise PrivacyError(f"Cannot use the sums in {self.path}: {error.strerror}.") from error


def _digest(session: str, round_number: int, kind: Kind, content: bytes) -> bytes:
    return hashlib.sha256(f"{session} {round_number} {kind}\0".encode() + content).digest()
