"""Demand: every product with its next weeks, searched and in pages; and one product with its past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from client.language.number import say_day
from client.language.speech import t
from client.page.view.cell import moment_of, read_day

Row = Mapping[str, Any]
PAGE = 40  # products
SHOWN_PERIODS, PAST_WEEKS = 4, 26


def show_demand(
    rows: Sequence[Row],
    *,
    categories: Mapping[str, str],
    today: date,
    asked: str = "",
    category: str = "",
    page: int = 1,
) -> dict[str, Any]:
    """Show one page of the products that a search finds, those with the most demand ahead first.

    Parameters
    ----------
    rows
        As `hansa-client forecast --json` has them, product by product.
    categories
        Of products.
    """
    products = group_rows(rows)
    wanted = asked.strip().casefold()
    found = [
        own
        for product, own in products.items()
        if (not category or categories.get(product, "") == category)
        and (not wanted or wanted in product.casefold() or wanted in own[0]["name"].casefold())
    ]
    found.sort(key=lambda own: (-sum(each["mean"] for each in own), own[0]["product"]))
    last_page = max(-(-len(found) // PAGE), 1)
    page = min(max(page, 1), last_page)
    shown = found[(page - 1) * PAGE : page * PAGE]
    periods = [each for each in next(iter(products.values()), []) if not each["partial"]][:SHOWN_PERIODS]
    return {
        "q": asked,
        "category": category,
        "categories": sorted({name for name in categories.values() if name}),
        "number": len(found),
        "page": page,
        "last_page": last_page,
        "periods": [{"words": _say_week(each, today)} for each in periods],
        "rows": [_show_row(own, {each["first"] for each in periods}) for own in shown],
        "link": lambda number: f"/demand?{urlencode({'q': asked, 'category': category, 'page': number})}",
    }


def group_rows(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Give the periods of each product."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["product"], []).append(row)
    return found


def _say_week(row: Row, today: date) -> str:
    first = read_day(row["first"]) or today
    return t("Week from {day}", day=say_day(first, this_year=today.year))


def say_state(state: str) -> str:
    """Say where a product stands in its life, where that is worth saying."""
    words = {
        "newborn": t("new"),
        "new": t("new"),
        "rare": t("hardly ever sold"),
        "gone": t("sold no longer"),
        "never sold": t("never sold"),
    }
    return words.get(state, "")


def _show_row(own: Sequence[Row], firsts: set[object]) -> dict[str, Any]:
    shown = [each for each in own if each["first"] in firsts]
    periods = [
        {"open_days": each["open_days"], "mean": each["mean"], "low": each["q10"], "high": each["q90"]}
        for each in shown
    ]
    first = own[0]
    return {
        "product": first["product"],
        "name": first["name"],
        "periods": periods,
        "state": say_state(first["state"]),
    }


def lay_out_weeks(sold: Mapping[date, float], ahead: Sequence[Row], origin: date) -> list[dict[str, Any]]:
    """Lay past and future of a product out, week by week; the last week of the past begins the forecast's line.

    Parameters
    ----------
    sold
        Pieces by day, before the origin.
    """
    first_monday = origin - timedelta(days=origin.weekday())
    since = min(sold, default=origin)
    weeks = list[dict[str, Any]]()
    for back in range(PAST_WEEKS, 0, -1):
        monday = first_monday - timedelta(weeks=back)
        if monday + timedelta(days=6) >= since:
            pieces = sum(sold.get(monday + timedelta(days=day), 0.0) for day in range(7))
            weeks.append(_week(monday, sold=pieces, partial=monday < since))
    for each in ahead:
        first = read_day(each["first"]) or origin
        days = {"mean": each["mean"], "low": each["q10"], "high": each["q90"]}
        if each["partial"] and first == origin and origin.weekday():
            begun = sum(sold.get(first_monday + timedelta(days=day), 0.0) for day in range(origin.weekday()))
            days = {name: value + begun for name, value in days.items()}
            weeks.append(_week(first_monday, **days))
        else:
            weeks.append(_week(first, partial=each["partial"], **days))
    return weeks


def _week(
    first: date,
    *,
    sold: float | None = None,
    mean: float | None = None,
    low: float | None = None,
    high: float | None = None,
    partial: bool = False,
) -> dict[str, Any]:
    numbers = {"sold": sold, "mean": mean, "low": low, "high": high}
    return {"first": first, "moment": moment_of(first), "partial": partial, **numbers}


def show_moves(why: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lay an explanation out as bars from one number to the next, in hundredths of the widest.

    Parameters
    ----------
    why
        As `hansa-client explain --json` has it.
    """
    told = [each for each in why["parts"] if each["group"] not in ("usual", "stock_out", "rest")]
    least = max(0.02 * max(why["forecast"], why["start"]), 0.05)
    moves = sorted((each for each in told if abs(each["pieces"]) >= least), key=lambda each: -abs(each["pieces"]))
    steps = [(t("usual for these days"), 0.0, why["start"], "base")]
    now = why["start"]
    for each in moves:
        steps.append((each["words"], now, now + each["pieces"], "up" if each["pieces"] >= 0 else "down"))
        now += each["pieces"]
    left = why["forecast"] - now
    if abs(left) >= 0.05:
        steps.append((t("for everything else"), now, now + left, "up" if left >= 0 else "down"))
    steps.append((t("forecast"), 0.0, why["forecast"], "whole"))
    lowest = min(0.0, *(min(begin, end) for _, begin, end, _ in steps))
    wide = max(max(begin, end) for _, begin, end, _ in steps) - lowest or 1.0
    return [_show_move(words, begin, end, kind, lowest=lowest, wide=wide) for words, begin, end, kind in steps]


def _show_move(words: str, begin: float, end: float, kind: str, *, lowest: float, wide: float) -> dict[str, Any]:
    pieces = end - begin
    number = f"{abs(pieces):,.0f}" if abs(pieces) >= 9.95 else f"{abs(pieces):,.1f}"
    sign = "" if kind in ("base", "whole") else "+" if pieces >= 0 else "−"
    left, right = sorted((begin, end))
    return {
        "words": words,
        "shown": f"{sign}{number}",
        "kind": kind,
        "left": 100 * (left - lowest) / wide,
        "width": max(100 * (right - left) / wide, 0.5),
    }
