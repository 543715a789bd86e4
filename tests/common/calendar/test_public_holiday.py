"""Public holidays, held against what governments announced; the dates were written down by hand."""

import os
import subprocess
import sys
from datetime import date

import pytest

from common.calendar.public_holiday import fault_of_place, holidays_between, require_place, span_of
from common.errors import ConfigError

CHINA_OFF = {  # notices of the State Council for 2024 and 2025, first and last day of each span
    2024: "01-01/01-01 02-10/02-17 04-04/04-06 05-01/05-05 06-10/06-10 09-15/09-17 10-01/10-07",
    2025: "01-01/01-01 01-28/02-04 04-04/04-06 05-01/05-05 05-31/06-02 10-01/10-08",
}
CHINA_WORKED = {
    2024: ["02-04", "02-18", "04-07", "04-28", "05-11", "09-14", "09-29", "10-12"],
    2025: ["01-26", "02-08", "04-27", "09-28", "10-11"],
}
EVERYWHERE = {  # in Germany, 2025
    "01-01": "New Year",
    "04-18": "Good Friday",
    "04-21": "Easter Monday",
    "05-01": "Labour Day",
    "05-29": "Ascension",
    "06-09": "Whit Monday",
    "10-03": "Unity",
    "12-25": "Christmas",
    "12-26": "Boxing",
}
BY_LAND = {
    "BY": ["01-06", "06-19", "11-01"],
    "BE": ["03-08", "05-08"],  # once: eighty years after the end of the war
    "SN": ["10-31", "11-19"],
    "TH": ["09-20", "10-31"],
    "SL": ["06-19", "08-15", "11-01"],
    "HH": ["10-31"],
    "NW": ["06-19", "11-01"],
}
ELSEWHERE = {
    ("US", "", 2024): [
        "01-01",
        "01-15",
        "02-19",
        "05-27",
        "06-19",
        "07-04",
        "09-02",
        "10-14",
        "11-11",
        "11-28",
        "12-25",
    ],
    ("GB", "ENG", 2023): ["01-02", "04-07", "04-10", "05-01", "05-08", "05-29", "08-28", "12-25", "12-26"],
    ("GB", "SCT", 2024): ["01-01", "01-02", "03-29", "05-06", "05-27", "08-05", "12-02", "12-25", "12-26"],
    ("GB", "NIR", 2025): ["01-01", "03-17", "04-18", "04-21", "05-05", "05-26", "07-14", "08-25", "12-25", "12-26"],
}


def days_of(year: int, spans: str) -> set[date]:
    ends = [[date.fromisoformat(f"{year}-{day}") for day in span.split("/")] for span in spans.split()]
    return {day for first, last in ends for day in span_of(first, last)}


@pytest.mark.parametrize("year", [2024, 2025])
def test_china_s_spans_of_days_off_are_as_announced_and_its_worked_weekends_too(year: int) -> None:
    found = holidays_between("CN", "", date(year, 1, 1), date(year, 12, 31))
    announced = days_of(year, CHINA_OFF[year])
    beside = {day for day in found.names if day.year == year} - announced  # an ordinary weekend next to a holiday
    assert announced <= set(found.names)
    assert {str(day)[5:] for day in beside} == ({"06-08", "06-09"} if year == 2024 else set())
    assert {str(day)[5:] for day in found.worked} == set(CHINA_WORKED[year])
    assert found.unknown_years == found.unannounced_years == ()
    assert not (found.is_holiday & found.is_worked).any()


def test_golden_week_s_weekend_is_a_holiday_and_the_saturday_that_pays_for_it_is_none() -> None:
    found = holidays_between("CN", "", date(2024, 10, 1), date(2024, 10, 12))
    assert found.is_holiday.tolist() == [True] * 7 + [False] * 5
    assert found.is_worked.tolist() == [False] * 11 + [True]
    assert found.is_after.tolist() == [False] * 7 + [True] + [False] * 4


