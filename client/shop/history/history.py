"""The history of a shop: one file in the shop's folder, appended and undone by imports, read by everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa
from filelock import FileLock

from client.shop.history.appending import Import, now_utc
from client.shop.history.daily import SELECT_PRODUCTS, select_daily, select_days, select_units
from client.shop.history.dense import NUM_PRODUCTS, DenseDemand, cut_dense
from client.shop.history.entry import Entry
from client.shop.history.journal import Beginning, read_cursor, read_entries, read_number
from client.shop.history.late import select_late
from client.shop.history.pseudonym import read_pseudonyms
from client.shop.history.store import LOCK_NAME, Store
from client.shop.history.table import HASHED, read_meta, require_kind
from client.shop.history.undoing import undo
from client.shop.history.view import ABOUT_PRODUCTS, list_shown, make_views
from client.shop.record import COLUMNS, KINDS, Kind, schema_of
from client.shop.settings import FILE_NAME as SHOP_NAME
from client.shop.settings import read_shop
from common.disk.lock import hold
from common.errors import DataError

BATCH_ROWS = 1 << 17  # that are handed over at once


class History:
    """What is known of a shop's past; one process at a time changes it, many read.

    Reading opens the file and closes it again, so that a long import and its readers take turns: a reader sees whole
    commits. Where there is no history yet, it reads as an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._store = folder, Store(folder)

    @classmethod
    def open(cls, folder: Path) -> History:
        """Open the history in a shop's folder.

        Raises
        ------
        DataError
            It is damaged, or was written by a later version.
        """
        history = cls(folder)
        with history._store.reading():
            return history

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass  # nothing is held open

    def holding(self) -> AbstractContextManager[None]:
        """Read all by one connection until this is left; an import waits meanwhile, and one of this thread for ever."""
        return self._store.holding()

    def begin(
        self,
        source: str,
        *,
        fingerprint: str = "",
        origin: str = "",
        after: str = "",
        moment: datetime | None = None,
        numbering: str = "",
    ) -> Import:
        """Begin an import; leave it with `with`, and call `finish` once the source has ended.

        Parameters
        ----------
        source, origin
            Name and location, as `shop.toml` has them.
        fingerprint
            Of the file; one that was imported to its end gives an `Import` that is `same_as` that one.
        after
            The cursor from which the source is read on, as `cursor` gave it: only rows beyond it come. "" where it is
            read from the beginning.
        moment
            When the source was exported, in UTC, for a source whose records tell no day; it counts where it is later
            than every moment in them.
        numbering
            Whose order numbers and rows these are: sources of one numbering tell of the same sales; others do not,
            though their order numbers be the same.

        Raises
        ------
        ConfigError
            Another import is under way, or the folder cannot be written.
        DataError
            The history cannot be used, or the key of its customers is lost.
        """
        lock = self._hold()
        try:
            with self._store.reading() as connection:
                same = _find_same(read_entries(connection), source, fingerprint)
                number, check = read_number(connection), read_meta(connection, "key")
                reached, export = read_cursor(connection, source, fingerprint=fingerprint)
            if after and after != reached:
                raise DataError(f"The history of {source} does not end at {after!r}; read it from the beginning.")
            beginning = Beginning(
                number=export if after and fingerprint else number,  # the rest of a file belongs to what came of it
                export=export if after else number,
                at=now_utc(),
                source=source,
                origin=origin,
                fingerprint=fingerprint,
                after=after,
                given_moment=moment,
                numbering=numbering,
            )
            return Import(self._store, read_pseudonyms(self.folder, check), beginning, lock, same_as=same)
        except BaseException:
            lock.release()
            raise

    def undo(self, number: int) -> Entry:
        """Take an import back: the history is as if it had never been.

        Raises
        ------
        ConfigError
            Another import is under way.
        DataError
            There is no such import, or it was undone already.
        """
        lock = self._hold()
        try:
            with self._store.writing() as connection:
                undo(connection, number)
        finally:
            lock.release()
        return next(entry for entry in self.journal() if entry.number == number)

    def journal(self) -> tuple[Entry, ...]:
        """Give every import, the first one first."""
        with self._store.reading() as connection:
            return read_entries(connection)

    def cursor(self, source: str, *, fingerprint: str = "") -> str:
        """Tell how far a source has been read; "" where it is read from the beginning.

        Parameters
        ----------
        fingerprint
            Of the file as it is now, for a file: a cursor of other bytes is none.
        """
        with self._store.reading() as connection:
            return read_cursor(connection, source, fingerprint=fingerprint)[0]

    def span(self) -> tuple[date, date] | None:
        """Give the first and the last day with a sale of a product; None where there is none."""
        with self._store.reading() as connection:
            found = connection.execute(
                "SELECT min(day), max(day) FROM now_sales WHERE state = 'sold' AND product <> ''"
            ).fetchone()
        return None if found is None or found[0] is None else (found[0], found[1])

    def products(self) -> pa.Table:
        """Give all products that were sold or are described.

        Returns
        -------
        Table
            product, name, category ("" where unknown), first_day and last_day with a sale (null where none), units,
            lines; sorted by product.
        """
        with self._store.reading() as connection:
            make_views(connection)
            return connection.execute(SELECT_PRODUCTS).to_arrow_table()

    def daily(self, products: Sequence[str] | None = None) -> pa.Table:
        """Give demand and interest by product and day, days with nothing left out.

        Parameters
        ----------
        products
            Only these; all where None.

        Returns
        -------
        Table
            product, day, units, lines, customers (that are known), amount (in the shop's currency, null where
            unknown), views, carts, price (null where unknown), out (whether it was out of stock some time that day);
            sorted by product and day.
        """
        with self._store.reading() as connection:
            make_views(connection)
            return self._select_daily(connection, products).to_arrow_table()

    def days(self) -> Iterator[pa.RecordBatch]:
        """Give units, lines and out of each product and day, as `daily` does, but in no order and in batches.

        A day on which nothing was sold and nothing is known of the stock is not in it, whatever was looked at.
        """
        with self._store.reading() as connection:
            make_views(connection)
            yield from connection.execute(select_days()).to_arrow_reader(8 * BATCH_ROWS)

    def dense_daily(
        self,
        products: Sequence[str] | None = None,
        *,
        first: date | None = None,
        last: date | None = None,
        num_products: int = NUM_PRODUCTS,
    ) -> Iterator[DenseDemand]:
        """Give the units that were sold of each product on each day, a batch of products at a time.

        Parameters
        ----------
        products
            Only these; all that were sold where None.
        first, last
            Of the days; where None the first and last with any sale.
        num_products
            Of a batch, which bounds the memory.

        Returns
        -------
        Iterator
            Batches with `units` as float32 [product, day], products sorted by name; one without a sale has no row.
        """
        span = self.span()
        if span is None:
            return
        with self._store.reading() as connection:
            _choose(connection, products)
            rows = connection.execute(select_units(chosen=products is not None)).to_arrow_reader(BATCH_ROWS)
            yield from cut_dense(rows, first=first or span[0], last=last or span[1], num_products=num_products)

    def records(self, kind: Kind) -> pa.Table:
        """Give the current records of a kind.

        Returns
        -------
        Table
            Columns of the kind, customers and sessions as hashes; sorted by the day on which it happened or begins.
            `row` is null: places are not kept. A product that goes on under another number has that one; what was told
            of that one itself comes after it.
        """
        require_kind(kind)
        with self._store.reading() as connection:
            make_views(connection)
            return connection.execute(_select_records(kind)).to_arrow_table().cast(schema_of(kind))

    def late(self, days: int) -> pa.Table:
        """Tell of sales that came so many days or more after their source had been read beyond their day.

        Returns
        -------
        Table
            source, lines (new ones of its later imports), late (those of them that came late), most_days; sources
            without any are not in it.
        """
        with self._store.reading() as connection:
            return connection.execute(select_late(days)).to_arrow_table()

    def ask(self, query: str) -> pa.Table:
        """Answer SQL of our own over the current records: each kind is a table of its name, as the owner reads it.

        Products go by the number that counts, visitors that the owner ignores are left out, customers are hashes. What
        the owner counts instead on a day (`corrections`) is a table beside the sales, which stay as they are.
        """
        with self._store.reading() as connection:
            make_views(connection)
            for kind in KINDS:
                shown = list_shown(kind, HASHED)
                connection.execute(f"CREATE OR REPLACE TEMP VIEW {kind} AS SELECT updated, {shown} FROM current_{kind}")
            return connection.execute(query).to_arrow_table()

    def look_for_key(self) -> str:
        """Say in a sentence what is wrong with the key of the customers' hashes; "" where nothing is."""
        with self._store.reading() as connection:
            check = read_meta(connection, "key")
        try:
            read_pseudonyms(self.folder, check) if check else None
        except DataError as error:
            return str(error)
        return ""

    def _select_daily(
        self, connection: duckdb.DuckDBPyConnection, products: Sequence[str] | None
    ) -> duckdb.DuckDBPyConnection:
        _choose(connection, products)
        has_prices = connection.execute("SELECT 1 FROM now_prices LIMIT 1").fetchone() is not None
        shop = read_shop(self.folder) if (self.folder / SHOP_NAME).exists() else None
        return connection.execute(
            select_daily(
                currency=shop.currency if shop else "",
                rates=shop.rates if shop else {},
                chosen=products is not None,
                has_prices=has_prices,
            )
        )

    def _hold(self) -> FileLock:
        return hold(
            self.folder / LOCK_NAME,
            taken=f"Another import into {self.folder.resolve()} is under way; wait until it is done, then try again.",
        )


def _choose(connection: duckdb.DuckDBPyConnection, products: Sequence[str] | None) -> None:
    """Name the products that are asked for, where not all are."""
    if products is not None:
        connection.register("chosen", pa.table({"product": pa.array(sorted(set(products)), pa.string())}))


def _find_same(entries: Sequence[Entry], source: str, fingerprint: str) -> Entry | None:
    found = [e for e in entries if fingerprint and (e.source, e.fingerprint, e.state) == (source, fingerprint, "done")]
    return found[-1] if found else None


def _select_records(kind: Kind) -> str:
    day = next((field for field in ("day", "first_day", "product") if field in COLUMNS[kind]), "value")
    shown, renamed = list_shown(kind, HASHED), "renamed DESC, " if kind in ABOUT_PRODUCTS else ""
    return f"SELECT NULL::BIGINT AS row, updated, {shown} FROM told_{kind} ORDER BY {day}, {renamed}key, nth"
