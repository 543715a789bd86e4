"""Columns that are called like a field and hold something else: said, and never passed over."""

from __future__ import annotations

import re
from collections.abc import Sequence

from client.shop.export.field import WORDS
from client.shop.export.guess import FITS, MOSTLY, SURE, Column, header_score
from client.shop.record import Kind
from client.shop.settings import Dialect
from client.shop.source.source import Look
from common.errors import DataError

NOTHING = ("", "na", "n/a", "null", "none", "nan", "nil", "k. a", "k.a", "无", "空")
HINTS = (
    (r"\d{5}(?:\.\d+)?", "these look like a spreadsheet's numbers of days, so format the column as a date"),
    (r"1\d{9}(?:\d{3}){0,2}(?:\.\d+)?", "these look like seconds since 1970, so export them as dates"),
    (r"\d{4}-\d{2}|\d{4}-W\d\d|\d{1,2}\.\d{4}", "a month or a week is no day"),
)


def find_counting(kind: Kind, columns: Sequence[Column]) -> Column | None:
    """Find the column that is called a quantity and counts something, though it cannot be read as numbers.

    It is a quantity all the same: rows that count as one each, beside a column of pieces, would be wrong in silence.
    """
    words = WORDS[kind].get("quantity", ())
    called = [column for column in columns if not column.personal and header_score(column.name, words) >= FITS]
    return next((column for column in called if _counts(column)), None)


def _counts(column: Column) -> bool:
    said = [value for value in column.filled if value.lower().strip("#-–. ") not in NOTHING]
    return sum(any(map(str.isnumeric, value)) for value in said) * 2 >= len(said)


def ask_counting(column: Column) -> str:
    """Say what becomes of a quantity that cannot be read."""
    if not column.filled:
        return f"Why is the quantity {column.name!r} empty? Rows without one are left out."
    return (
        f"What does {column.name!r} say? It is called a quantity, but {column.share_numbers:.0%} of its values are "
        "numbers, and the other rows are left out."
    )


def refuse_doubled(look: Look, columns: Sequence[Column]) -> None:
    """Refuse a table in which a day, a product or a quantity stands in one of two columns of the same name.

    Raises
    ------
    DataError
        It names them.
    """
    for name in look.doubled:
        for field in ("day", "product", "quantity"):
            words = WORDS["sales"][field]
            others = max((header_score(column.name, words) for column in columns), default=0.0)
            if header_score(name, words) >= SURE > others:
                raise DataError(f"{_where(look)} has the column {name!r} twice; rename one of them.")


def explain_unfit(look: Look) -> str:
    """Say that no row can be read, or which column is called a day and holds few; "" where it is neither."""
    if look.num_rows == 0:
        return (
            f"{_where(look)} has no row that can be read below the names of its columns, which are "
            f"{', '.join(look.sample)}; see that each row has as many cells as there are names."
        )
    columns = [Column(header, values, look.dialect or Dialect()) for header, values in look.sample.items()]
    column = next((each for each in columns if header_score(each.name, WORDS["sales"]["day"]) >= SURE), None)
    if column is None or column.share_days >= MOSTLY or not column.filled:
        return ""
    hint = next((hint for pattern, hint in HINTS if all(re.fullmatch(pattern, each) for each in column.filled)), "")
    which = f"Only {column.share_days:.0%} of the" if column.share_days else "None of the"
    shown = next(iter(column.samples()), "")
    return (
        f"{which} values of the column {column.name!r} of {_where(look)} are days that can be read (it begins with "
        f"{shown!r}{hint and '; '}{hint}); write days as 2026-01-31."
    )


def _where(look: Look) -> str:
    return f"{look.location}, {look.table}," if look.table else look.location
