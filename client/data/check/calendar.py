"""Days: whether the shop was open when the plan says so, and whether the rows fill the plan's span."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from jaxtyping import Int

from client.data.check.report import Finding
from client.shop.calendar.closed_day import ShopDays, WeekdayGuess, guess_closures, guess_weekdays
from common.data.panel import closed_days
from common.plan.schema import WEEKDAYS, DataPlan

SHOWN = 6  # dates named in a sentence


def find_calendar_faults(days: Int[np.ndarray, " row"], plan: DataPlan) -> Iterator[Finding]:
    """Look for open days without any row, rows on closed days, and a span that the rows do not fill.

    Parameters
    ----------
    days
        Day of each row that is kept, counted from the start of the span.
    """
    count = np.bincount(days, minlength=(plan.end - plan.start).days + 1)
    yield from _find_loose_ends(count, plan)
    if plan.missing == "closed":
        return
    closed = closed_days(plan)
    lost = closed & (count > 0)
    if lost.any():
        yield Finding(
            "note",
            "rows_on_closed_days",
            f"{count[lost].sum()} rows lie on {lost.sum()} days that the plan declares closed ({_dates(lost, plan)}); "
            "their demand is not counted.",
        )
    yield from _find_silent_days(count, closed, plan)


def _find_loose_ends(count: Int[np.ndarray, " day"], plan: DataPlan) -> Iterator[Finding]:
    there = np.flatnonzero(count)
    last = plan.start + timedelta(days=int(there[-1]))
    tail, head = len(count) - 1 - int(there[-1]), int(there[0])
    if tail > 7:
        what = "closed" if plan.missing == "closed" else "no demand"
        yield Finding(
            "warning",
            "span_end",
            f"The last row is on {last}, {tail} days before data.end {plan.end}; those days read as {what}: "
            "set data.end to the last day that the rows cover.",
        )
    if head > 7:
        yield Finding(
            "note",
            "span_start",
            f"The first row comes {head} days after data.start {plan.start}; a later start saves time.",
        )


def _find_silent_days(count: Int[np.ndarray, " day"], closed: np.ndarray, plan: DataPlan) -> Iterator[Finding]:
    """Look for open days on which nobody has a row, although that is no chance.

    From everybody's rows together, which is for this report alone: nothing of it decides about a record.
    """
    there = np.flatnonzero(count)
    first, last = int(there[0]), int(there[-1])
    told = [plan.start + timedelta(days=int(day)) for day in np.flatnonzero(closed) if first <= day <= last]
    days = ShopDays(plan.start + timedelta(days=first), count[first : last + 1].astype(np.float64), told)
    for guess in guess_weekdays(days):
        yield _describe_weekday(guess, int((~days.explained & (days.weekday == guess.weekday)).sum()))
        days.explain(guess.closure.days)
    silent = np.zeros(len(count), bool)
    silent[[(day - plan.start).days for closure in guess_closures(days) for day in closure.days]] = True
    if silent.any():
        yield Finding(
            "warning",
            "closed_dates",
            f"On {silent.sum()} days that the plan calls open nobody has a row ({_dates(silent, plan)}), so they are "
            "learnt as no demand; if the shop was closed, name them in data.closed_dates.",
        )


def _describe_weekday(guess: WeekdayGuess, num_days: int) -> Finding:
    name, exceptions, silent = WEEKDAYS[guess.weekday], guess.closure.exceptions, len(guess.closure.days)
    advice = f'add "{name}" to data.closed_weekdays'
    if exceptions or not guess.goes_on or silent < num_days:
        named = ", ".join(map(str, exceptions[:SHOWN])) + (", …" if len(exceptions) > SHOWN else "")
        but = f" (it was open on {named})" if exceptions else ""
        advice = f"name these days in data.closed_dates{but}: data.closed_weekdays would lose the demand of the others"
    return Finding(
        "warning",
        "closed_weekday",
        f"{silent} of {num_days} {name}s have no row of anyone, yet the plan calls them open, so they are learnt "
        f"as no demand; if the shop was closed, {advice}.",
    )


def _dates(chosen: np.ndarray, plan: DataPlan) -> str:
    dates = [str(plan.start + timedelta(days=int(day))) for day in np.flatnonzero(chosen)]
    return ", ".join(dates[:SHOWN]) + (", …" if len(dates) > SHOWN else "")
