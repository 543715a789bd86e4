"""Calendar periods ahead, and how far a person asks to look."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.shop.forecast.period import By, cut_periods, read_horizon
from common.errors import ConfigError

THURSDAY = date(2025, 1, 30)


@given(
    st.sampled_from(["day", "week", "month"]),
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    st.integers(0, 399),
)
def test_periods_hold_every_day_once_and_in_order(by: By, origin: date, days: int) -> None:
    last = origin + timedelta(days=days)
    periods = cut_periods(by, origin, last)
    held = [period.first + timedelta(days=day) for period in periods for day in range(period.days)]
    assert held == [origin + timedelta(days=day) for day in range(days + 1)]
    assert len({period.name for period in periods}) == len(periods)
    assert not any(period.is_partial for period in periods[1:-1]), "only the first and the last can be cut short"


def test_a_week_begins_on_monday_and_is_called_by_its_iso_year() -> None:
    first, second = cut_periods("week", date(2024, 12, 29), date(2025, 1, 5))
    assert (first.name, first.days, first.is_partial) == ("2024-W52", 1, True)
    assert (second.name, second.first, second.days, second.is_partial) == ("2025-W01", date(2024, 12, 30), 7, False)


@pytest.mark.parametrize(
    ("text", "by", "last"),
    [
        ("", "day", date(2025, 2, 26)),
        ("", "week", date(2025, 3, 2)),  # what is left of this week, and four whole ones
        ("", "month", date(2025, 4, 30)),
        ("10", "day", date(2025, 2, 8)),
        ("2", "week", date(2025, 2, 16)),
        ("6w", "day", date(2025, 3, 16)),
        ("1 month", "week", date(2025, 2, 28)),
    ],
)
def test_a_horizon_ends_with_whole_weeks_and_months(text: str, by: By, last: date) -> None:
    assert read_horizon(text, by, THURSDAY) == last


def test_four_weeks_from_a_monday_are_four_weeks() -> None:
    assert read_horizon("4 weeks", "week", date(2025, 1, 27)) == date(2025, 2, 23)


@pytest.mark.parametrize("text", ["soon", "-3", "3 fortnights", "0", "5000d", "99999999m", "1.5w"])
def test_another_horizon_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--horizon .*\.$"):
        read_horizon(text, "day", THURSDAY)
