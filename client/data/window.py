"""A file of lines in windows of some megabytes, each of which ends with a row.

A line that is a row of its own (`client.data.lines`) stands alone whatever comes before it, so nothing that follows it
decides how anything up to it is read: windows can be read apart from each other, at the same time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from client.data.lines import MARK, UTF_16, Cells, Header, LineReader, as_utf_8, line_ends, read_header, split_cells
from common.errors import DataError

WINDOW_BYTES = 1 << 23
MOST_TRIES = 1000  # lines that are tried from the end of a window
MOST_HEADER_LINES = 50  # that one header may go over

IsRow = Callable[[Cells], bool]


@dataclass(frozen=True)
class Opened:
    """A file after its header.

    Attributes
    ----------
    names
        What the header says in each cell; "" where it says nothing.
    first_row
        Number of the line after it, from 0.
    encoding
        Of the blocks: UTF-16 is UTF-8 by now.
    blocks
        All that comes after the header, cut anywhere.
    """

    names: tuple[str, ...]
    first_row: int
    encoding: str
    blocks: Iterator[bytes]


def open_lines(
    stream: BinaryIO, *, encoding: str, separator: str, header_row: int, origin: str, size: int = WINDOW_BYTES
) -> Opened:
    """Read the header, which may have line breaks within quotes.

    Raises
    ------
    DataError
        There is no such line, or it cannot be read.
    """
    blocks = _read_blocks(stream, size)
    if encoding.startswith("utf-16"):
        blocks, encoding = _from_utf_16(blocks, encoding), "utf-8"
    head, end = b"", False
    while not end and head.count(b"\n") + head.count(b"\r") < header_row + MOST_HEADER_LINES + 1:
        block = next(blocks, None)
        head, end = head + (block or b""), block is None
    lines = head.splitlines(keepends=True)
    first = header_row - 1
    text = ""
    for number in range(first, min(first + MOST_HEADER_LINES, len(lines))):
        text += _decode(lines[number], encoding, origin, number)
        cells = split_cells(text.rstrip("\r\n"), separator)
        if cells is not None:
            rest = b"".join(lines[number + 1 :])
            names = tuple(" ".join(cell.split()) for cell in cells)
            return Opened(names, number + 1, encoding, chain([rest], blocks))
    if first >= len(lines):
        what = "is empty" if not head.strip() else f"ends before line {header_row}, where its header should be"
        raise DataError(f"{origin} {what}; give a file with the names of the columns and rows below them.")
    raise DataError(f"Line {header_row} of {origin} is no header: a quote stays open; mend that line.")


def _decode(line: bytes, encoding: str, origin: str, number: int) -> str:
    try:
        return line.removeprefix(MARK).decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"Line {number + 1} of {origin} is no header in {encoding}; set dialect.encoding to that of the file."
        ) from error


def open_plain(
    stream: BinaryIO, wanted: Collection[str], *, origin: str, size: int = WINDOW_BYTES
) -> tuple[Header, Opened]:
    """Read the header of UTF-8, or of UTF-16 with a mark, as `client.data.lines.read_header` does.

    Raises
    ------
    DataError
        There is none, or it cannot be read.
    """
    blocks = _read_blocks(stream, size)
    head = next(blocks, b"")
    if any(head.startswith(mark) for mark, _ in UTF_16):
        blocks, head = _from_utf_16(chain([head], blocks), "utf-16"), b""
    while not _shows_header(head) and (block := next(blocks, None)) is not None:
        head += block
    lines = head.splitlines(keepends=True)
    header = read_header([line.rstrip(b"\r\n") for line in lines], wanted, origin=origin)
    rest = b"".join(lines[header.first_row :])
    return header, Opened(header.columns, header.first_row, "utf-8", chain([rest], blocks))


def _shows_header(head: bytes) -> bool:
    """Whether there is a line that is not blank, and another behind it: so its end is whole too."""
    lines = head.splitlines()
    return any(line.removeprefix(MARK).strip() for line in lines[:-1])


def cut_windows(opened: Opened, header: Header, is_row: IsRow, *, most_bytes: int | None = None) -> Iterator[bytes]:
    """Cut what comes after the header behind rows, as late in each block as can be.

    Parameters
    ----------
    most_bytes
        Of lines none of which is a row, more are cut as if the file ended; None: all of them are one window.
    """
    rest = b""
    for block in opened.blocks:
        end = _find_end(block, header, is_row, opened.encoding, is_whole=not rest)
        if not end and rest:
            block, rest = rest + block, b""
            end = _find_end(block, header, is_row, opened.encoding, is_whole=True)
        if not end and most_bytes is not None and len(block) > most_bytes:
            end = _last_line_end(block)
        if end:
            yield b"".join((rest, memoryview(block)[:end]))
            rest = b""
        rest += block[end:]
    if rest:
        yield rest


def _find_end(content: bytes, header: Header, is_row: IsRow, encoding: str, *, is_whole: bool) -> int:
    """Find the end of the last whole line that is a row of its own; 0 where none of the last ones is.

    Parameters
    ----------
    is_whole
        Whether the first line begins where the content does.
    """
    end = _last_line_end(content)
    for _ in range(MOST_TRIES):
        stop = end - 2 if content[max(end - 2, 0) : end] == b"\r\n" else end - 1
        feed = content.rfind(b"\n", 0, max(stop, 0))
        start = max(feed, content.rfind(b"\r", feed + 1, max(stop, 0))) + 1
        if not end or not (start or is_whole):
            return 0
        line = content[start:stop] if encoding == "utf-8" else as_utf_8(content[start:stop], encoding)
        cells = LineReader([line], header, is_row).cells(0)
        if cells is not None and is_row(cells):
            return end
        end = start
    return 0


def _last_line_end(content: bytes) -> int:
    """Find where the last line ends that surely does: a carriage return may have a line feed behind it."""
    return content.rfind(b"\n") + 1 or content.rfind(b"\r", 0, max(len(content) - 1, 0)) + 1


def _read_blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while block := stream.read(size):
        yield block


def _from_utf_16(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Write UTF-16 in UTF-8, line by line; see `client.data.lines.split_lines`."""
    rest, is_first = b"", True
    codec = "utf-16-be" if encoding == "utf-16-be" else "utf-16-le"
    for block in blocks:
        rest += block
        if is_first:
            for mark, marked in UTF_16:
                if rest.startswith(mark):
                    rest, codec = rest[len(mark) :], marked
        is_first = False
        lines, end = [], 0
        for found in re.finditer(line_ends(codec), rest):
            if found.end() > len(rest) - 4:  # half of an end, it may be
                break
            lines.append(as_utf_8(rest[end : found.start()], codec) + b"\n")
            end = found.end()
        rest = rest[end:]
        yield b"".join(lines)
    if rest:
        lines = [as_utf_8(line, codec) for line in re.split(line_ends(codec), rest)]
        yield b"\n".join(lines)
