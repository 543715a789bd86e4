"""Tables with a column for each day or each product, or of events of several kinds: refused with what to do instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from client.shop.export.field import WORDS
from client.shop.export.guess import MOSTLY, Column, header_score
from client.shop.source.cells import read_days
from client.shop.source.source import Look
from common.errors import DataError

INTEREST = ("view", "cart", "click", "impression", "wishlist", "visit", "浏览", "加购", "点击", "收藏")  # no sale
EVENT = re.compile(r"event|action|activity|ereignis|aktion|事件|行为", re.IGNORECASE)
FEWEST = 3  # columns of one sort that make a table wide


def refuse_wide(look: Look, columns: Sequence[Column]) -> None:
    """Refuse a table whose columns are days or products.

    Raises
    ------
    DataError
        It says which columns, and how to lay the table out.
    """
    days = _day_headers(columns)
    if len(days) >= FEWEST:
        raise DataError(
            f"{_where(look)} has a column for each day ({days[0]} … {days[-1]}); lay it out with a row for each "
            f"product and day, in columns day, product and quantity."
        )
    products = _product_headers(columns)
    if len(products) >= FEWEST:
        raise DataError(
            f"{_where(look)} has a column for each product ({', '.join(products[:3])} …); lay it out with a row for "
            f"each product and day, in columns day, product and quantity."
        )


def refuse_events(look: Look, columns: Sequence[Column]) -> None:
    """Refuse a table whose rows are looks, carts and sales together: each would count as a sale.

    Raises
    ------
    DataError
        It says by which column they are told apart.
    """
    for column in columns:
        words = sorted(set(column.filled))
        if EVENT.search(column.name) and any(sign in word.lower() for word in words for sign in INTEREST):
            raise DataError(
                f"{_where(look)} says in {column.name!r} what happened in each row, and not every row is a sale; give "
                f"a file for each of them, as sales.csv, views.csv and carts.csv."
            )


def _where(look: Look) -> str:
    return f"{look.location}, {look.table}," if look.table else look.location


def _day_headers(columns: Sequence[Column]) -> list[str]:
    numeric = [column for column in columns if column.share_numbers >= MOSTLY]
    if not numeric:
        return []
    headers = pa.array([column.name for column in numeric], pa.string())
    days, _, _ = read_days(headers, numeric[0].dialect, ZoneInfo("UTC"))
    return [column.name for column, day in zip(numeric, days, strict=True) if not np.isnat(day)]


def _product_headers(columns: Sequence[Column]) -> list[str]:
    """List the columns of numbers whose names are no word for anything, beside a single column of days."""
    words = tuple(word for fields in WORDS.values() for each in fields.values() for word in each)
    others = [column for column in columns if not header_score(column.name, words)]
    known = [column for column in columns if column not in others]
    only_days = len(known) <= 1 and all(column.share_days >= MOSTLY and column.share_distinct == 1 for column in known)
    counted = all(_are_pieces(column) for column in others if column.filled)
    return [column.name for column in others] if known and only_days and counted else []


def _are_pieces(column: Column) -> bool:
    """Whether values can be pieces sold, unlike degrees or shares."""
    return column.share_numbers >= MOSTLY and column.share_whole == 1 and not (column.numbers < 0).any()
