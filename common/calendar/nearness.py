"""How near a day is to a public holiday: what people do before and after one differs by how many days are left.

A column for each of a few distances, and a day between two of them belongs to both, the more the nearer: with these a
forecast can follow any course of the weeks around a holiday without a column for each of their days. The columns of a
holiday come once a year, so a shop's first one says nothing of them; other shops' do.

Names of holidays are English here, whatever the machine's language: the library `holidays` translates them by the
environment of the process unless it is told, and a plan must mean the same on every machine.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from common.calendar.public_holiday import fault_of_place, look_up
from common.plan.near_day import BEGIN, END, NEAR_DAYS

KNOWN_YEARS = 2000, 2040  # in which a holiday must have been, or come, to be one


def nearness(days: Int[np.ndarray, " day"]) -> Float[np.ndarray, "day near"]:
    """Give how much a day belongs to each of `NEAR_DAYS`: 1 on it, and along straight lines to 0 at its neighbours.

    Parameters
    ----------
    days
        From the holiday to the day.
    """
    knots = np.array([BEGIN, *NEAR_DAYS, END], np.float64)
    hats = np.eye(len(knots))[1:-1]
    return np.stack([np.interp(days, knots, hat, left=0.0, right=0.0) for hat in hats], axis=-1)


def near_holiday(
    country: str, subdivision: str, holiday: str, *, first: date, last: date
) -> Float[np.ndarray, "day near"]:
    """Tell of each day of a span how near a holiday is; all zeros where the place has no such holiday.

    A holiday of several days in a row begins with the first of them and ends with the last.
    """
    num_days = (last - first).days + 1
    place = np.arange(num_days)
    near = np.zeros((num_days, len(NEAR_DAYS)))
    for begin, end in _spells(country, subdivision, holiday, first, last):
        away = np.minimum(place - begin, 0) + np.maximum(place - end, 0)
        near = np.maximum(near, nearness(away))
    return near


def days_of(country: str, subdivision: str, holiday: str, *, first: date, last: date) -> tuple[date, ...]:
    """List the days of a holiday within a span."""
    table = _english(country, subdivision, first.year, last.year)
    return tuple(sorted(day for day, names in table.items() if holiday in names and first <= day <= last))


def fault_of_name(country: str, subdivision: str, holiday: str) -> str:
    """Say why nearness to a holiday cannot be told; "" where it can, and where the place is unknown anyway."""
    if fault_of_place(country, subdivision):
        return ""
    names = {name for named in _english(country, subdivision, *KNOWN_YEARS).values() for name in named}
    if holiday in names:
        return ""
    return f"{country} has no public holiday {holiday!r}; there are {', '.join(sorted(names))}"


def _spells(country: str, subdivision: str, holiday: str, first: date, last: date) -> list[tuple[int, int]]:
    """Give first and last day of each run of days of a holiday, counted from `first`, of those near the span."""
    reach = timedelta(days=-BEGIN + END)
    days = [
        (day - first).days for day in days_of(country, subdivision, holiday, first=first - reach, last=last + reach)
    ]
    starts = [day for day in days if day - 1 not in days]
    ends = [day for day in days if day + 1 not in days]
    return list(zip(starts, ends, strict=True))


@lru_cache(maxsize=64)
def _english(country: str, subdivision: str, first_year: int, last_year: int) -> dict[date, tuple[str, ...]]:
    """Look the names of every holiday up; a day may be two."""
    if fault_of_place(country, subdivision):
        return {}
    table = look_up(country, subdivision, first_year, last_year)
    return {day: tuple(name.strip() for name in names.split(";")) for day, names in table.items()}
