"""The rows of windows of delimited text, several windows at a time.

    window → ordinary lines, all at once  ┐
           → the others, one by one       ┴→ rows in the file's order

The rules are those of `client.data.lines`; both ways give the same rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv
from jaxtyping import Bool, Int

from client.data.lines import Header, LineReader, Row, as_utf_8
from client.data.ordinary import WindowLines, find_ordinary, is_plain, split_window
from client.data.window import IsRow

NUM_THREADS, NUM_WAITING = 2, 3
PARSED_BYTES = 1 << 20  # at once; a longer line makes the parser complain


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


def read_ahead(windows: Iterator[bytes], reader: WindowReader) -> Iterator[Part]:
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
    """Reads windows of one file, each by itself.

    Parameters
    ----------
    places
        The columns that are wanted, by their place in the header.
    is_row
        Whether cells are a row whatever stands before them; see `client.data.lines`.
    """

    def __init__(self, header: Header, places: Sequence[int], is_row: IsRow, *, encoding: str = "utf-8") -> None:
        self.header = header
        self.is_row = is_row
        self._encoding = encoding
        self._places = tuple(places)
        names = [str(place) for place in range(len(header.columns))]
        chosen = [names[place] for place in places]
        self._convert = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(chosen, pa.string()), include_columns=chosen, null_values=[]
        )
        self._parse = pyarrow.csv.ParseOptions(delimiter=header.separator)
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
        names = [self.header.columns[place] for place in self._places]
        return table.combine_chunks().rename_columns(names)  # without the room that the parser leaves for more

    def _make_table(self, rows: Sequence[Row]) -> pa.Table:
        cells = [[row.cells[place] for row in rows if row.cells is not None] for place in self._places]
        names = [self.header.columns[place] for place in self._places]
        return pa.Table.from_arrays([pa.array(each, pa.string()) for each in cells], names)


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
