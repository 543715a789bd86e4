"""Hold a shop's history still while its file is copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from client.backup.kept import HISTORY
from client.shop.history.store import Store


@contextmanager
def open_history(folder: Path) -> Iterator[list[tuple[str, BinaryIO]]]:
    """Open the files of the history, between two commits; imports wait until this is left.

    DuckDB keeps writers out by a lock of POSIX, and a process loses all of those that it has on a file when it closes
    the file once, by whatever descriptor. So these are closed after the connection.

    Raises
    ------
    DataError
        It is damaged, of a later version, or an import does not let go of it.
    """
    store = Store(folder)
    if not store.path.exists():
        yield []
        return
    with ExitStack() as opened, store.reading():
        paths = [folder / name for name in HISTORY]
        yield [(path.name, opened.enter_context(path.open("rb"))) for path in paths if path.exists()]
