"""Delimited text of any dialect: bounded memory, batch by batch, and the promise from the bytes on.

    file → windows that end with a row → ordinary lines, all at once  ┐
                                       → the others, one by one       ┴→ rows in the file's order

The rules are those of `client.data.lines`; both ways give the same rows.

Guarantee: a row depends on its own lines, the header and the dialect, which was decided once and stands in shop.toml.
An open quote, a cell too many, bytes of another encoding or a zero byte cost at most the row that has them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
from jaxtyping import Bool, Int

from client.data.lines import Header, LineReader, Row, as_utf_8
from client.shop.settings import Dialect, SourceSettings
from client.shop.source.columns import Columns, choose_columns, find_day_columns
from client.shop.source.moment import find_shape
from client.shop.source.ordinary import WindowLines, find_ordinary, is_plain, split_window
from client.shop.source.source import Batch
from client.shop.source.window import WINDOW_BYTES, IsRow, Opened, cut_windows, open_lines
from common.disk.reading import require_file
from common.errors import ConfigError, DataError

NUM_THREADS, NUM_WAITING = 2, 3
SECONDS_2000, SECONDS_2100 = 946_684_800, 4_102_444_800  # since 1970; other long numbers are numbers of orders
PARSED_BYTES = 1 << 20  # at once; a longer line makes the parser complain
UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be")
OTHERS = ("gb18030", "gbk", "big5", "cp949", "cp932", "latin-1", "iso-8859-1", "iso-8859-2", "iso-8859-15", "koi8-r")
CODE_PAGES = tuple(f"cp{number}" for number in (437, 850, 852, 866, *range(1250, 1259)))
ENCODINGS = frozenset(UNICODE + OTHERS + CODE_PAGES)  # no letter of theirs holds a byte of a line's end


@dataclass(frozen=True)
class Part:
    """The rows of a window.

    Attributes
    ----------
    places
        Line on which each row begins, from 0 in the window.
    num_lines
        Of the window.
    """

    rows: pa.Table
    places: Int[np.ndarray, " row"]
    unreadable: tuple[int, ...]
    num_lines: int


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
        reader = WindowReader(opened, dialect, columns, make_is_row(opened.names, self._settings))
        line, notes = opened.first_row, columns.notes
        for part in _read_ahead(cut_windows(opened, reader.header, reader.is_row), reader):
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


def _read_ahead(windows: Iterator[bytes], reader: WindowReader) -> Iterator[Part]:
    """Read some windows at the same time, and give them in their order."""
    waiting: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        for window in windows:
            waiting.append(pool.submit(reader.read, window))
            if len(waiting) >= NUM_WAITING:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class WindowReader:
    """Reads windows of one file, each by itself."""

    def __init__(self, opened: Opened, dialect: Dialect, columns: Columns, is_row: IsRow) -> None:
        self.header = Header(opened.names, dialect.separator, 0)
        self.is_row = is_row
        self._encoding = opened.encoding
        self._columns = columns
        names = [str(place) for place in range(len(opened.names))]
        chosen = [names[place] for place in columns.places]
        self._convert = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(chosen, pa.string()), include_columns=chosen, null_values=[]
        )
        self._parse = pyarrow.csv.ParseOptions(delimiter=dialect.separator)
        self._names = names

    def read(self, window: bytes) -> Part:
        """Read a window."""
        content = window if self._encoding == "utf-8" else write_utf_8(window, self._encoding)
        plain = self._read_plain(content)
        return self._read_mixed(content) if plain is None else plain

    def _read_plain(self, content: bytes) -> Part | None:
        """Read a window all of whose lines are ordinary without a look at any; None where one may not be."""
        if not is_plain(content, self.header.separator, len(self._names)):
            return None
        try:
            rows = self._parse_table(content, PARSED_BYTES)
        except pa.ArrowInvalid:
            return None
        num_lines = content.count(b"\n") + (not content.endswith(b"\n"))
        return Part(rows, np.arange(num_lines), (), num_lines) if rows.num_rows == num_lines else None

    def _read_mixed(self, content: bytes) -> Part:
        lines = split_window(content)
        ordinary = find_ordinary(lines, self.header.separator, len(self._names))
        careful = self._read_careful(lines, ordinary)
        rows = self._parse_table(_join_runs(lines, ordinary)) if ordinary.any() else self._make_table([])
        places = np.flatnonzero(ordinary)
        read = [row for row in careful if row.cells is not None and any(row.cells)]
        unreadable = tuple(row.first for row in careful if row.cells is None)
        if read:
            places = np.append(places, [row.first for row in read])
            order = np.argsort(places, kind="stable")
            rows = pa.concat_tables([rows, self._make_table(read)]).take(pa.array(order))
            places = places[order]
        return Part(rows, places, unreadable, len(lines))

    def _read_careful(self, lines: WindowLines, ordinary: Bool[np.ndarray, " line"]) -> list[Row]:
        """Read the lines that are not ordinary; those that such a row goes over are no rows of their own any more."""
        reader, rows, end = LineReader(lines, self.header, self.is_row), list[Row](), 0
        for number in np.flatnonzero(~ordinary).tolist():
            if number < end:
                continue
            rows.append(reader.row(number))
            end = rows[-1].end
            ordinary[number:end] = False
        return rows

    def _parse_table(self, content: bytes, block_size: int = 0) -> pa.Table:
        size = block_size or len(content) + 1
        read = pyarrow.csv.ReadOptions(column_names=self._names, use_threads=False, block_size=size)
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content), read_options=read, parse_options=self._parse, convert_options=self._convert
        )
        return table.rename_columns(list(self._columns.names))

    def _make_table(self, rows: Sequence[Row]) -> pa.Table:
        cells = [[row.cells[place] for row in rows if row.cells is not None] for place in self._columns.places]
        return pa.table(
            {name: pa.array(each, pa.string()) for name, each in zip(self._columns.names, cells, strict=True)}
        )


def write_utf_8(window: bytes, encoding: str) -> bytes:
    """Write a window in UTF-8, line for line."""
    try:
        return window.decode(encoding).encode()
    except UnicodeError:
        lines = window.splitlines(keepends=True)
        return b"".join(_write_line(line, encoding) for line in lines)


def _write_line(line: bytes, encoding: str) -> bytes:
    bare = line.rstrip(b"\r\n")
    return as_utf_8(bare, encoding) + line[len(bare) :]


def _join_runs(lines: WindowLines, ordinary: Bool[np.ndarray, " line"]) -> bytes:
    """Put the ordinary lines behind each other."""
    if ordinary.all():
        return lines.content
    steps = np.diff(np.concatenate([[0], ordinary.view(np.int8), [0]]))
    firsts, lasts = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
    return b"".join(
        lines.content[start:end]
        for start, end in zip(lines.starts[firsts].tolist(), lines.ends[lasts].tolist(), strict=True)
    )
