"""Cells of documents as a template needs them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

DAYS = ("order_day", "arrives", "next_arrives", "first", "last", "since", "until", "written_on")


def read_day(value: object) -> date | None:
    """Read a day as documents write it."""
    if isinstance(value, datetime):
        return value.date()
    if value is None or isinstance(value, date):
        return value
    return date.fromisoformat(str(value)[:10])


def read_days(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row with its days read."""
    return {name: read_day(value) if name in DAYS else value for name, value in row.items()}


def moment_of(day: date) -> int:
    """Give the second that a day begins at in UTC, as charts count."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
