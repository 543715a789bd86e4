from datetime import date

import pytest

from common.calendar.shopping_day import SHOPPING_DAYS, day_of, is_shopping_day

# the Friday after the fourth Thursday of November, as newspapers of the year had it
BLACK_FRIDAYS = ["2012-11-23", "2018-11-23", "2019-11-29", "2024-11-29", "2025-11-28", "2026-11-27"]


@pytest.mark.parametrize("day", BLACK_FRIDAYS)
def test_black_friday_is_the_day_after_thanksgiving(day: str) -> None:
    assert str(day_of("black_friday", int(day[:4]))) == day


def test_cyber_monday_may_fall_into_december() -> None:
    assert day_of("cyber_monday", 2024) == date(2024, 12, 2)


def test_every_shopping_day_is_one_day_of_each_year() -> None:
    for name in SHOPPING_DAYS:
        assert is_shopping_day(name, date(2023, 1, 1), date(2025, 12, 31)).sum() == 3
    assert is_shopping_day("singles_day", date(2024, 11, 10), date(2024, 11, 12)).tolist() == [False, True, False]
