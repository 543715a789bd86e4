"""What can move a forecast, in groups that a person tells apart, and to which one each column of a method belongs."""

from __future__ import annotations

from typing import Literal, get_args

from common.calendar.shopping_day import SHOPPING_DAYS
from common.plan.schema import WEEKDAYS

Group = Literal[
    "usual",  # what it began from: the usual level of an open day, times the days that are usually open
    "stock_out",  # the same level had days out of stock counted as days on which nobody wanted it
    "weekday",
    "closed",
    "recent",  # the last weeks against the usual level
    "season",
    "holiday",
    "event",
    "promotion",
    "price",
    "interest",  # views, carts and whatever else was observed
    "known",  # what else is known ahead
    "alike",  # how products of this size and age go on, here or in the public model
    "new",  # put right, since the product is new or rare, or nothing since it is gone
    "override",  # what a person expects instead
    "rest",
]
GROUPS: tuple[Group, ...] = get_args(Group)
START: tuple[Group, ...] = ("usual", "stock_out")  # what a forecast begins from; the others move it

_PUBLIC_DAYS = frozenset({"holiday", "day before a holiday", "day after a holiday", "worked weekend", *SHOPPING_DAYS})
_EXACT: dict[str, Group] = {
    **dict.fromkeys(("surprise", "since last", "overdue"), "recent"),
    **dict.fromkeys(
        ("rate", "tenure", "days sold", "recent days sold", "anchor", "spread", "gap", "irregular", "return"), "alike"
    ),
    **dict.fromkeys(("open share", "open", "open before", "open after"), "closed"),
    **dict.fromkeys(("last year", "last year's season"), "season"),
    **dict.fromkeys(WEEKDAYS, "weekday"),
    "regime": "known",
    "lead": "rest",
}
_BY_START: dict[str, Group] = {
    "trend ": "recent",
    "lag ": "recent",
    "channel ": "interest",
    "recent channel ": "interest",
    "whole channel ": "interest",
    "static ": "alike",
    "year wave ": "season",
    "month wave ": "season",
}


def group_of(name: str) -> Group:
    """Give the group of a column, by the name that `common.model.features` or a table of trees gives it."""
    if name in _EXACT:
        return _EXACT[name]
    if name.startswith("known "):
        return _group_of_known(name.removeprefix("known "))
    return next((group for start, group in _BY_START.items() if name.startswith(start)), "rest")


def _group_of_known(name: str) -> Group:
    if name in _PUBLIC_DAYS:
        return "holiday"
    if name.startswith("event "):
        return "event"
    if name in ("promotion", "discount"):
        return "promotion"
    return "price" if name == "price" else "known"
