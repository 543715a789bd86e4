"""A CSV file as lines, each read by itself: no line's bytes can cost another line anything.

- The header, which is nobody's row, says the separator and the number of cells.
- A line ends at a line feed, a carriage return or both, and a row ends with its line. Only a line that is no row of its
  own (by `is_row`, and where it cannot be read whatever its quotes say) may go on with a quoted cell that the line
  before it left open: an unbalanced quote never swallows anybody else's row, not even one that is broken itself.
- A line that cannot be read (an open quote, more cells than the header, bytes that are no UTF-8) is left out alone.
- A row with fewer cells than the header has empty ones at its end, and empty cells beyond the header are none.

Other encodings are UTF-8 from `split_lines` on, each line by itself: one that is not of the encoding cannot be read.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from common.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
MOST_LINES = 200  # that one row may go over
MARK = codecs.BOM_UTF8
UTF_16 = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
UNREADABLE = b"\xff"  # no UTF-8, as the line that it stands for was not of its encoding

Cells = list[str]


@runtime_checkable
class Lines(Protocol):
    """Lines by number, without their ends: a list, or places in what is already in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> bytes: ...


@dataclass(frozen=True)
class Header:
    """The first line of a file.

    Attributes
    ----------
    first_row
        Number of the line after it, from 0.
    """

    columns: tuple[str, ...]
    separator: str
    first_row: int


@dataclass(frozen=True)
class Row:
    """One row and the lines that it stands on.

    Attributes
    ----------
    first, end
        The row's lines are those from `first` to before `end`, from 0.
    cells
        As many as the header has; None where the row cannot be read.
    """

    first: int
    end: int
    cells: Cells | None


def split_lines(content: bytes, encoding: str = "") -> list[bytes]:
    """Cut a file into lines of UTF-8, without their ends.

    Parameters
    ----------
    encoding
        Of the file, one in which no letter but those themselves holds the bytes of a line's end; if empty, it is UTF-8,
        or UTF-16 with a mark.
    """
    for mark, marked in UTF_16:
        if content.startswith(mark) and encoding in ("", "utf-16", marked):
            return _split_utf_16(content[len(mark) :], marked)
    if encoding.startswith("utf-16"):
        return _split_utf_16(content, "utf-16-be" if encoding == "utf-16-be" else "utf-16-le")
    lines = content.splitlines()
    return lines if encoding in ("", "utf-8") else [as_utf_8(line, encoding) for line in lines]


def _split_utf_16(content: bytes, encoding: str) -> list[bytes]:
    """Cut before anything is decoded: a byte too few or too many moves the pairs of bytes of its own line alone."""
    return [as_utf_8(line, encoding) for line in re.split(line_ends(encoding), content)]


def line_ends(encoding: str) -> bytes:
    """Write the ends of lines in UTF-16, as a pattern."""
    return b"|".join(re.escape(end.encode(encoding)) for end in ("\r\n", "\n", "\r"))


def as_utf_8(line: bytes, encoding: str) -> bytes:
    """Write a line in UTF-8; `UNREADABLE` where it is not of the encoding."""
    try:
        return line.decode(encoding).encode()
    except UnicodeError:
        return UNREADABLE


def read_header(lines: list[bytes], wanted: Iterable[str], *, origin: str) -> Header:
    """Read the first line that is not blank; the separator is that by which it has most `wanted` columns.

    Raises
    ------
    DataError
        There is no such line, or it cannot be read.
    """
    first = next((number for number, line in enumerate(lines) if line.removeprefix(MARK).strip()), None)
    if first is None:
        raise DataError(f"{origin} is empty; give a file with a header and rows.")
    wanted, readings = set(wanted), dict[str, tuple[str, ...]]()
    for separator in SEPARATORS:
        cells = _read_line(lines[first], separator)
        if cells is None:
            raise DataError(f"The first line of {origin} is no header in UTF-8; write the names of the columns there.")
        readings[separator] = tuple(cell.strip() for cell in cells)
    separator = max(SEPARATORS, key=lambda mark: (len(wanted & set(readings[mark])), len(readings[mark])))
    return Header(readings[separator], separator, first + 1)


def read_lines(lines: Lines, header: Header, is_row: Callable[[Cells], bool]) -> Iterator[Row]:
    """Read every line after the header that is not blank.

    Parameters
    ----------
    is_row
        Whether cells are a row whatever stands before them: they say whose row it is, and of which day.
    """
    reader = LineReader(lines, header, is_row)
    number = header.first_row
    while number < len(lines):
        row = reader.row(number)
        if row.cells is None or any(row.cells):
            yield row
        number = row.end


