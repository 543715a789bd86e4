"""In which order day, month and year are written down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from client.shop.source.evidence import quote
from common.errors import DataError

CLEARLY = 1.5  # times as many steps back in time, from which on an order of day and month is not that of the rows
FEW_SLIPS, SLIPS = 2, 0.02  # cells of a column, and their share, that may have day and month the other way round
DAY_FIRST = re.compile(r"([0-9]{1,2})([-/.]) ?([0-9]{1,2})\2 ?([0-9]{4}|[0-9]{2})(?![0-9]).*")
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
        return "ymd", f"The year stands first, in two digits: {quote(cell for cell, _ in days)}."
    for name, column in found.items():
        _refuse_two_orders(name, column, origin)
    day_first, month_first = _telling(days)
    if day_first or month_first:
        order: Order = "dmy" if len(day_first) >= len(month_first) else "mdy"
        most, others = (day_first, month_first) if order == "dmy" else (month_first, day_first)
        but = f", though {len(others)} are written the other way" if others else ""
        return order, f"The {'day' if order == 'dmy' else 'month'} stands first: {quote(most)}{but}."
    steps = {order: sum(_steps_back(column, order) for column in found.values()) for order in ("dmy", "mdy")}
    cells = quote(cell for cell, _ in days)
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
