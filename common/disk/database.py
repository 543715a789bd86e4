"""Bring a SQLite database forward to the version that this hansa writes (docs/protocol.md §1.3).

A few lines of our own and not alembic: no step so far needs more than a statement, there is no model of tables to
compare with, and what matters is the lock: several processes open these files at once, and one of them migrates.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from common.disk.file import sync_folder
from common.schema import newer_file

Step = tuple[str, ...]  # statements from one version to the next
REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process is writing to it: try again",
    sqlite3.SQLITE_LOCKED: "another process is writing to it: try again",
    sqlite3.SQLITE_FULL: "make room",
    sqlite3.SQLITE_IOERR: "make room, or look after the disk",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable",
    sqlite3.SQLITE_PERM: "make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "make the file and its folder readable and writable",
}


def migrate(connection: sqlite3.Connection, steps: Sequence[Step], *, path: Path) -> None:
    """Take the steps that a database has not seen yet; its version is how many it has.

    Guarantee: all of them or none, by one process; a database that is up to date is only read.

    Parameters
    ----------
    connection
        In autocommit mode (`isolation_level=None`).
    steps
        From version 0 on, in order; one that was released is never changed or taken out.

    Raises
    ------
    DataError
        A later version of hansa wrote the file.
    sqlite3.Error
        A step fails; the file is as it was.
    """
    if _version(connection) == len(steps):
        return
    with transaction(connection):
        version = _version(connection)  # another process may have been first
        if version > len(steps):
            raise newer_file(path)
        for statement in (statement for step in steps[version:] for statement in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")


def create(path: Path, steps: Sequence[Step], *, is_private: bool = False) -> None:
    """Make a database where there is none.

    Guarantee: it is there whole or not at all, though several processes begin at once.

    Parameters
    ----------
    is_private
        Only its owner may read it, from its first byte on.

    Raises
    ------
    sqlite3.Error, OSError
        It cannot be made.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        if is_private:
            os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection, steps, path=path)
        with suppress(FileExistsError):
            os.link(fresh, path)
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of a block or nothing, while no other process writes.

    Parameters
    ----------
    connection
        In autocommit mode (`isolation_level=None`).

    Raises
    ------
    sqlite3.Error
        It cannot be written; the file is as it was.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def write_through(connection: sqlite3.Connection) -> None:
    """Keep on the disk what is committed, through kill -9 and power loss, while others read and write the file."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def roll_back(connection: sqlite3.Connection) -> None:
    """Undo a transaction, unless SQLite has done so itself, as on a full disk: the first error is the one to tell."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def say_remedy(error: sqlite3.Error) -> str:
    """Say what to do about a file that SQLite cannot use."""
    code = getattr(error, "sqlite_errorcode", None)  # not every error comes from the file
    return REMEDIES.get(-1 if code is None else code & 0xFF, "it is damaged: bring a copy back")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