@dataclass
class LineReader:
    """The lines of a file, or of a part of one that ends with a row, and what has been found out about them."""

    lines: Lines
    header: Header
    is_row: Callable[[Cells], bool]
    _joined: dict[int, Row | None] = field(default_factory=dict)
    _alone: dict[int, bool] = field(default_factory=dict)

    def row(self, number: int) -> Row:
        """Read the row that begins on a line; one of a single empty cell where nothing stands there."""
        if not self.lines[number].strip():
            return Row(number, number + 1, [""])
        cells = self.cells(number)
        if cells is not None:
            return Row(number, number + 1, cells)
        return self.join(number) or Row(number, number + 1, None)

    def join(self, first: int) -> Row | None:
        """Read a row that goes over several lines, none of which is a row or begins one."""
        if first not in self._joined:
            for number in reversed(self._open_lines(first)):
                self._joined[number] = self._join(number)
        return self._joined[first]

    def _open_lines(self, first: int) -> list[int]:
        """List the lines before the next row that are none by themselves: those behind decide about those in front.

        One by one from the last, for there may be any number of them.
        """
        found = [first]
        for number in range(first + 1, len(self.lines)):
            cells = self.cells(number)
            if cells is None:
                found.append(number)
            elif self.is_row(cells):
                break
        return found

    def _join(self, first: int) -> Row | None:
        text = _decode(self.lines[first])
        if text is None or split_cells(text, self.header.separator) is not None:
            return None
        for number in range(first + 1, min(first + MOST_LINES, len(self.lines))):
            more = _decode(self.lines[number])
            if more is None or self._stands_alone(number):
                return None
            text += "\n" + more
            cells = split_cells(text, self.header.separator, strict=True)
            if cells is not None:
                return Row(first, number + 1, cells) if len(cells) == len(self.header.columns) else None
        return None

    def _stands_alone(self, number: int) -> bool:
        if number not in self._alone:
            self._alone[number] = self._is_somebody_s(number)
        return self._alone[number]

    def _is_somebody_s(self, number: int) -> bool:
        line, separator = self.lines[number], self.header.separator
        cells = self.cells(number)
        if cells is not None:
            return self.is_row(cells)
        joined = self.join(number)
        in_itself = joined is not None and joined.cells is not None and self.is_row(joined.cells)
        return in_itself or self._names_a_row(line.decode(errors="replace").split(separator))

    def _names_a_row(self, cells: Cells) -> bool:
        """Whether what is between separators, whatever quotes say, is a row's, counted from the left or the right."""
        bare, size = [cell.strip(' \t"') for cell in cells], len(self.header.columns)
        return self.is_row((bare + [""] * size)[:size]) or self.is_row(([""] * size + bare)[-size:])

    def cells(self, number: int) -> Cells | None:
        """Read a line by itself, with the header's number of cells; None where it cannot be read."""
        cells, size = _read_line(self.lines[number], self.header.separator), len(self.header.columns)
        if cells is None or any(cell.strip() for cell in cells[size:]):
            return None
        return cells[:size] + [""] * (size - len(cells))


def _read_line(line: bytes, separator: str) -> Cells | None:
    text = _decode(line)
    return None if text is None else split_cells(text, separator)


def _decode(line: bytes) -> str | None:
    """Read UTF-8; a mark in front, as files that were put together have inside them, is no part of it."""
    try:
        return line.removeprefix(MARK).decode()
    except UnicodeDecodeError:
        return None


def split_cells(text: str, separator: str, *, strict: bool = False) -> Cells | None:
    """Split at the separators that are not within quotes; None where a quoted cell does not end.

    Parameters
    ----------
    strict
        Whether what stands between a closing quote and the next separator makes it no row, whatever line comes next:
        it has no cells then.

    Notes
    -----
    Quotes are those of RFC 4180: around a whole cell, and doubled inside. One in the middle of a cell is a character.
    """
    if '"' not in text:
        return text.split(separator)
    cells: Cells = []
    start = 0
    while True:
        quoted = text.startswith('"', start)
        end = _closing_quote(text, start) + 1 if quoted else start
        if quoted and end == 0:
            return None
        stop = text.find(separator, end)
        stop = len(text) if stop < 0 else stop
        rest = text[end:stop]
        if quoted and strict and rest.strip():
            return []
        cells.append(text[start + 1 : end - 1].replace('""', '"') + rest if quoted else rest)
        if stop == len(text):
            return cells
        start = stop + 1


def _closing_quote(text: str, start: int) -> int:
    """Find the quote that ends the cell which begins with one at `start`; -1 where there is none."""
    place = text.find('"', start + 1)
    while place >= 0 and text.startswith('"', place + 1):
        place = text.find('"', place + 2)
    return place
