"""Which days of a forecast are to be explained: a day, a calendar week or a month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from client.shop.calendar.day_after import day_after
from client.shop.forecast.period import LONGEST_DAYS, By, Period, cut_periods, read_horizon
from client.shop.forecast.question import Question
from common.errors import ConfigError

_WEEK, _MONTH = re.compile(r"(\d{4})-W(\d{2})"), re.compile(r"(\d{4})-(\d{2})")


@dataclass(frozen=True)
class Asked:
    """A question to the forecast, and which of its periods is to be explained."""

    question: Question
    period: Period


def read_asked(period: str, origin: date | None, last_sale: date, *, method: str = "") -> Asked:
    """Read a period as `2025-03-04`, `2025-W10` or `2025-03`; the first whole week where it is left out.

    The question is the one that `hansa-client forecast --by` asks, so that its numbers are explained and no others; it
    looks further ahead only where the period lies beyond.

    Raises
    ------
    ConfigError
        It is none, or it does not lie ahead.
    """
    asked = origin or day_after(last_sale)
    by: By = "week"
    day: date | None = None
    if period:
        by, day = _read(period)
    last = read_horizon("", by, asked)
    if day is not None:
        end = cut_periods(by, day, day + timedelta(days=31))[0].last
        if end < asked:
            raise ConfigError(f"--period {period} is over by {asked}, when the forecast begins; choose a later one.")
        last = max(last, end)
    if (last - asked).days >= LONGEST_DAYS:
        raise ConfigError(f"--period {period} lies more than {LONGEST_DAYS} days ahead; choose an earlier one.")
    question = Question(by, f"{(last - asked).days + 1}d", origin, method=method)
    periods = cut_periods(by, asked, last)
    wanted = [each for each in periods if (day is None and not each.is_partial) or each.name == period]
    return Asked(question, wanted[0] if wanted else periods[0])


def _read(text: str) -> tuple[By, date]:
    try:
        if found := _WEEK.fullmatch(text):
            return "week", date.fromisocalendar(int(found[1]), int(found[2]), 1)
        if found := _MONTH.fullmatch(text):
            return "month", date(int(found[1]), int(found[2]), 1)
        return "day", date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"--period {text!r} is none; write a day as 2025-03-04, a week as 2025-W10, a month as 2025-03."
        ) from error
