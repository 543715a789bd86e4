"""The whole readiness report of a shop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from client.shop.calendar.ahead import ahead_of, origin_of
from client.shop.calendar.day_kind import DayKinds, guess_kinds
from client.shop.history.history import History
from client.shop.readiness.alike import find_odd_names
from client.shop.readiness.bot import find_bots
from client.shop.readiness.clock import find_other_clocks
from client.shop.readiness.currency import find_currencies
from client.shop.readiness.day import as_problems, find_days
from client.shop.readiness.duplicate import find_duplicates
from client.shop.readiness.far import find_far_days
from client.shop.readiness.late import find_late
from client.shop.readiness.left_out import find_lacking, find_left_out
from client.shop.readiness.outlier import find_outliers
from client.shop.readiness.problem import Ask, Problem
from client.shop.readiness.renamed import find_renamed
from client.shop.readiness.report import Readiness
from client.shop.readiness.sparse import find_thin_history
from client.shop.settings import Shop
from common.data.usable import LeftOut
from common.errors import DataError

HORIZON_DAYS = 28  # that are looked at ahead
FACTS = """
SELECT count(*) AS lines, count(DISTINCT nullif("order", '')) AS orders, count(DISTINCT product) AS products,
       count(DISTINCT nullif(customer, '')) AS customers, coalesce(sum(quantity), 0) AS units,
       coalesce(CAST(min(day) AS VARCHAR), '–') AS first, coalesce(CAST(max(day) AS VARCHAR), '–') AS last
FROM sales WHERE state = 'sold'
"""


def inspect_shop(history: History, shop: Shop) -> Readiness:
    """Look a shop's history over, its days and what lies ahead of it included."""
    with history.holding():
        left_out = [said for entry in history.journal() if entry.state != "undone" for said in entry.left_out]
        others = list(find_late(history))
        if history.span() is not None:
            kinds = guess_kinds(history, shop)
            others += find_days(kinds)
            others += _look_ahead(history, shop, kinds)
        return inspect_history(history.ask, shop, left_out, others)


def _look_ahead(history: History, shop: Shop, kinds: DayKinds) -> Iterator[Problem]:
    try:
        first = origin_of(history)
    except DataError as error:  # the last sale lies where the calendar ends; the rest is looked over all the same
        yield Problem("fault", "last_day", str(error), 1, effect="", advice="")
        return
    ahead = ahead_of(history, shop, first, first + timedelta(days=HORIZON_DAYS - 1), [], kinds=kinds)
    yield from as_problems(ahead.findings)


def inspect_history(
    ask: Ask, shop: Shop, left_out: Iterable[LeftOut] = (), others: Iterable[Problem] = ()
) -> Readiness:
    """Look a history over.

    Parameters
    ----------
    ask
        Answers SQL over the current records of every kind.
    left_out
        What the imports that stand could not use.
    others
        Problems found elsewhere: days of the calendar, what is not known ahead.
    """
    facts = ask(FACTS).to_pylist()[0]
    return Readiness.of(shop.name, _facts_of(facts), [*_find(ask, shop, left_out), *others])


def _facts_of(row: dict[str, object]) -> dict[str, int | float | str]:
    units = float(str(row["units"]))
    return {
        "first day": str(row["first"]),
        "last day": str(row["last"]),
        "order lines": int(str(row["lines"])),
        "orders": int(str(row["orders"])),
        "products": int(str(row["products"])),
        "customers": int(str(row["customers"])),
        "units sold": int(units) if units.is_integer() else round(units, 3),
    }


def _find(ask: Ask, shop: Shop, left_out: Iterable[LeftOut]) -> Iterator[Problem]:
    yield from find_thin_history(ask)
    yield from find_left_out(left_out)
    yield from find_lacking(ask)
    yield from find_duplicates(ask)
    yield from find_outliers(ask)
    yield from find_other_clocks(ask, shop)
    yield from find_currencies(ask, shop)
    yield from find_bots(ask)
    yield from find_renamed(ask)
    yield from find_odd_names(ask)
    yield from find_far_days(ask)
