from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from client.shop.setup.closing import find_closed_weekdays

MONDAY = date(2024, 1, 1)
YEAR = [MONDAY + timedelta(days=number) for number in range(364)]


def test_a_weekday_with_hardly_any_sale_is_closed() -> None:
    days = [day for day in YEAR if day.weekday() != 6] + [MONDAY + timedelta(days=6), MONDAY + timedelta(days=356)]
    assert find_closed_weekdays(days) == {"sunday": (2, 51)}


def test_two_weekdays_may_be_closed() -> None:
    assert list(find_closed_weekdays([*(day for day in YEAR if day.weekday() < 5), YEAR[-1]])) == ["saturday", "sunday"]


def test_nothing_is_closed_in_a_shop_that_sells_now_and_then() -> None:
    assert find_closed_weekdays(YEAR[::9]) == {}


def test_nothing_is_said_of_a_short_history_or_none() -> None:
    assert find_closed_weekdays([day for day in YEAR[:30] if day.weekday() != 6]) == {}
    assert find_closed_weekdays([]) == {}


@given(st.sets(st.integers(0, 363)))
def test_what_is_closed_was_hardly_ever_open(numbers: set[int]) -> None:
    for sold, dates in find_closed_weekdays(YEAR[number] for number in numbers).values():
        assert sold <= 0.15 * dates
