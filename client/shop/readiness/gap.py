"""Runs of days without a single sale in the middle of the history: a closure, or an export that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np

from client.shop.readiness.problem import SHOWN, Ask, Problem, count_of
from client.shop.settings import Shop
from common.plan.schema import WEEKDAYS

BUSY_DAYS = 0.8  # of the open days around have a sale: then a day without one is remarkable
SHORTEST = 3  # open days in a row without a sale


def find_gaps(ask: Ask, shop: Shop) -> Iterator[Problem]:
    """Look for runs of at least three open days without any sale, where nearly every open day has one."""
    days = [row["day"] for row in ask("SELECT DISTINCT day FROM sales WHERE day IS NOT NULL ORDER BY day").to_pylist()]
    if len(days) < 2:
        return
    silent = _silent_days(days, shop, _closures(ask))
    open_days = len(silent) + len(days)
    if len(days) / open_days < BUSY_DAYS:
        return
    runs = [run for run in _runs(silent, shop) if len(run) >= SHORTEST]
    if not runs:
        return
    lost = sum(map(len, runs))
    yield Problem(
        "warning",
        "gaps",
        f"The history has {count_of(len(runs), 'gap')}: {count_of(lost, 'open day')} without any sale.",
        lost,
        "They are learnt as days on which nobody wanted anything, and pull every forecast down.",
        "If the shop was closed, name the days in closed_dates of shop.toml (or import a table of closures); if an "
        "export is missing, import it.",
        tuple(f"{run[0]} to {run[-1]}" for run in runs[:SHOWN]),
    )


def _closures(ask: Ask) -> list[tuple[date, date]]:
    rows = ask("SELECT first_day, coalesce(last_day, first_day) AS last_day FROM closures").to_pylist()
    return [(row["first_day"], row["last_day"]) for row in rows if row["first_day"] is not None]


def _silent_days(days: list[date], shop: Shop, closures: list[tuple[date, date]]) -> list[date]:
    """List the open days between the first and the last sale on which nothing was sold."""
    sold, closed = set(days), set(shop.closed_dates)
    weekdays = {WEEKDAYS.index(name) for name in shop.closed_weekdays}
    calendar = (days[0] + timedelta(days=number) for number in range((days[-1] - days[0]).days + 1))
    return [
        day
        for day in calendar
        if day not in sold
        and day not in closed
        and day.weekday() not in weekdays
        and not any(first <= day <= last for first, last in closures)
    ]


def _runs(silent: list[date], shop: Shop) -> list[list[date]]:
    """Put days together that follow each other, closed weekdays between them left out of account."""
    if not silent:
        return []
    weekdays = {WEEKDAYS.index(name) for name in shop.closed_weekdays}
    runs = [[silent[0]]]
    for day in silent[1:]:
        between = np.arange(1, (day - runs[-1][-1]).days)
        if all((runs[-1][-1] + timedelta(days=int(step))).weekday() in weekdays for step in between):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs
