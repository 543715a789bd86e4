"""How delimited text writes things down, guessed once, with what each guess rests on.

A guess is made from lines spread over the file and then stands in shop.toml; from there on no row changes how another
is read. Whatever could be either is said to be so. Evidence quotes cells of numbers and days alone, never of a column
that may be somebody's birthday.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from client.data.lines import MARK, SEPARATORS, UTF_16, split_cells, split_lines
from client.shop.settings import Dialect
from client.shop.source.moment import find_shape
from common.errors import DataError

MOST_HEADER_ROWS = 60  # lines in which a header is looked for
ENOUGH = 0.9  # of the lines that tell encodings apart
MOST_LINES = 10  # that a row goes over
FEWEST_DAYS = 3  # in a header that make its table wide
SHOWN = 3  # cells quoted
NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
PRIVATE = ("birth", "geburt", "born", "dob", "生日", "出生")

Text = Literal["", ",", ".", " ", "'"]
_SIGN = r"[-+(]?(?:[A-Z]{3}|[A-Z]{0,2}[$€£¥￥])? ?[-+]?"
_TAIL = r"(?: ?(?:[A-Z]{3}|[$€£¥￥%]))?[-)]?"
COMMA = re.compile(rf"{_SIGN}(?:[0-9]{{1,3}}(?:[.' ][0-9]{{3}})+|[0-9]+),(?:[0-9]{{1,2}}|[0-9]{{4,}}){_TAIL}")
POINT = re.compile(rf"{_SIGN}(?:[0-9]{{1,3}}(?:[,' ][0-9]{{3}})+|[0-9]+)\.(?:[0-9]{{1,2}}|[0-9]{{4,}}){_TAIL}")
GROUPED = {
    ",": re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+{_TAIL}"),
    ".": re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+{_TAIL}"),
}
BELOW_THOUSAND = re.compile(rf"{_SIGN}[0-9]{{1,3}}{_TAIL}")
NUMBER = re.compile(rf"{_SIGN}[0-9][0-9.,' ]*{_TAIL}")
DAY_FIRST = re.compile(r"([0-9]{1,2})([-/.]) ?([0-9]{1,2})\2 ?([0-9]{4}|[0-9]{2})(?![0-9]).*")
COMMON = re.compile(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]")
PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")


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
    decimal, thousands, why_number = guess_numbers(public)
    dates, why_dates = guess_dates(public, prefer_day=decimal == ",")
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


def guess_encoding(content: bytes) -> tuple[str, str]:
    """Guess by a mark, else by the lines that are not plain ASCII."""
    if content.startswith(MARK):
        return "utf-8", "The file begins with the mark of UTF-8."
    for mark, encoding in UTF_16:
        if content.startswith(mark):
            return encoding, f"The file begins with the mark of {encoding.upper()}."
    if content.count(0) * 5 > len(content) > 1:
        encoding = "utf-16-le" if content[1::2].count(0) >= content[::2].count(0) else "utf-16-be"
        return encoding, f"Every other byte is zero, as in {encoding.upper()}."
    telling = [line for line in content.splitlines() if not line.isascii()]
    if not telling:
        return "utf-8", ""
    whole = sum(_is_utf_8(line) for line in telling)
    said = f"of {len(telling)} lines with other letters than plain ones"
    if whole >= ENOUGH * len(telling):
        return "utf-8", f"{whole} {said} are UTF-8."
    chinese = sum(_is_chinese(line) for line in telling)
    if chinese >= ENOUGH * len(telling):
        return "gb18030", f"{chinese} {said} are Chinese in GB18030 (GBK), and {whole} are UTF-8."
    return "cp1252", f"Only {whole} {said} are UTF-8, and {chinese} Chinese in GBK, so it is taken for Windows-1252."


def _is_utf_8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(line: bytes) -> bool:
    """Whether bytes that are not ASCII come in pairs, most of them common Chinese letters or marks.

    Two German or French letters beside each other (`öß`) are a pair too, but of a letter that is hardly ever written.
    """
    try:
        line.decode("gb18030")
    except UnicodeDecodeError:
        return False
    pairs = PAIR.findall(line)
    common = sum(COMMON.fullmatch(pair) is not None for pair in pairs)
    alone = sum(byte >= 0x80 for byte in PAIR.sub(b"", line))
    return bool(pairs) and common * 2 > len(pairs) and alone <= len(pairs) // 10


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


def find_header(rows: Sequence[Sequence[str]], *, origin: str) -> tuple[int, str]:
    """Find the line of the header, counted from 1: the first one as wide as the rows, all of whose cells are words.

    Raises
    ------
    DataError
        Numbers or days stand where the names should.
    """
    counts = Counter(len(row) for row in rows if any(cell.strip() for cell in row))
    if not counts:
        raise DataError(f"{origin} is empty; give one with the names of the columns and rows below them.")
    width = max(counts, key=lambda size: (counts[size], size))
    for number, row in enumerate(rows[:MOST_HEADER_ROWS], start=1):
        named = [cell.strip() for cell in row if cell.strip()]
        if len(row) < width - 1 or len(named) * 2 < width or not named:
            continue
        days = [cell for cell in named[1:] if find_shape(cell, "dmy") is not None]
        if len(days) >= FEWEST_DAYS and not _is_value(named[0]):
            raise DataError(
                f"{origin} has a column for each day ({days[0]} … {days[-1]}); lay it out with a row for each product "
                "and day, in columns day, product and quantity."
            )
        if any(_is_value(cell) for cell in named):
            raise DataError(
                f"Line {number} of {origin} holds numbers or days where the names of the columns should be; "
                "write them in a line above it."
            )
        return number, f"The names of the columns stand in line {number}, below other words." if number > 1 else ""
    raise DataError(f"{origin} has no line with the names of its columns; write one above the rows.")


def _is_value(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None or find_shape(cell, "dmy") is not None


def guess_numbers(columns: dict[str, list[str]]) -> tuple[Literal[".", ","], Text, str]:
    """Guess the decimal mark, and with it the one that may stand between thousands."""
    commas, points = (_matching(columns, pattern) for pattern in (COMMA, POINT))
    if commas or points:
        decimal: Literal[".", ","] = "," if len(commas) > len(points) else "."
        most, others = (commas, points) if decimal == "," else (points, commas)
        but = f", though {len(others)} are written the other way" if others else ""
        return (
            decimal,
            "." if decimal == "," else ",",
            f"Decimals stand behind a {_name(decimal)}: {_quote(most)}{but}.",
        )
    marks: tuple[Literal[".", ","], ...] = (",", ".")
    for decimal in marks:
        grouped = _grouped(columns, decimal)
        if grouped:
            thousands: Text = "." if decimal == "," else ","
            why = f"A {_name(thousands)} stands between thousands: {_quote(grouped)}; no number has decimals."
            return decimal, thousands, why
    return ".", "", ""


def _grouped(columns: dict[str, list[str]], decimal: str) -> list[str]:
    """List cells that are thousands for certain: others of their column are below a thousand and have no mark."""
    found = []
    for cells in columns.values():
        bare = [cell.strip() for cell in cells if cell.strip()]
        marked = [cell for cell in bare if GROUPED[decimal].fullmatch(cell)]
        plain = sum(BELOW_THOUSAND.fullmatch(cell) is not None for cell in bare)
        if marked and plain and plain + len(marked) >= ENOUGH * len(bare):
            found += marked
    return found


def _matching(columns: dict[str, list[str]], pattern: re.Pattern[str]) -> list[str]:
    """List cells of columns of numbers that match."""
    found = []
    for cells in columns.values():
        bare = [cell.strip() for cell in cells if cell.strip()]
        matched = [cell for cell in bare if pattern.fullmatch(cell)]
        if matched and sum(NUMBER.fullmatch(cell) is not None for cell in bare) >= ENOUGH * len(bare):
            found += matched
    return found


def _name(mark: str) -> str:
    return {",": "comma", ".": "point"}[mark]


def _quote(cells: Iterable[str]) -> str:
    return ", ".join(list(dict.fromkeys(cells))[:SHOWN])


def guess_dates(columns: dict[str, list[str]], *, prefer_day: bool) -> tuple[Literal["ymd", "dmy", "mdy"], str]:
    """Guess the order of days that do not begin with the year."""
    found = [
        [(cell, match) for cell in cells if (match := DAY_FIRST.fullmatch(cell.strip()))] for cells in columns.values()
    ]
    days = [pair for column in found for pair in column]
    if not days:
        return "ymd", ""
    day_first = [cell for cell, match in days if int(match[1]) > 12 >= int(match[3])]
    month_first = [cell for cell, match in days if int(match[3]) > 12 >= int(match[1])]
    if day_first or month_first:
        order: Literal["dmy", "mdy"] = "dmy" if len(day_first) >= len(month_first) else "mdy"
        most, others = (day_first, month_first) if order == "dmy" else (month_first, day_first)
        but = f", though {len(others)} are written the other way" if others else ""
        return order, f"The {'day' if order == 'dmy' else 'month'} stands first: {_quote(most)}{but}."
    steps = {order: sum(_steps_back(column, order) for column in found) for order in ("dmy", "mdy")}
    cells = _quote(cell for cell, _ in days)
    if steps["dmy"] != steps["mdy"]:
        order = "dmy" if steps["dmy"] < steps["mdy"] else "mdy"
        return (
            order,
            f"The rows are in order of time if the {'day' if order == 'dmy' else 'month'} stands first: {cells}.",
        )
    order = "dmy" if prefer_day or days[0][1][2] == "." else "mdy"
    first = "day" if order == "dmy" else "month"
    return (
        order,
        f"Whether day or month stands first cannot be told from {cells}; the {first} is assumed: please check.",
    )


def _steps_back(column: Sequence[tuple[str, re.Match[str]]], order: str) -> int:
    """Count the neighbours whose days are out of order, whichever way the column runs."""
    keys = [
        (int(match[4]), int(match[3]), int(match[1]))
        if order == "dmy"
        else (int(match[4]), int(match[1]), int(match[3]))
        for _, match in column
    ]
    back = sum(after < before for before, after in pairwise(keys))
    forth = sum(after > before for before, after in pairwise(keys))
    return min(back, forth)
