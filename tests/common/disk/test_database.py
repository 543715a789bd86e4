"""A transaction is on the disk whole or not at all, whatever ends it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from common.disk.database import transaction, write_through


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "some.sqlite", isolation_level=None)) as connection:
        write_through(connection)
        connection.execute("CREATE TABLE number (value INTEGER PRIMARY KEY)")
        yield connection


def values(connection: sqlite3.Connection) -> list[int]:
    return [value for (value,) in connection.execute("SELECT value FROM number ORDER BY value")]


def test_a_block_that_ends_is_written(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        connection.executemany("INSERT INTO number VALUES (?)", [(1,), (2,)])
    assert values(connection) == [1, 2]
    assert not connection.in_transaction


class Killed(BaseException):
    """No Exception."""


@pytest.mark.parametrize("error", [ValueError, Killed, sqlite3.OperationalError])
def test_of_a_block_that_fails_nothing_is_written_and_the_error_is_told(
    connection: sqlite3.Connection, error: type[BaseException]
) -> None:
    def fail() -> None:
        with transaction(connection):
            connection.execute("INSERT INTO number VALUES (1)")
            raise error

    with pytest.raises(error):
        fail()
    assert values(connection) == []
    assert not connection.in_transaction


def test_another_writer_waits_outside_and_readers_see_what_was_before(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "some.sqlite", isolation_level=None, timeout=0.0)) as other:
        with transaction(connection):
            connection.execute("INSERT INTO number VALUES (1)")
            assert values(other) == []
            with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(other):
                other.execute("INSERT INTO number VALUES (2)")
        assert values(other) == [1]


def test_what_is_committed_is_written_through(connection: sqlite3.Connection) -> None:
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
