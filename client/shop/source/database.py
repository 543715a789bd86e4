"""Any SQL database as a source: PostgreSQL, MariaDB, MySQL and SQLite, by URL.

A table is read in the order of a key, one statement for many rows, streamed; each batch says by its cursor behind which
key the next one begins. So a reading that was interrupted, by whatever, goes on at the row where it stood, and rows
that are written meanwhile move nothing.

Without `follow` a table is read in the order of its primary key, and whole each time: rows that changed are seen. With
`follow`, a column that grows (a time of change, a number), only what came since is asked for:

- Ties: rows with the same value are told apart by the primary key, which ends the key that is read by. A row that comes
  with the very time of the last one is read, and none is read twice.
- Late rows: a writer that began earlier may write behind what was read. Before going on, the last 10,000 rows or more
  are compared with what was there; where something was written or changed among them, they are read once more, and the
  history knows those that it has. A row that comes later still is not seen: follow the time at which rows are
  written, not the day of an order.
- Rows with nothing in the followed column have no order. They are read each time, before the others.
- A view or table without a key: rows of one value stay together. An interruption reads at most that value again.
  `follow = "changed, number"` names more columns where one does not tell the rows apart.

A table without a key is read whole without `follow`, and from its beginning after an interruption.
Rows that are deleted in the database stay in the history.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from client.shop.settings import SourceSettings
from client.shop.source.source import Batch, Look
from client.shop.source.sql.address import SCHEME, Address, read_address
from client.shop.source.sql.connection import opened
from client.shop.source.sql.fault import explained, is_right
from client.shop.source.sql.reading import Reading, choose_order
from client.shop.source.sql.sample import read_look
from client.shop.source.sql.shape import Shape, list_tables, read_shape
from common.errors import DataError

BATCH_ROWS: Final = 10_000
PAGE_ROWS: Final = 500_000  # of one statement, hence of one transaction


def is_url(location: str) -> bool:
    """Whether a location is the URL of a database rather than a file."""
    return SCHEME.match(location) is not None


def look_database(url: str, folder: Path) -> tuple[Look, ...]:
    """Look at each table and view that the user may read.

    Parameters
    ----------
    url
        Or the path of an SQLite file, relative to `folder`.

    Raises
    ------
    ConfigError
        It is no URL of a database that can be read, or holds a password.
    DataError
        Nobody answers, or nothing may be read there.
    """
    address = read_address(url, folder)
    looks: list[Look] = []
    with explained(address), opened(address) as connection:
        for title in list_tables(connection):
            with explained(address, title):
                try:
                    looks.append(read_look(connection, read_shape(connection, title, address), address, url))
                except DBAPIError as error:
                    if not is_right(error):
                        raise
                connection.rollback()  # PostgreSQL answers nothing more after an error
    if not looks:
        raise DataError(
            f"{address.place} has no table that this user may read; grant it, as with: GRANT SELECT ON orders TO reader"
        )
    return tuple(looks)


class DatabaseSource:
    """A table or view of a database, as shop.toml describes it.

    Parameters
    ----------
    batch_rows, page_rows
        Rows of a batch; rows of one statement.
    """

    def __init__(
        self,
        settings: SourceSettings,
        folder: Path,
        *,
        batch_rows: int = BATCH_ROWS,
        page_rows: int = PAGE_ROWS,
    ) -> None:
        self._settings = settings
        self._address = read_address(settings.location, folder)
        self._batch_rows = batch_rows
        # A reader of SQLite keeps its writers waiting: there it lets go after each batch.
        self._page_rows = batch_rows if self._address.system == "sqlite" else page_rows

    @property
    def fingerprint(self) -> str:
        """Nothing: what would be read is not known before."""
        return ""

    def batches(self, after: str = "") -> Iterator[Batch]:
        """Read the rows behind the cursor `after`, in batches; see the module for what that means.

        Raises
        ------
        DataError
            The database does not answer or goes away, or the table is not as it was; batches that came before stand.
        """
        with explained(self._address, self._settings.table), opened(self._address) as connection:
            shape = read_shape(connection, self._settings.table, self._address)
            connection.commit()
            order = choose_order(shape, self._settings.follow, self._address)
            columns = _wanted_columns(self._settings, shape, self._address)
            reading = Reading(
                connection, shape, order, columns, self._address, batch_rows=self._batch_rows, page_rows=self._page_rows
            )
            yield from reading.batches(after)


def _wanted_columns(settings: SourceSettings, shape: Shape, address: Address) -> list[str]:
    """List the columns that are asked for: of a mapped table no others leave the database."""
    if settings.format != "table" or not settings.columns:
        return list(shape.columns)
    missing = sorted(set(settings.columns.values()) - shape.columns.keys())
    if missing:
        raise DataError(
            f"The table {shape.title!r} in {address.place} has no column {missing[0]!r} (any more); it has "
            f"{', '.join(shape.columns)}: correct the columns of the source {settings.name!r}."
        )
    return [name for name in shape.columns if name in settings.columns.values()]
