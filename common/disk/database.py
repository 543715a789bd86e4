"""Bring a SQLite database forward to the version that this hansa writes (docs/protocol.md §1.3).

A few lines of our own and not alembic: no step so far needs more than a statement, there is no model of tables to
compare with, and what matters is the lock: several processes open these files at once, and one of them migrates.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from common.schema import newer_file

Step = tuple[str, ...]  # statements from one version to the next


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
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been first
        if version > len(steps):
            raise newer_file(path)
        for statement in (statement for step in steps[version:] for statement in step):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
