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
from client.shop.source.cells import PIECES
from client.shop.source.moment import find_shape
from client.shop.source.plain import write_plainly
from common.errors import DataError

MOST_HEADER_ROWS = 60  # lines in which a header is looked for
ENOUGH = 0.9  # of the lines that tell encodings apart
MOST_LINES = 10  # that a row goes over
FEWEST_DAY_COLUMNS = 4  # fewer days beside each other may be those of an order
SHOWN = 3  # cells quoted
CLEARLY = 1.5  # times as many steps back in time, from which on an order of day and month is not that of the rows
FEW_SLIPS, SLIPS = 2, 0.02  # cells of a column, and their share, that may have day and month the other way round
NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
PRIVATE = ("birth", "geburt", "born", "dob", "生日", "出生")

Text = Literal["", ",", ".", " ", "'"]
_SIGN = r"[-+(]?(?:[A-Z]{3}|[A-Z]{0,2}[$€£¥￥₹₩₽₺₫฿₴₦])? ?[-+]?"
_TAIL = rf"(?:[eE][-+]?[0-9]{{1,3}})?(?: ?(?:[A-Z]{{3}}|[$€£¥￥₹₩₽₺₫฿₴₦%]))?[-)]?(?: ?(?i:{PIECES}))?"
_LAKHS = r"[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}"
_END = r"(?:[0-9]{1,2}|[0-9]{4,})"  # three digits may be thousands
COMMA = re.compile(rf"{_SIGN}(?:(?:[0-9]{{1,3}}(?:[.' ][0-9]{{3}})+|[0-9]+),{_END}|0,[0-9]+){_TAIL}")
POINT = re.compile(rf"{_SIGN}(?:(?:[0-9]{{1,3}}(?:[,' ][0-9]{{3}})+|{_LAKHS}|[0-9]+)\.{_END}){_TAIL}")
GROUPED = {
    ",": re.compile(rf"{_SIGN}[1-9][0-9]{{0,2}}(?:\.[0-9]{{3}})+{_TAIL}"),
    ".": re.compile(rf"{_SIGN}(?:[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|{_LAKHS}){_TAIL}"),
}
BELOW_THOUSAND = re.compile(rf"{_SIGN}[0-9]{{1,3}}{_TAIL}")
NUMBER = re.compile(rf"{_SIGN}[0-9][0-9.,' ]*{_TAIL}")
DAY_FIRST = re.compile(r"([0-9]{1,2})([-/.]) ?([0-9]{1,2})\2 ?([0-9]{4}|[0-9]{2})(?![0-9]).*")
POINTED_DAY = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2,4}.*")
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

    Empty cells at the end of a row do not make it wider, and a line that begins with # is a remark where the next one
    can be the header.

    Raises
    ------
    DataError
        Numbers or days stand where the names should.
    """
    counts = Counter(_width(row) for row in rows if any(cell.strip() for cell in row))
    if not counts:
        raise DataError(f"{origin} is empty; give one with the names of the columns and rows below them.")
    width = max(counts, key=lambda size: (counts[size], size))
    for number, row in enumerate(rows[:MOST_HEADER_ROWS], start=1):
        named = [cell.strip() for cell in row if cell.strip()]
        if not _can_name(row, width) or (_is_remark(row) and number < len(rows) and _is_header(rows[number], width)):
            continue
        if any(_is_value(cell) for cell in named):
            _refuse_day_columns(named, origin)
            raise DataError(
                f"Line {number} of {origin} holds numbers or days where the names of the columns should be; "
                "write them in a line above it."
            )
        return number, f"The names of the columns stand in line {number}, below other words." if number > 1 else ""
    raise DataError(f"{origin} has no line with the names of its columns; write one above the rows.")


def _width(row: Sequence[str]) -> int:
    return max((number for number, cell in enumerate(row, start=1) if cell.strip()), default=0)


def _can_name(row: Sequence[str], width: int) -> bool:
    """Whether a row is wide enough to name the columns."""
    named = sum(bool(cell.strip()) for cell in row)
    return len(row) >= width - 1 and named * 2 >= width and named > 0


def _is_header(row: Sequence[str], width: int) -> bool:
    return _can_name(row, width) and not any(_is_value(cell.strip()) for cell in row)


def _is_remark(row: Sequence[str]) -> bool:
    first = row[0].strip() if row else ""
    return first.startswith("#") and len(first) > 1


def _refuse_day_columns(named: Sequence[str], origin: str) -> None:
    """Refuse a header of words and then days."""
    days = [cell for cell in named if find_shape(cell, "dmy") is not None]
    if len(days) >= FEWEST_DAY_COLUMNS and list(named[-len(days) :]) == days and len(days) < len(named):
        raise DataError(
            f"{origin} has a column for each day ({days[0]} … {days[-1]}); lay it out with a row for each product and "
            "day, in columns day, product and quantity."
        )


def _is_value(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None or find_shape(cell, "dmy") is not None


def guess_numbers(columns: dict[str, list[str]], *, is_continental: bool) -> tuple[Literal[".", ","], Text, str]:
    """Guess the decimal mark, and with it the one that may stand between thousands.

    Parameters
    ----------
    is_continental
        Whether the table is written as where a comma stands before decimals; it counts where nothing else tells.
    """
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
    return _guess_doubtful(columns, "," if is_continental else ".")


def _guess_doubtful(columns: dict[str, list[str]], decimal: Literal[".", ","]) -> tuple[Literal[".", ","], Text, str]:
    """Say of numbers as 8.200 that they can be read in two ways, and take that of the place."""
    marks: tuple[Literal[".", ","], ...] = (".", ",")
    for mark, other in (marks, marks[::-1]):
        found = [bare for cells in columns.values() if (bare := _bare(cells)) and _are_all(bare, GROUPED[other])]
        if not found:
            continue
        cell = next((each for each in found[0] if each.count(mark) == 1), "")
        if not cell:
            return other, mark, f"A {_name(mark)} stands between thousands: {_quote(found[0])}."
        whole, read = cell.replace(mark, ""), cell.replace(mark, ".").rstrip("0")
        taken = read if mark == decimal else whole
        return (
            decimal,
            "." if decimal == "," else ",",
            f"Whether {cell} is {whole} or {read} cannot be told; {taken} is assumed: please check dialect.decimal.",
        )
    return ".", "", ""


def _are_all(cells: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return all(pattern.fullmatch(cell) for cell in cells)


def has_pointed_days(columns: dict[str, list[str]]) -> bool:
    """Whether days are written as 24.12.2026."""
    return any(POINTED_DAY.fullmatch(cell) for cells in columns.values() for cell in cells)


def _bare(cells: Iterable[str]) -> list[str]:
    return [write_plainly(cell) for cell in cells if cell.strip()]


def _grouped(columns: dict[str, list[str]], decimal: str) -> list[str]:
    """List cells that are thousands for certain: others of their column are below a thousand and have no mark."""
    found = []
    for cells in columns.values():
        bare = _bare(cells)
        marked = [cell for cell in bare if GROUPED[decimal].fullmatch(cell)]
        plain = sum(BELOW_THOUSAND.fullmatch(cell) is not None for cell in bare)
        if marked and plain and plain + len(marked) >= ENOUGH * len(bare):
            found += marked
    return found


def _matching(columns: dict[str, list[str]], pattern: re.Pattern[str]) -> list[str]:
    """List cells of columns of numbers that match."""
    found = []
    for cells in columns.values():
        bare = _bare(cells)
        matched = [cell for cell in bare if pattern.fullmatch(cell)]
        if matched and sum(NUMBER.fullmatch(cell) is not None for cell in bare) >= ENOUGH * len(bare):
            found += matched
    return found


def _name(mark: str) -> str:
    return {",": "comma", ".": "point"}[mark]


def _quote(cells: Iterable[str]) -> str:
    return ", ".join(list(dict.fromkeys(cells))[:SHOWN])


Order = Literal["ymd", "dmy", "mdy"]


def guess_dates(columns: dict[str, list[str]], *, prefer_day: bool, origin: str) -> tuple[Order, str]:
    """Guess the order of days that do not begin with the year in full.

    Raises
    ------
    DataError
        One column has days in two orders.
    """
    found = {
        name: [(cell, match) for cell in cells if (match := DAY_FIRST.fullmatch(cell.strip()))]
        for name, cells in columns.items()
    }
    days = [pair for column in found.values() for pair in column]
    if not days:
        return "ymd", ""
    if all(_begins_with_year(column) for column in found.values() if column):
        return "ymd", f"The year stands first, in two digits: {_quote(cell for cell, _ in days)}."
    for name, column in found.items():
        _refuse_two_orders(name, column, origin)
    day_first, month_first = _telling(days)
    if day_first or month_first:
        order: Order = "dmy" if len(day_first) >= len(month_first) else "mdy"
        most, others = (day_first, month_first) if order == "dmy" else (month_first, day_first)
        but = f", though {len(others)} are written the other way" if others else ""
        return order, f"The {'day' if order == 'dmy' else 'month'} stands first: {_quote(most)}{but}."
    steps = {order: sum(_steps_back(column, order) for column in found.values()) for order in ("dmy", "mdy")}
    cells = _quote(cell for cell, _ in days)
    if max(steps.values()) > CLEARLY * min(steps.values()):
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


def _telling(days: Sequence[tuple[str, re.Match[str]]]) -> tuple[list[str], list[str]]:
    """List the cells that can have the day first alone, and those that can have the month first alone."""
    return (
        [cell for cell, match in days if int(match[1]) > 12 >= int(match[3])],
        [cell for cell, match in days if int(match[3]) > 12 >= int(match[1])],
    )


def _begins_with_year(column: Sequence[tuple[str, re.Match[str]]]) -> bool:
    """Whether of three numbers of two digits the first changes least and the last can be a day: 24-01-31."""
    parts = [(match[1], match[3], match[4]) for _, match in column]
    if not all(len(part) == 2 for each in parts for part in each):
        return False
    fits = all(1 <= int(month) <= 12 and 1 <= int(day) <= 31 for _, month, day in parts)
    return fits and len({year for year, _, _ in parts}) < len({day for _, _, day in parts})


def _refuse_two_orders(name: str, column: Sequence[tuple[str, re.Match[str]]], origin: str) -> None:
    """Refuse a column of which many cells have the day first and many the month: the others could be either."""
    day_first, month_first = _telling(column)
    fewer = min(len(day_first), len(month_first))
    if fewer > max(FEW_SLIPS, SLIPS * len(column)):
        raise DataError(
            f"The column {name!r} of {origin} writes days in two orders, as {day_first[0]} and {month_first[0]}; "
            "export it again with one of them."
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
