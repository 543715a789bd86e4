"""A day as a person writes it."""

from __future__ import annotations

from datetime import date


def say_day(day: date) -> str:
    """Write a day so that its month needs no guessing, with its year wherever that is not this one."""
    return f"{day.day} {day:%b}" if day.year == date.today().year else f"{day.day} {day:%b %Y}"
