"""Weekdays on which a shop is closed, from the days on which it sold anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from common.plan.schema import WEEKDAYS, Weekday

FEWEST_WEEKS = 6
MOST_OPEN_SHARE = 0.15  # of a closed weekday's dates: exceptions before Christmas
LEAST_OPEN_SHARE = 0.7  # of the other weekdays' dates, or a shop that sells now and then has no closed days


def find_closed_weekdays(days: Iterable[date]) -> dict[Weekday, tuple[int, int]]:
    """Find weekdays that hardly ever have a sale though the others have; give sales days and dates of each."""
    sold = sorted(set(days))
    if not sold:
        return {}
    span = [sold[0] + timedelta(days=number) for number in range((sold[-1] - sold[0]).days + 1)]
    dates, open_dates = Counter(day.weekday() for day in span), Counter(day.weekday() for day in sold)
    if len(dates) < 7 or min(dates.values()) < FEWEST_WEEKS:
        return {}
    shares = {weekday: open_dates[weekday] / dates[weekday] for weekday in range(7)}
    closed = [weekday for weekday, share in shares.items() if share <= MOST_OPEN_SHARE]
    others = [share for weekday, share in shares.items() if weekday not in closed]
    if not others or min(others) < LEAST_OPEN_SHARE:
        return {}
    return {WEEKDAYS[weekday]: (open_dates[weekday], dates[weekday]) for weekday in closed}
