"""Days on which people shop by appointment: public constants, of no country's law and of nobody's data.

The days of a name are the same every year, or a rule of the year. A sale that spreads over weeks is a promotion of the
shop, and has its place there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import get_args

import numpy as np
from jaxtyping import Bool

from common.calendar.public_holiday import span_of
from common.plan.schema import ShoppingDay

SHOPPING_DAYS: tuple[ShoppingDay, ...] = get_args(ShoppingDay)


def _thanksgiving(year: int) -> date:
    """Fourth Thursday of November, as the United States keep it since 1942."""
    november = date(year, 11, 1)
    return november + timedelta(days=(3 - november.weekday()) % 7 + 21)


_RULES: dict[ShoppingDay, Callable[[int], date]] = {
    "singles_day": lambda year: date(year, 11, 11),
    "double_twelve": lambda year: date(year, 12, 12),
    "mid_year_sale": lambda year: date(year, 6, 18),  # "618"
    "valentines_day": lambda year: date(year, 2, 14),
    "love_day": lambda year: date(year, 5, 20),  # "520", in China
    "womens_day": lambda year: date(year, 3, 8),
    "black_friday": lambda year: _thanksgiving(year) + timedelta(days=1),
    "cyber_monday": lambda year: _thanksgiving(year) + timedelta(days=4),
    "christmas_eve": lambda year: date(year, 12, 24),
}


def day_of(name: ShoppingDay, year: int) -> date:
    """Give the day of a year."""
    return _RULES[name](year)


def is_shopping_day(name: ShoppingDay, first: date, last: date) -> Bool[np.ndarray, " day"]:
    """Whether each day of a span is it."""
    return np.array([day == day_of(name, day.year) for day in span_of(first, last)], bool)
