"""How delimited text writes things down, guessed once, with what each guess rests on.

A guess is made from lines spread over the file and then stands in shop.toml; from there on no row changes how another
is read. Whatever could be either is said to be so. Evidence quotes cells of numbers and days alone, never of a column
that may be somebody's birthday.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from client.data.lines import MARK, SEPARATORS, split_cells, split_lines
from client.shop.settings import Dialect
from client.shop.source.day_order import guess_dates
from client.shop.source.encoding import guess_encoding
from client.shop.source.header import MOST_HEADER_ROWS, find_header
from client.shop.source.number_style import guess_numbers, has_pointed_days
from common.errors import DataError

MOST_LINES = 10  # that a row goes over
NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
PRIVATE = ("birth", "geburt", "born", "dob", "生日", "出生")


@dataclass(frozen=True)
class Guessed:
    """A dialect, and what it was guessed from, a sentence each."""

    dialect: Dialect
    evidence: tuple[str, ...]


def guess_dialect(content: bytes, *, origin: str) -> Guessed:
    """Guess from the beginning of a file, and more of its lines.

    Raises
    ------
    DataError
        It is no table.
    """
    encoding, why_encoding = guess_encoding(content)
    lines = [line.removeprefix(MARK).decode(errors="replace") for line in split_lines(content, encoding)]
    if not any(line.strip() for line in lines):
        raise DataError(f"{origin} is empty; give a file with the names of the columns and rows below them.")
    _require_table(lines, origin)
    separator, why_separator = guess_separator(lines)
    rows = list(_split_rows(lines, separator))
    header_row, why_header = find_header(rows, origin=origin)
    header, body = rows[header_row - 1], [row for row in rows[header_row:] if row]
    columns = {name: [row[place] for row in body if place < len(row)] for place, name in enumerate(header)}
    public = {name: cells for name, cells in columns.items() if not any(word in name.lower() for word in PRIVATE)}
    decimal, thousands, why_number = guess_numbers(public, is_continental=separator == ";" or has_pointed_days(public))
    dates, why_dates = guess_dates(public, prefer_day=decimal == ",", origin=origin)
    dialect = Dialect(
        encoding=encoding,
        separator=separator,
        decimal=decimal,
        thousands=thousands,
        dates=dates,
        header_row=header_row,
    )
    evidence = (why_encoding, why_separator, why_header, why_number, why_dates)
    return Guessed(dialect, tuple(sentence for sentence in evidence if sentence))


def _require_table(lines: Sequence[str], origin: str) -> None:
    text = "\n".join(lines[:MOST_HEADER_ROWS])
    begin = text.lstrip()[:1] or " "
    odd = sum((letter < " " and letter not in "\t\n\r\0") or letter == "\ufffd" for letter in text)
    if begin in "<{" or (begin == "[" and "{" in text[:20]):
        what = "HTML or XML" if begin == "<" else "JSON"
        raise DataError(f"{origin} is no table but {what}; export it as CSV or Excel.")
    if odd * 20 > len(text):
        raise DataError(f"{origin} is no table of text; give a CSV, Excel or Parquet file.")


def guess_separator(lines: Sequence[str]) -> tuple[str, str]:
    """Choose the separator by which most lines have one and the same number of cells, and more than one."""
    there = [line for line in lines if line.strip()]
    best = max(SEPARATORS, key=lambda separator: _fit(there, separator))
    num_lines, num_cells = _fit(there, best)
    if num_cells < 2:
        return ",", "There is one column."
    return best, f"{num_lines} of {len(there)} lines have {num_cells} cells between {NAMES[best]}."


def _split_rows(lines: Sequence[str], separator: str) -> Iterator[list[str]]:
    """Split each line, one with an open quote together with those behind it up to where it ends; those hold nothing."""
    passed = 0
    for number, line in enumerate(lines):
        cells = split_cells(line, separator) if number >= passed else []
        end = number + 1
        while cells is None and end < min(number + MOST_LINES, len(lines)):
            end += 1
            cells = split_cells("\n".join(lines[number:end]), separator, strict=True) or None
        passed = max(passed, end if cells else 0)
        yield cells or []


def _fit(lines: Sequence[str], separator: str) -> tuple[int, int]:
    counts = Counter(len(split_cells(line, separator) or ()) for line in lines)
    found = [(number, size) for size, number in counts.items() if size > 1]
    return max(found, default=(0, 1))
