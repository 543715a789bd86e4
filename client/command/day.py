"""A day as an option of a command."""

from __future__ import annotations

from datetime import date

from common.errors import ConfigError


def read_day(option: str, text: str) -> date:
    """Read a day.

    Raises
    ------
    ConfigError
        The text is none.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(f"{option} {text!r} is no day; write it as 2025-09-30.") from error


def read_day_or_none(option: str, text: str) -> date | None:
    """Read a day, or None where the option was left out.

    Raises
    ------
    ConfigError
        The text is no day.
    """
    return read_day(option, text) if text else None
