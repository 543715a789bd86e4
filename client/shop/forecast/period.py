"""Calendar days, weeks and months ahead, in the shop's own days; the first and the last may be cut short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from common.errors import ConfigError

By = Literal["day", "week", "month"]
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """Days that are forecast as one sum.

    Attributes
    ----------
    name
        As 2025-03-04, 2025-W10 (ISO 8601: weeks begin on Monday) or 2025-03.
    first, last
        Its days that are forecast.
    whole_days
        Days that the calendar gives it.
    """

    name: str
    first: date
    last: date
    whole_days: int

    @property
    def days(self) -> int:
        """Days that are forecast."""
        return (self.last - self.first).days + 1

    @property
    def is_partial(self) -> bool:
        """Whether the calendar's period has days that are not forecast."""
        return self.days < self.whole_days


def cut_periods(by: By, origin: date, last: date) -> tuple[Period, ...]:
    """Cut the days from `origin` to `last` into calendar periods."""
    return tuple(_periods(by, origin, last))


def _periods(by: By, origin: date, last: date) -> Iterator[Period]:
    first = origin
    while first <= last:
        start, end = _bounds(by, first)
        until = min(end, last)
        yield Period(_name(by, first), first, until, (end - start).days + 1)
        first = until + ONE_DAY


def _bounds(by: By, day: date) -> tuple[date, date]:
    """Give the first and the last day of the period that a day lies in."""
    if by == "day":
        return day, day
    if by == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day.replace(day=1), following - ONE_DAY


def _name(by: By, day: date) -> str:
    if by == "day":
        return day.isoformat()
    if by == "month":
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


UNITS = {"d": "day", "day": "day", "days": "day", "w": "week", "week": "week", "weeks": "week", "m": "month"}
UNITS |= {"month": "month", "months": "month"}
USUAL = {"day": "28 days", "week": "4 weeks", "month": "3 months"}
LONGEST_DAYS = 400


def read_horizon(text: str, by: By, origin: date) -> date:
    """Read how far ahead to look ("28 days", "8 weeks", "3 months", or a number of what `by` says) as the last day.

    Weeks and months are whole ones after the one that the origin lies in; where it is that one's first day, from it on.

    Raises
    ------
    ConfigError
        It is no such length, or a longer one than can be forecast.
    """
    number, unit = _split(text or USUAL[by], by)
    if unit == "day":
        last = origin + timedelta(days=min(number, 10_000) - 1)
    else:
        last = _end_of(unit, origin, min(number, 1_000))
    if number < 1 or (last - origin).days >= LONGEST_DAYS:
        raise ConfigError(
            f"--horizon {text!r} is not between 1 and {LONGEST_DAYS} days; give a shorter one, as 28d, 8w or 3m."
        )
    return last


def _split(text: str, by: By) -> tuple[int, str]:
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text.strip()[len(digits) :].strip() or by
    if not digits.isdecimal() or unit not in UNITS:
        raise ConfigError(f'--horizon {text!r} is no length of time; write it as "28 days", "8 weeks" or "3 months".')
    return int(digits), UNITS[unit]


def _end_of(unit: str, origin: date, number: int) -> date:
    """Give the end of so many whole periods from the origin on."""
    by: By = "week" if unit == "week" else "month"
    start, end = _bounds(by, origin)
    if start == origin:
        number -= 1
    for _ in range(number):
        _, end = _bounds(by, end + ONE_DAY)
    return end
