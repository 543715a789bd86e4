"""Public holidays of a country by the library `holidays`, and what it does not know.

A plan and a shop both ask here. Nothing in it depends on anybody's data.

- **Working days.** A Saturday on which a country works for a bridge day is no member of the library's holidays, and a
  weekend between two holidays is none either. Whether a day is worked says `is_working_day` alone.
- **Golden Week.** China announces spans of days off, weekends included; of these the library has the weekdays. So there
  a holiday is every day of a run of days off that holds one.
- **Not announced yet.** China says each November which weekends of the next year are worked. Until the library has
  them, it gives that year's holidays by law, which are a part of the days off.
- **A year that the library does not know** has no holiday in it at all. It is named, never taken for an ordinary year.

References
----------
https://pypi.org/project/holidays, read in version 0.109.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from common.errors import ConfigError

if TYPE_CHECKING:
    from holidays import HolidayBase

ANNOUNCES_SPANS = frozenset({"CN"})  # its days off are whole spans, weekends included
ENGLISH = ("en_US", "en_GB")
ASKED = 2000, 2060  # the years in which it is looked up whether working days were moved
RECENT_YEARS = 3  # without a gap up to the last one known: such a country moves days every year


@dataclass(frozen=True)
class HolidayCalendar:
    """Every day of a span.

    Attributes
    ----------
    names
        What each holiday is called, by its day; of a run of days off in a country that announces spans, the run's.
    worked
        Days of a weekend that are worked for another day.
    unknown_years
        Of which the library knows nothing: no day in them is a holiday here, and that says nothing.
    unannounced_years
        Of which it knows the holidays by law, but not yet which weekends are worked.
    doubts
        What else makes the days doubtful, in sentences.
    """

    first: date
    last: date
    names: dict[date, str]
    worked: frozenset[date]
    unknown_years: tuple[int, ...]
    unannounced_years: tuple[int, ...]
    doubts: tuple[str, ...] = ()

    @property
    def is_holiday(self) -> Bool[np.ndarray, " day"]:
        """Whether each day is one."""
        return self._mark(0)

    @property
    def is_before(self) -> Bool[np.ndarray, " day"]:
        """Whether each day is none and the next one is."""
        return self._mark(1) & ~self.is_holiday

    @property
    def is_after(self) -> Bool[np.ndarray, " day"]:
        """Whether each day is none and the one before is."""
        return self._mark(-1) & ~self.is_holiday

    @property
    def is_worked(self) -> Bool[np.ndarray, " day"]:
        """Whether each day is of a weekend and worked for another day."""
        return np.array([day in self.worked for day in span_of(self.first, self.last)], bool)

    def _mark(self, days_ahead: int) -> Bool[np.ndarray, " day"]:
        shift = timedelta(days=days_ahead)
        return np.array([day + shift in self.names for day in span_of(self.first, self.last)], bool)


def span_of(first: date, last: date) -> list[date]:
    """List the days of a span, both ends included; none where it ends before it begins."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def require_place(country: str, subdivision: str = "", *, origin: str) -> None:
    """Refuse a country or a part of one that the library does not have.

    Raises
    ------
    ConfigError
        It names `origin`, where the place stands, and what there is.
    """
    fault = fault_of_place(country, subdivision)
    if fault:
        raise ConfigError(f"{origin}: {fault}.")


def fault_of_place(country: str, subdivision: str = "") -> str:
    """Say why no public holidays can be looked up for a place; "" where they can."""
    from holidays import country_holidays, list_supported_countries

    there = list_supported_countries(include_aliases=False)
    if country not in there:
        return f"public holidays of the country {country!r} are not known; write its code of two letters, as DE or CN"
    known = country_holidays(country)
    parts = sorted({*there[country], *known.subdivisions_aliases})
    if subdivision and subdivision not in parts:
        named = ", ".join(parts) or "none"
        return f"{country} has no part {subdivision!r} whose public holidays are known; there are {named}"
    return ""