@pytest.mark.parametrize("land", BY_LAND)
def test_a_land_of_germany_has_holidays_of_its_own(land: str) -> None:
    found = holidays_between("DE", land, date(2025, 1, 1), date(2025, 12, 31))
    own = {str(day)[5:] for day in found.names if day.year == 2025} - set(EVERYWHERE)
    assert set(EVERYWHERE) <= {str(day)[5:] for day in found.names}
    assert own == set(BY_LAND[land])
    assert found.doubts == ()


@pytest.mark.parametrize(("country", "part", "year"), ELSEWHERE)
def test_the_days_on_which_offices_close_elsewhere_are_holidays(country: str, part: str, year: int) -> None:
    found = holidays_between(country, part, date(year, 1, 1), date(year, 12, 31))
    on_weekdays = {str(day)[5:] for day in found.names if day.year == year and day.weekday() < 5}
    assert on_weekdays == set(ELSEWHERE[country, part, year])


def test_an_easter_saturday_is_no_holiday_where_weekends_are_not_announced_as_such() -> None:
    found = holidays_between("DE", "", date(2025, 4, 17), date(2025, 4, 22))
    assert found.is_holiday.tolist() == [False, True, False, False, True, False]
    assert found.is_before.tolist() == [True, False, False, True, False, False]
    assert found.is_after.tolist() == [False, False, True, False, False, True]


def test_days_before_and_after_look_beyond_the_span() -> None:
    found = holidays_between("US", "", date(2024, 12, 26), date(2024, 12, 31))
    assert found.is_after.tolist() == [True] + [False] * 5
    assert found.is_before.tolist() == [False] * 5 + [True]


def test_a_country_without_a_part_says_which_days_only_parts_of_it_keep() -> None:
    (doubt,) = holidays_between("GB", "", date(2024, 1, 1), date(2024, 12, 31)).doubts
    assert "2024-01-02" in doubt
    assert "ENG, NIR, SCT, WLS" in doubt


def test_the_year_that_china_has_not_announced_is_named_and_one_that_the_library_has_not_is_unknown() -> None:
    found = holidays_between("CN", "", date(2025, 12, 1), date(2059, 1, 31))
    assert found.unknown_years == ()
    first = min(found.unannounced_years)
    assert found.unannounced_years == tuple(range(first, 2060))
    assert not [day for day in found.worked if day.year >= first]
    assert holidays_between("DE", "", date(1989, 1, 1), date(1991, 12, 31)).unknown_years == (1989, 1990)
    assert holidays_between("DE", "", date(2100, 1, 1), date(2101, 12, 31)).unknown_years == (2101,)


def test_a_country_that_long_ago_stopped_moving_working_days_misses_no_announcement() -> None:
    assert holidays_between("AM", "", date(2030, 1, 1), date(2030, 12, 31)).unannounced_years == ()


def test_holidays_that_hang_on_the_moon_are_said_to_be_estimated() -> None:
    (doubt,) = holidays_between("ID", "", date(2040, 1, 1), date(2040, 12, 31)).doubts
    assert "may be a day off" in doubt


def test_a_place_that_is_not_known_is_one_sentence_and_unknown_in_every_year() -> None:
    assert "'XX'" in fault_of_place("XX")
    assert fault_of_place("DE", "BY") == fault_of_place("US", "California") == ""
    with pytest.raises(ConfigError, match=r"shop\.toml: DE has no part 'ZZ'.*BY"):
        require_place("DE", "ZZ", origin="shop.toml")
    assert holidays_between("XX", "", date(2024, 1, 1), date(2025, 1, 1)).unknown_years == (2024, 2025)


# The library translates by the environment of the process, and a shop remembers by name on which holidays it is closed.
@pytest.mark.parametrize("language", ["C", "C.UTF-8", "de_DE.UTF-8", "zh_CN.UTF-8"])
def test_holidays_are_called_the_same_whatever_the_machine_speaks(language):
    asked = "from datetime import date; from common.calendar.public_holiday import holidays_between as between; "
    said = "print(between('DE', '', date(2014, 12, 25), date(2014, 12, 25)).names[date(2014, 12, 25)])"
    spoken = {"LANG": language, "LANGUAGE": "", "LC_ALL": ""}
    done = subprocess.run([sys.executable, "-c", asked + said], env=os.environ | spoken, capture_output=True, text=True)
    assert done.stdout.strip() == "Christmas Day"
