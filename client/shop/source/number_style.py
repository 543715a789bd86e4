"""How numbers are written down: the decimal mark, and what stands between thousands.

A mark that could be either is said to be so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from client.shop.source.cells import PIECES
from client.shop.source.evidence import quote
from client.shop.source.plain import write_plainly

ENOUGH = 0.9  # of the cells of a column
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
POINTED_DAY = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{2,4}.*")


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
            f"Decimals stand behind a {_name(decimal)}: {quote(most)}{but}.",
        )
    marks: tuple[Literal[".", ","], ...] = (",", ".")
    for decimal in marks:
        grouped = _grouped(columns, decimal)
        if grouped:
            thousands: Text = "." if decimal == "," else ","
            why = f"A {_name(thousands)} stands between thousands: {quote(grouped)}; no number has decimals."
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
            return other, mark, f"A {_name(mark)} stands between thousands: {quote(found[0])}."
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