def holidays_between(country: str, subdivision: str, first: date, last: date) -> HolidayCalendar:
    """Look every day of a span up; a place that the library does not have is unknown in every year.

    Returns
    -------
    HolidayCalendar
        Also with what is not known: whoever forecasts says so.
    """
    years = range(first.year, last.year + 1)
    if fault_of_place(country, subdivision):
        return HolidayCalendar(first, last, {}, frozenset(), tuple(years), ())
    table = look_up(country, subdivision, first.year - 1, last.year + 1)
    unknown = tuple(year for year in years if not any(day.year == year for day in table))
    margin = [day for day in table if first - timedelta(days=1) <= day <= last + timedelta(days=1)]
    names = {day: table[day] for day in sorted(margin)}
    if country in ANNOUNCES_SPANS:
        names = _whole_runs(table, first - timedelta(days=1), last + timedelta(days=1))
    return HolidayCalendar(
        first,
        last,
        names,
        frozenset(day for day in table.weekend_workdays if first <= day <= last),
        unknown,
        tuple(year for year in years if year not in unknown and year > _last_announced(country)),
        tuple(_doubts(country, subdivision, table, first, last)),
    )


def moves_working_days(country: str) -> bool:
    """Whether weekends are ever worked for another day in a country, as far as the library knows."""
    return not fault_of_place(country) and bool(_moved_years(country))


@lru_cache(maxsize=64)
def look_up(country: str, subdivision: str, first_year: int, last_year: int) -> HolidayBase:
    """Look the holidays of a place that the library has up, called in English where it can.

    It would call them by the language of the process, and a shop's closed holidays are remembered by name.
    """
    from holidays import country_holidays

    known = country_holidays(country)
    return country_holidays(
        country,
        subdiv=subdivision or None,
        years=range(first_year, last_year + 1),
        expand=False,
        language=next((each for each in ENGLISH if each in known.supported_languages), known.default_language),
    )


def _whole_runs(table: HolidayBase, first: date, last: date) -> dict[date, str]:
    """Call every day of a run of days off by the holiday that is in it."""
    found: dict[date, str] = {}
    for day in sorted(table):
        run = [day, *_days_off(table, day, 1), *_days_off(table, day, -1)]
        for each in run:
            found.setdefault(each, table[day])
    found |= dict(table.items())
    return {day: found[day] for day in sorted(found) if first <= day <= last}


def _days_off(table: HolidayBase, day: date, step: int) -> list[date]:
    """List the days off that follow a day without a gap, in one direction."""
    found, day = [], day + timedelta(days=step)
    while not table.is_working_day(day):
        found.append(day)
        day += timedelta(days=step)
    return found


@lru_cache(maxsize=64)
def _last_announced(country: str) -> int:
    """Give the last year whose worked weekends the library has, of a country that moves them every year; else 9999.

    A country that stopped moving days long ago has announced nothing either, and nothing is missing: one counts only
    if it goes on as long as China, which announces every year, so that its last year tells how old the library is.
    """
    years, age = _moved_years(country), max(_moved_years("CN"))
    regular = len(years) >= RECENT_YEARS and all(year in years for year in range(years[-1] - RECENT_YEARS + 1, age))
    return years[-1] if regular and years[-1] >= age - 1 else 9999


@lru_cache(maxsize=64)
def _moved_years(country: str) -> tuple[int, ...]:
    table = look_up(country, "", *ASKED)
    return tuple(sorted({day.year for day in table.weekend_workdays}))


def _doubts(country: str, subdivision: str, table: HolidayBase, first: date, last: date) -> list[str]:
    sentences = []
    guessed = sorted(day for day in table if first <= day <= last and "estimated" in table[day].lower())
    if guessed:
        sentences.append(
            f"{len(guessed)} public holidays of {country} hang on the moon and are estimated, the first on "
            f"{guessed[0]} ({table[guessed[0]]}); they may be a day off."
        )
    if not subdivision and table.subdivisions:
        elsewhere = _partial_days(country, first, last) - set(table)
        if elsewhere:
            sentences.append(
                f"{len(elsewhere)} days, the first on {min(elsewhere)}, are public holidays in parts of {country} only "
                f"and count as ordinary days; name the part, one of {', '.join(table.subdivisions)}."
            )
    return sentences


@lru_cache(maxsize=64)
def _partial_days(country: str, first: date, last: date) -> frozenset[date]:
    """Give the days of a span that are public holidays anywhere in a country."""
    parts = look_up(country, "", first.year, last.year).subdivisions
    days = {day for part in parts for day in look_up(country, part, first.year, last.year)}
    return frozenset(day for day in days if first <= day <= last)
