"""Write numbers, days and money as the listener does, by Babel's locale data (CLDR)."""

from __future__ import annotations

import math
from datetime import date, datetime
from functools import lru_cache, partial

from client.language.speech import CHINESE, ENGLISH, Said, language


def say_count(value: float | int) -> str:
    """Write pieces as a person does: no decimals from ten on. English and Chinese group digits alike."""
    if value >= 10 or math.isclose(value, round(value), abs_tol=0.05):
        return f"{value:,.0f}"
    return f"{value:.1f}"


def say_day(day: date, *, this_year: int | None = None) -> str:
    """Write a day so that its month needs no guessing, with its year wherever that is not this one.

    Parameters
    ----------
    this_year
        The year that goes without saying; the present one if left out.
    """
    this_year = date.today().year if this_year is None else this_year
    has_year = day.year != this_year
    return Said.of(_say_day(day, has_year, _locale()), partial(say_day, day, this_year=this_year))


@lru_cache(maxsize=4096)
def _say_day(day: date, has_year: bool, locale: str) -> str:
    from babel.dates import format_date, format_skeleton

    if locale == ENGLISH:
        return format_date(day, "d MMM y" if has_year else "d MMM", locale=locale)
    return format_skeleton("yMMMd" if has_year else "MMMd", _noon(day), locale=locale)


def say_weekday(day: date) -> str:
    """Write a day with its weekday, as "Mon 30 Nov" or "11月30日周一"."""
    return Said.of(_say_weekday(day, _locale()), partial(say_weekday, day))


@lru_cache(maxsize=4096)
def _say_weekday(day: date, locale: str) -> str:
    from babel.dates import format_date, format_skeleton

    if locale == ENGLISH:
        return format_date(day, "EEE d MMM", locale=locale)
    return format_skeleton("MMMEd", _noon(day), locale=locale)


def say_money(value: float | int, currency: str, *, cents: bool = True) -> str:
    """Write an amount with its currency; without cents where it need not be exact."""
    from babel.numbers import format_currency

    pattern = None if cents else "¤#,##0"
    said = format_currency(value, currency, locale=_locale(), currency_digits=cents, format=pattern)
    return Said.of(said, partial(say_money, value, currency, cents=cents))


def say_share(share: float | int, *, decimals: int = 0) -> str:
    """Write a share as per cent."""
    from babel.numbers import format_percent

    return format_percent(share, format=f"#,##0{'.' + '0' * decimals if decimals else ''}%", locale=_locale())


def _locale() -> str:
    return language() if language() in (ENGLISH, CHINESE) else ENGLISH


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)
