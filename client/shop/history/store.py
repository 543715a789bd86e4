"""The file of a history: made whole, opened for one statement of work at a time, and closed again.

Nobody keeps it open: a reader opens it to read, an import to commit, so that the two take turns in the middle of an
import too. DuckDB's own lock on the file lets many read or one write; who comes meanwhile waits a while, and then says
so. Nothing is ever fetched: extensions are neither installed nor loaded.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from client.shop.history.table import STEPS, STORAGE_VERSION, migrate, schema_version
from common.disk.file import sync_folder
from common.disk.reading import require_file
from common.errors import DataError
from common.schema import newer_file

FILE_NAME, LOCK_NAME, SPILL_NAME = "history.duckdb", "history.lock", "history.spill"
DAMAGED = "it is damaged; bring a copy back, or move it away and import everything anew"
MEMORY_LIMIT = "800MB"  # of DuckDB's own; what it gives and takes as Arrow comes on top
MOST_THREADS = 4
READER_PATIENCE_SECONDS, WRITER_PATIENCE_SECONDS = 20.0, 600.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.5

# What can be wrong with a file, a disk or the memory; anything else would be a fault of ours and must show.
_OF_THE_FILE = (duckdb.OperationalError, duckdb.FatalException, duckdb.InternalError, duckdb.CatalogException)


class Store:
    """The DuckDB file in a shop's folder."""

    def __init__(self, folder: Path, *, memory_limit: str = MEMORY_LIMIT) -> None:
        self.folder, self.path, self._memory_limit = folder, folder / FILE_NAME, memory_limit
        self._held: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the history to read it; an empty one where there is none yet.

        Raises
        ------
        DataError
            It is damaged, is of a later version, or an import does not let go of it.
        """
        if self._held is not None:
            yield self._held
            return
        if not self.path.exists():
            with _closing(self._connect(":memory:")) as connection:
                migrate(connection)
                yield connection
            return
        with self._explained(), _closing(self._open_current()) as connection:
            yield connection

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Read by one connection until this is left: for many short readings of one thread, in a row."""
        with self.reading() as connection:
            self._held = connection
            try:
                yield
            finally:
                self._held = None

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the history to change it, and make one where there is none; for who holds the lock.

        Guarantee: all that is done until this is left is one transaction, or nothing.

        Raises
        ------
        DataError
            As above, or the disk has no room.
        """
        with self._explained():
            if not self.path.exists():
                self._make()
            with _closing(self._open(WRITER_PATIENCE_SECONDS, read_only=False)) as connection:
                self._forget_spills()
                self._require_no_newer(schema_version(connection))
                migrate(connection)
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")

    def _make(self) -> None:
        """Make an empty history: there whole or not at all, for its owner's eyes."""
        fresh = self.path.with_name(f".{FILE_NAME}.new")
        for old in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            old.unlink(missing_ok=True)
        try:
            with _closing(self._connect(fresh)) as connection:
                migrate(connection)
                connection.execute("CHECKPOINT")
            fresh.chmod(0o600)
            fresh.rename(self.path)
            sync_folder(self.folder)
        finally:
            fresh.unlink(missing_ok=True)

    def _open(self, patience_seconds: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Open the file once others let go of it."""
        require_file(self.path)  # a pipe would be waited for in vain
        until, pause = time.monotonic() + patience_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._connect(self.path, read_only=read_only)
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                if not _is_busy(error):
                    raise
                if time.monotonic() > until:
                    raise DataError(
                        f"{self.path} is in use by another process; try again when that one is done."
                    ) from error
            except (MemoryError, RuntimeError, ValueError, IndexError) as error:  # of lengths that are none
                raise DataError(f"Cannot use {self.path}: {DAMAGED}.") from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _connect(self, path: Path | str, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(path, read_only=read_only, config=self._config())
        connection.execute("SET enable_progress_bar = false")  # it would stand in the middle of a command's output
        return connection

    def _config(self) -> dict[str, str | bool | int | float | list[str]]:
        return {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "memory_limit": self._memory_limit,
            "preserve_insertion_order": False,
            "storage_compatibility_version": STORAGE_VERSION,
            "temp_directory": str(self.folder / f"{SPILL_NAME}-{os.getpid()}"),  # one for all readers of a process
            "threads": min(os.cpu_count() or 1, MOST_THREADS),
        }

    def _forget_spills(self) -> None:
        """Remove what killed processes left; nobody else has the file open now."""
        for old in self.folder.glob(f"{SPILL_NAME}-*"):
            shutil.rmtree(old, ignore_errors=True)

    def _open_current(self) -> duckdb.DuckDBPyConnection:
        """Open the file to read it; one of an older version is taken to this one before."""
        connection = self._open(READER_PATIENCE_SECONDS, read_only=True)
        try:
            version = schema_version(connection)
            self._require_no_newer(version)
        except BaseException:
            connection.close()
            raise
        if version == len(STEPS):
            return connection
        connection.close()
        with _closing(self._open(WRITER_PATIENCE_SECONDS, read_only=False)) as writer:
            migrate(writer)
        return self._open(READER_PATIENCE_SECONDS, read_only=True)

    def _require_no_newer(self, version: int) -> None:
        if version > len(STEPS):
            raise newer_file(self.path)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in a sentence what DuckDB cannot do with the file."""
        try:
            yield
        except (RuntimeError, duckdb.InterruptException) as error:  # what DuckDB makes of Ctrl-C in the middle of work
            if "nterrupt" in str(error):
                raise KeyboardInterrupt from error
            raise
        except _OF_THE_FILE as error:
            raise DataError(f"Cannot use {self.path}: {say_remedy(error)}.") from error
        except OSError as error:
            raise DataError(
                f"Cannot use {self.path}: {error.strerror}; make room, or see who may read and write there."
            ) from error


@contextmanager
def _closing(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Close in any case; what was begun and not committed is forgotten."""
    try:
        yield connection
    except BaseException:
        connection.interrupt()  # or what Ctrl-C left of a query is worked to its end first, for hours perhaps
        raise
    finally:
        with suppress(duckdb.Error):  # a full disk, of which the first error tells
            connection.close()


def _is_busy(error: duckdb.Error) -> bool:
    said = str(error)
    return "Could not set lock on file" in said or "different configuration" in said


def say_remedy(error: duckdb.Error) -> str:
    """Say what to do, in words of ours: DuckDB's may quote what was read."""
    said = str(error).lower()
    if any(
        word in said for word in ("no space", "disk full", "file too large", "could not write", "max_temp_directory")
    ):
        return "the disk is full; make room, and try again"
    if "newer version of duckdb" in said:
        return "it was written by a newer version of hansa; install that version to read it"
    if isinstance(error, duckdb.OutOfMemoryException):
        return "there is too little memory or room on the disk, or it is damaged; make room, or bring a copy back"
    if "permission denied" in said or "read-only" in said:
        return "it may not be read or written; see who may read and write there"
    return DAMAGED
