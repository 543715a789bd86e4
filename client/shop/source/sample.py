"""A look at a file of delimited text: its dialect, and rows from all over it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from client.data.lines import UTF_16, Header, read_lines, split_cells, split_lines
from client.data.window import IsRow
from client.shop.settings import Dialect, SourceSettings
from client.shop.source.columns import choose_columns
from client.shop.source.delimited import make_is_row
from client.shop.source.dialect import guess_dialect
from client.shop.source.source import NUM_SAMPLES, Look
from common.disk.reading import require_file
from common.errors import DataError

HEAD_BYTES, SLICE_BYTES, NUM_SLICES = 1 << 19, 1 << 16, 8


def look_delimited(path: Path, location: str) -> Look:
    """Look at one file.

    Raises
    ------
    DataError
        It cannot be read, or is no table with names of columns.
    """
    try:
        require_file(path)
        size = path.stat().st_size
        with path.open("rb") as stream:
            pieces = list(_read_pieces(stream, size))
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror or error}); see that it is there.") from error
    origin, content = str(path), b"".join(pieces)
    guessed = guess_dialect(content, origin=origin)
    header, rows = read_sample(pieces, guessed.dialect)
    settings = SourceSettings(name="look", location=location)
    columns = choose_columns(header, settings, origin=origin)
    num_rows = len(rows) if size <= len(content) else round(len(rows) * size / max(len(content), 1))
    sample = {
        name: tuple(row[place] for row in spread(rows))
        for name, place in zip(columns.names, columns.places, strict=True)
    }
    evidence = (*guessed.evidence, *columns.notes)
    return Look(location, "", "delimited", sample, num_rows, guessed.dialect, evidence, columns.doubled)


def spread(rows: Sequence[list[str]]) -> list[list[str]]:
    """Take at most `NUM_SAMPLES` rows, evenly."""
    if len(rows) <= NUM_SAMPLES:
        return list(rows)
    return [rows[number * len(rows) // NUM_SAMPLES] for number in range(NUM_SAMPLES)]


def read_sample(pieces: Sequence[bytes], dialect: Dialect) -> tuple[tuple[str, ...], list[list[str]]]:
    """Read the header and the rows of what was taken from a file; a row that a piece holds half of is left out."""
    lines = split_lines(pieces[0], dialect.encoding)
    end, cells = dialect.header_row, None
    while cells is None and end <= len(lines):
        text = "\n".join(line.decode(errors="replace") for line in lines[dialect.header_row - 1 : end])
        cells, end = split_cells(text.lstrip("\ufeff"), dialect.separator), end + 1
    names = tuple(" ".join(cell.split()) for cell in cells or ())
    is_row = make_is_row(names, SourceSettings(name="look", location="look"))
    header, head = Header(names, dialect.separator, 0), lines[end - 1 :]
    slices = [_between_rows(split_lines(piece, dialect.encoding), header, is_row) for piece in pieces[1:]]
    if slices:
        head = _between_rows(head, header, is_row) or _before_open(head, header, is_row)
    return names, [
        row.cells for body in (head, *slices) for row in read_lines(body, header, is_row) if row.cells is not None
    ]


def _between_rows(lines: list[bytes], header: Header, is_row: IsRow) -> list[bytes]:
    """Keep the lines from the first one that is a whole row to the last: a piece may begin and end within a cell."""

    def is_whole(number: int) -> bool:
        cells = split_cells(lines[number].decode(errors="replace"), header.separator) or []
        return len(cells) == len(header.columns) and is_row(cells)

    numbers = range(len(lines))
    first, last = (next(filter(is_whole, each), -1) for each in (numbers, reversed(numbers)))
    return lines[first : last + 1] if first >= 0 else []


def _before_open(lines: list[bytes], header: Header, is_row: IsRow) -> list[bytes]:
    """Keep the lines before the last row that cannot be read: its end may have been cut off."""
    opens = [row.first for row in read_lines(lines, header, is_row) if row.cells is None]
    return lines[: opens[-1]] if opens else lines


def _read_pieces(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read the beginning, and whole lines from places all over the rest."""
    head = stream.read(HEAD_BYTES)
    if size <= len(head) or head.startswith(tuple(mark for mark, _ in UTF_16)):
        yield head + stream.read(0 if size <= len(head) else 4 * HEAD_BYTES)
        return
    yield _whole_lines(b"\n" + head)
    for number in range(1, NUM_SLICES + 1):
        stream.seek(min(HEAD_BYTES + (size - HEAD_BYTES) * number // NUM_SLICES, size) - SLICE_BYTES, os.SEEK_SET)
        yield _whole_lines(stream.read(SLICE_BYTES))


def _whole_lines(piece: bytes) -> bytes:
    return piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1]
