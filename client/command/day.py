"""A day as an option of a command."""

from __future__ import annotations

from datetime import date

from common.errors import ConfigError

FIRST_YEAR, LAST_YEAR = 1900, 2199


def read_day(option: str, text: str) -> date:
    """Read a day.

    Raises
    ------
    ConfigError
        The text is none, or one that no shop can mean.
    """
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(f"{option} {text!r} is no day; write it as 2025-09-30.") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ConfigError(f"{option} {day} lies too far away; choose a day from {FIRST_YEAR} to {LAST_YEAR}.")
    return day


def read_day_or_none(option: str, text: str) -> date | None:
    """Read a day, or None where the option was left out.

    Raises
    ------
    ConfigError
        The text is no day, or one that no shop can mean.
    """
    return read_day(option, text) if text else None
