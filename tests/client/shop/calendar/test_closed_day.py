"""Closed weekdays of small shops, which have a sale a day or less."""

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.shop.calendar.closed_day import ShopDays, WeekdayGuess, guess_weekdays

MONDAY = date(2024, 1, 1)
YEAR = range(364)


def guess(days: Iterable[int]) -> list[WeekdayGuess]:
    """Guess from the days with a sale of one line, counted from a Monday."""
    sold = sorted(set(days))
    lines = np.bincount(np.array(sold, int) - sold[0]).astype(float)
    return list(guess_weekdays(ShopDays(MONDAY + timedelta(days=sold[0]), lines, ())))


def test_a_weekday_with_hardly_any_sale_is_closed() -> None:
    (found,) = guess([*(day for day in YEAR if day % 7 != 6), 6, 356])
    assert (found.closure.why, len(found.closure.days), len(found.closure.exceptions)) == ("Sundays", 49, 2)


def test_two_weekdays_may_be_closed() -> None:
    assert [each.weekday for each in guess([*(day for day in YEAR if day % 7 < 5), 363])] == [5, 6]


def test_nothing_is_closed_in_a_shop_that_sells_now_and_then() -> None:
    assert guess(YEAR[::9]) == []


def test_a_weekday_of_few_dates_is_closed_if_all_of_them_but_one_are_silent() -> None:
    (found,) = guess(day for day in range(56) if day % 7 != 6 or day == 41)
    assert found.closure.exceptions == (MONDAY + timedelta(days=41),)
    assert found.goes_on
    assert guess(day for day in range(56) if day % 7 != 6 or day in (34, 41)) == []


def test_nothing_is_said_of_a_short_history() -> None:
    assert guess(day for day in range(30) if day % 7 != 6) == []


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_few_weeks_of_a_shop_that_never_closes_show_no_closed_weekday(rate: float) -> None:
    """A weekday comes by chance in 1 of 10,000; 3 of 1400 in fewer than 1 of 1000 draws."""
    draws = np.random.default_rng(3).poisson(rate, (200, 56)) > 0
    assert sum(len(guess(np.flatnonzero(draw).tolist())) for draw in draws) < 3


@given(st.sets(st.integers(0, 363), min_size=1))
def test_what_is_closed_was_hardly_ever_open(sold: set[int]) -> None:
    for each in guess(sold):
        num_open, num_closed = len(each.closure.exceptions), len(each.closure.days)
        assert num_open <= max(1, 0.1 * (num_open + num_closed))
