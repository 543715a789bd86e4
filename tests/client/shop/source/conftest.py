"""A place with an empty database in each system, and sources that read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from client.shop.settings import SourceSettings
from client.shop.source.database import DatabaseSource
from fleet.database_server import DatabaseServer

SYSTEMS = ("postgresql", "mariadb", "sqlite")


@dataclass(frozen=True)
class Place:
    """An empty database, where the test may do anything."""

    system: str
    folder: Path
    url: str
    server: DatabaseServer | None

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def run(self, *statements: str) -> list[Any]:
        """Run statements, each committed by itself, and give the rows of the last."""
        if self.server is not None:
            return self.server.execute(statements, self.name)
        with closing(sqlite3.connect(self.folder / "shop.sqlite", isolation_level=None, timeout=30)) as connection:
            return [row for statement in statements for row in connection.execute(statement)]

    def source(self, table: str, *, follow: str = "", columns: dict[str, str] | None = None, **sizes: int) -> Any:
        """Make a source of a table."""
        settings = SourceSettings(
            name="shop", location=self.url, table=table, follow=follow, columns=columns or {}, kind="sales"
        )
        return DatabaseSource(settings, self.folder, **sizes)

    def rows(self, table: str, after: str = "", **how: Any) -> tuple[list[tuple[Any, ...]], str]:
        """Read all rows behind a cursor, and the last cursor."""
        found: list[tuple[Any, ...]] = []
        for batch in self.source(table, **how).batches(after):
            found += list(zip(*batch.rows.to_pydict().values(), strict=True))
            after = batch.cursor
        return found, after


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Make empty databases, each in the system that is named."""
    with ExitStack() as lent:

        def make_place(system: str) -> Place:
            if system == "sqlite":
                (tmp_path / "shop.sqlite").touch()
                return Place(system, tmp_path, "sqlite:///shop.sqlite", None)
            server: DatabaseServer = request.getfixturevalue("postgres" if system == "postgresql" else "mariadb")
            return Place(system, tmp_path, server.url(lent.enter_context(server.database())), server)

        yield make_place


@pytest.fixture(params=SYSTEMS)
def place(request: pytest.FixtureRequest, make: Callable[[str], Place]) -> Place:
    """Make an empty database in each system."""
    return make(request.param)
