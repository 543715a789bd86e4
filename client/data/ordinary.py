"""Which lines of a window are ordinary: a parser for whole tables reads them as `client.data.lines` would.

An ordinary line has the header's number of cells, is UTF-8, holds something, and each of its quotes opens or closes a
whole cell or is one of two inside. Such a line cannot swallow the next, so any number of them can be parsed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from client.data.lines import MARK

FEED, RETURN, QUOTE = ord("\n"), ord("\r"), ord('"')
BLANKS = np.zeros(256, bool)
BLANKS[[9, 11, 12, 32]] = True


@dataclass(frozen=True)
class WindowLines:
    """A window, and where each of its lines begins and ends.

    Attributes
    ----------
    starts, stops
        Bytes of a line without its end.
    ends
        With its end.
    """

    content: bytes
    starts: Int[np.ndarray, " line"]
    stops: Int[np.ndarray, " line"]
    ends: Int[np.ndarray, " line"]

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, number: int) -> bytes:
        return self.content[self.starts[number] : self.stops[number]]


def is_plain(content: bytes, separator: str, num_cells: int) -> bool:
    """Tell whether a parser cannot misread a window: it has no quotes, and no line that only looks like a row.

    What is left is the number of cells and the encoding, of which the parser complains.
    """
    if num_cells < 2 or separator.isspace() or b'"' in content or _holds_mark(content):
        return False
    if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
        return False
    nothing = separator.encode() * (num_cells - 1)
    return not content.startswith(nothing) and b"\n" + nothing not in content


def _holds_mark(content: bytes) -> bool:
    return MARK[:1] in content and MARK in content  # one letter is found much faster than three


def split_window(content: bytes) -> WindowLines:
    """Find the lines of a window."""
    letters = np.frombuffer(content, np.uint8)
    is_end = letters == FEED
    if b"\r" in content:
        is_return = letters == RETURN
        is_return[:-1] &= ~is_end[1:]
        is_end |= is_return
    ends = np.flatnonzero(is_end) + 1
    stops = ends - 1
    before = letters[np.maximum(stops - 1, 0)]
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    stops = stops - ((letters[stops] == FEED) & (before == RETURN) & (stops > starts))
    last = int(ends[-1]) if len(ends) else 0
    if last < len(content):
        starts, stops, ends = (
            np.append(each, more) for each, more in ((starts, last), (stops, len(content)), (ends, len(content)))
        )
    return WindowLines(content, starts, stops, ends)


def find_ordinary(lines: WindowLines, separator: str, num_cells: int) -> Bool[np.ndarray, " line"]:
    """Tell which lines are ordinary."""
    letters = np.frombuffer(lines.content, np.uint8)
    is_separator = letters == ord(separator)
    places = np.flatnonzero(is_separator)
    bounds = np.append(lines.starts, len(letters))
    first = np.searchsorted(places, bounds)
    num_separators = np.diff(first)
    ordinary = np.ones(len(lines), bool)
    num_quotes: Int[np.ndarray, " line"] = np.zeros(len(lines), np.int64)
    outside = num_separators
    if b'"' in lines.content:
        num_quotes, ordinary, parity = _judge_quotes(lines, letters, is_separator)
        from_line = parity[np.maximum(lines.starts - 1, 0)] * (lines.starts > 0)
        is_inside = (parity[places] ^ np.repeat(from_line, num_separators)) & 1
        inside = np.append(0, np.cumsum(is_inside, dtype=np.int64))
        outside = num_separators - np.diff(inside[first])
    lengths = lines.stops - lines.starts
    ordinary &= (outside == num_cells - 1) & (lengths > num_separators + num_quotes)
    ordinary &= ~(_is_blank(letters, lines.starts) & _is_blank(letters, lines.stops - 1))
    if _holds_mark(lines.content):
        ordinary &= ~_has_mark(letters, lines.starts)
    return ordinary & _is_utf_8(lines)


def _judge_quotes(
    lines: WindowLines, letters: np.ndarray, is_separator: np.ndarray
) -> tuple[Int[np.ndarray, " line"], Bool[np.ndarray, " line"], np.ndarray]:
    """Count quotes, find lines whose quotes are ordinary, and tell after each byte whether their number is odd."""
    is_quote = letters == QUOTE
    places = np.flatnonzero(is_quote)
    first = np.searchsorted(places, np.append(lines.starts, len(letters)))
    count = np.diff(first)
    ordinary = count % 2 == 0
    number = np.arange(len(places)) - np.repeat(first[:-1], count)
    opens = number % 2 == 0
    padded = np.concatenate([is_separator | is_quote, [False]])
    begins = np.repeat(lines.starts, count) == places
    begins |= is_separator[places - 1] | (is_quote[places - 1] & (number > 0))
    stops = np.repeat(lines.stops, count) == places + 1
    stops |= padded[places + 1]
    wrong = np.where(opens, ~begins, ~stops)
    ordinary[np.repeat(np.arange(len(lines)), count)[wrong]] = False
    return count, ordinary, np.bitwise_xor.accumulate(is_quote.view(np.uint8))


def _is_blank(letters: np.ndarray, places: Int[np.ndarray, " line"]) -> Bool[np.ndarray, " line"]:
    return BLANKS[letters[np.clip(places, 0, max(len(letters) - 1, 0))]]


def _has_mark(letters: np.ndarray, starts: Int[np.ndarray, " line"]) -> Bool[np.ndarray, " line"]:
    last = len(letters) - 1
    return (letters[starts] == MARK[0]) & (letters[np.minimum(starts + 1, last)] == MARK[1])


def _is_utf_8(lines: WindowLines) -> Bool[np.ndarray, " line"]:
    """Try the whole window, and each line only where that fails."""
    try:
        lines.content.decode()
    except UnicodeDecodeError:
        return np.array([_can_be_read(lines[number]) for number in range(len(lines))], bool)
    return np.ones(len(lines), bool)


def _can_be_read(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
