"""Demand: every product with its next weeks, searched and in pages; and one product with its past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

import numpy as np

from client.language.number import say_day
from client.language.speech import t
from client.page.view.cell import moment_of
from client.serving.edition.forecasts import Forecasts

PAGE = 40  # products
SHOWN_PERIODS, PAST_WEEKS = 4, 26


def show_demand(
    forecasts: Forecasts,
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
    forecasts
        By week.
    categories
        Of products.
    """
    wanted = asked.strip().casefold()
    found = [
        row
        for row in np.argsort(-forecasts.mean.sum(axis=1), kind="stable").tolist()
        if (not category or categories.get(forecasts.products[row], "") == category)
        and (not wanted or wanted in f"{forecasts.products[row]}\n{forecasts.names[row]}".casefold())
    ]
    last_page = max(-(-len(found) // PAGE), 1)
    page = min(max(page, 1), last_page)
    places = [place for place, each in enumerate(forecasts.periods) if not each.partial][:SHOWN_PERIODS]
    return {
        "q": asked,
        "category": category,
        "categories": sorted({name for name in categories.values() if name}),
        "number": len(found),
        "page": page,
        "last_page": last_page,
        "periods": [{"words": _say_week(forecasts.periods[place].first, today)} for place in places],
        "rows": [_show_row(forecasts, row, places) for row in found[(page - 1) * PAGE : page * PAGE]],
        "link": lambda number: f"/demand?{urlencode({'q': asked, 'category': category, 'page': number})}",
    }


def _say_week(first: date, today: date) -> str:
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


def _show_row(forecasts: Forecasts, row: int, places: Sequence[int]) -> dict[str, Any]:
    return {
        "product": forecasts.products[row],
        "name": forecasts.names[row],
        "periods": [_show_period(forecasts, row, place) for place in places],
        "state": say_state(forecasts.states[row]),
    }


def _show_period(forecasts: Forecasts, row: int, place: int) -> dict[str, Any]:
    low, high = forecasts.quantiles[row, place, 0], forecasts.quantiles[row, place, -1]
    mean = float(forecasts.mean[row, place])
    return {"open_days": forecasts.periods[place].open_days, "mean": mean, "low": float(low), "high": float(high)}


def lay_out_weeks(sold: Mapping[date, float], forecasts: Forecasts, row: int, origin: date) -> list[dict[str, Any]]:
    """Lay past and future of a product out, week by week.

    A week that has begun has its sold days in the forecast; one at the end that is forecast in part is left out.

    Parameters
    ----------
    sold
        Pieces by day; those before the origin are looked at.
    """
    first_monday = origin - timedelta(days=origin.weekday())
    since = min(sold, default=origin)
    weeks = list[dict[str, Any]]()
    for back in range(PAST_WEEKS, 0, -1):
        monday = first_monday - timedelta(weeks=back)
        if monday + timedelta(days=6) >= since:
            weeks.append(_week(monday, sold=_sum(sold, monday, 7), partial=monday < since))
    for place, period in enumerate(forecasts.periods):
        days = {name: value for name, value in _show_period(forecasts, row, place).items() if name != "open_days"}
        if period.first == origin > first_monday:
            begun = _sum(sold, first_monday, origin.weekday())
            days = {name: value + begun for name, value in days.items()}
            weeks.append(_week(first_monday, partial=period.last < first_monday + timedelta(days=6), **days))
        elif not period.partial:  # in a chart the days of half a week would look like a fall
            weeks.append(_week(period.first, **days))
    return weeks


def _sum(sold: Mapping[date, float], first: date, days: int) -> float:
    return sum(sold.get(first + timedelta(days=day), 0.0) for day in range(days))


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
