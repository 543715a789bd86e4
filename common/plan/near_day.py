"""Covariates that tell how near a day is to a holiday: which distances have one, and what they are called."""

from __future__ import annotations

NEAR_DAYS = (-7, -3, -1, 0, 1, 3)  # from the holiday to the day
BEGIN, END = -14, 7  # where nearness begins, and has ended


def near_names(holiday: str) -> tuple[str, ...]:
    """Name the covariates of one holiday."""
    return tuple(f"{holiday} {days:+d}" for days in NEAR_DAYS)
