"""Where the names of the columns stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from client.shop.source.moment import find_shape
from client.shop.source.number_style import NUMBER
from common.errors import DataError

MOST_HEADER_ROWS = 60  # lines in which a header is looked for
FEWEST_DAY_COLUMNS = 3  # fewer days beside each other may be those of an order


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
