"""Delimited text of any dialect: bounded memory, batch by batch, and the promise from the bytes on.

    file → windows that end with a row → ordinary lines, all at once  ┐
                                       → the others, one by one       ┴→ rows in the file's order

The rules are those of `client.data.lines`; both ways give the same rows.

Guarantee: a row depends on its own lines, the header and the dialect, which was decided once and stands in shop.toml.
An open quote, a cell too many, bytes of another encoding or a zero byte cost at most the row that has them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from client.data.lines import Header
from client.data.window import WINDOW_BYTES, IsRow, Opened, cut_windows, open_lines
from client.data.window_reader import WindowReader, read_ahead
from client.shop.settings import Dialect, SourceSettings
from client.shop.source.columns import choose_columns, find_day_columns
from client.shop.source.moment import find_shape
from client.shop.source.source import Batch
from common.disk.reading import require_file
from common.errors import ConfigError, DataError

MOST_BYTES = 1 << 26  # of lines none of which is a row; more are cut as if the file ended
SECONDS_2000, SECONDS_2100 = 946_684_800, 4_102_444_800  # since 1970; other long numbers are numbers of orders
UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be")
OTHERS = ("gb18030", "gbk", "big5", "cp949", "cp932", "latin-1", "iso-8859-1", "iso-8859-2", "iso-8859-15", "koi8-r")
CODE_PAGES = tuple(f"cp{number}" for number in (437, 850, 852, 866, *range(1250, 1259)))
ENCODINGS = frozenset(UNICODE + OTHERS + CODE_PAGES)  # no letter of theirs holds a byte of a line's end


class DelimitedSource:
    """One file of delimited text."""

    def __init__(self, path: Path, settings: SourceSettings, *, window_bytes: int = WINDOW_BYTES) -> None:
        self._path = path
        self._settings = settings
        self._dialect = require_dialect(settings.dialect or Dialect())
        self._window_bytes = window_bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file, and of what its bytes are read as."""
        return fingerprint_of(self._path, self._settings)

    def batches(self, after: str = "") -> Iterator[Batch]:
        """Read the rows; a file has no cursor, it is read as a whole."""
        try:
            require_file(self._path)
            with self._path.open("rb") as stream:
                yield from self._read(stream)
        except OSError as error:
            raise DataError(f"Cannot read {self._path} ({error.strerror or error}); see that it is there.") from error

    def _read(self, stream: BinaryIO) -> Iterator[Batch]:
        dialect, origin = self._dialect, str(self._path)
        opened = open_dialect(stream, dialect, origin=origin, size=self._window_bytes)
        columns = choose_columns(opened.names, self._settings, origin=origin)
        header, is_row = Header(opened.names, dialect.separator, 0), make_is_row(opened.names, self._settings)
        reader = WindowReader(header, columns.places, is_row, encoding=opened.encoding)
        line, notes = opened.first_row, columns.notes
        for part in read_ahead(cut_windows(opened, header, is_row, most_bytes=MOST_BYTES), reader):
            unreadable = tuple(line + place + 1 for place in part.unreadable)
            if part.rows.num_rows or unreadable:
                yield Batch(part.rows, part.places + line + 1, unreadable, notes=notes)
                notes = ()
            line += part.num_lines


def require_dialect(dialect: Dialect) -> Dialect:
    """Refuse an encoding or a separator by which lines could not be read apart from each other.

    Raises
    ------
    ConfigError
        It names the key.
    """
    if dialect.encoding.lower() not in ENCODINGS:
        raise ConfigError(
            f"dialect.encoding = {dialect.encoding!r} cannot be read; there are {', '.join(UNICODE + OTHERS)} and "
            f"{', '.join(CODE_PAGES)}."
        )
    if not dialect.separator.isascii() or dialect.separator in '"\r\n' or dialect.separator.isalnum():
        raise ConfigError(f"dialect.separator = {dialect.separator!r} separates nothing; write a mark as , or ;.")
    return dialect


def open_dialect(stream: BinaryIO, dialect: Dialect, *, origin: str, size: int = WINDOW_BYTES) -> Opened:
    """Read the header of a file of this dialect."""
    return open_lines(
        stream,
        encoding=dialect.encoding.lower(),
        separator=dialect.separator,
        header_row=dialect.header_row,
        origin=origin,
        size=size,
    )


def make_is_row(names: Sequence[str], settings: SourceSettings) -> IsRow:
    """Say when a line is a row whatever comes before it: if it has a day where the header says so.

    The dialect's order of day and month plays no part. Without a column of days it is one that is whole, from the
    first cell to the last.
    """
    places = find_day_columns(names, settings)
    if places:
        return lambda cells: any(_is_moment(cells[place].strip()) for place in places)
    return lambda cells: bool(cells[0].strip() and cells[-1].strip())


def _is_moment(cell: str) -> bool:
    """Whether a cell holds a day or a time, be it in seconds since 1970."""
    if cell.isdecimal() and len(cell) in (10, 13):
        return SECONDS_2000 <= int(cell[:10]) < SECONDS_2100
    return find_shape(cell, "dmy") is not None


def fingerprint_of(path: Path, settings: SourceSettings) -> str:
    """Hash a file, and the settings that decide what its rows mean.

    Raises
    ------
    DataError
        It cannot be read.
    """
    meaning = settings.model_dump_json(exclude={"name", "location"})
    digest = hashlib.sha256(meaning.encode())
    try:
        require_file(path)
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror or error}); see that it is there.") from error
    return digest.hexdigest()
