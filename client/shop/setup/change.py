"""Say in a sentence how a known source differs from what shop.toml says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from client.shop.settings import FILE_NAME, Dialect, SourceSettings
from client.shop.source.database import is_url
from client.shop.source.opening import look
from client.shop.source.source import Look
from common.errors import ConfigError, DataError

SHOWN = 8  # columns named in a sentence


def explain_change(settings: SourceSettings, folder: Path, fault: DataError) -> str:
    """Say what became of a file that cannot be read as before; the fault's own words where nothing else is seen."""
    if is_url(settings.location):
        return str(fault)
    try:
        looks = look(settings.location, folder)
    except (ConfigError, DataError):
        return str(fault)
    found = next((each for each in looks if each.table == settings.table), None)
    if found is None:
        there = ", ".join(each.table for each in looks if each.table)
        return f"{settings.location} has no {settings.table!r} any more{f'; it has {there}' if there else ''}."
    return _say_dialect(settings, found) or _say_columns(settings, found) or str(fault)


def _say_dialect(settings: SourceSettings, found: Look) -> str:
    """Tell another dialect, by which the columns are there."""
    before, now = settings.dialect or Dialect(), found.dialect or Dialect()
    changed = [name for name in Dialect.model_fields if getattr(before, name) != getattr(now, name)]
    if not changed or _missing(settings, found):
        return ""
    what = ", ".join(f"{name} {getattr(now, name)!r} instead of {getattr(before, name)!r}" for name in changed)
    return (
        f"{settings.location} is written otherwise than {FILE_NAME} says: {what}; export it as before, or change "
        f"[sources.dialect] of {settings.name} there."
    )


def _say_columns(settings: SourceSettings, found: Look) -> str:
    missing = _missing(settings, found)
    if not missing:
        return ""
    others = [column for column in found.sample if column not in settings.columns.values()]
    return (
        f"{settings.location} has no column {_named(missing)}, which {FILE_NAME} names; others in it are "
        f"{_named(others)}: export it as before, or correct the columns of {settings.name} there."
    )


def _missing(settings: SourceSettings, found: Look) -> list[str]:
    return [column for column in settings.columns.values() if column and column not in found.sample]


def _named(columns: Sequence[str]) -> str:
    return ", ".join(map(repr, columns[:SHOWN])) + (", …" if len(columns) > SHOWN else "")
