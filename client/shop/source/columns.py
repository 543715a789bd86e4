"""Which columns of a file are read, from its header alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from client.shop.record import COLUMNS, DAY
from client.shop.settings import SourceSettings
from common.errors import DataError

DAY_WORDS = ("date", "time", "created", "paid", " at", "datum", "zeit", "日期", "时间")
DAY_FIELDS = frozenset(field for columns in COLUMNS.values() for field, kind in columns.items() if kind == DAY)


@dataclass(frozen=True)
class Columns:
    """Columns that are read.

    Attributes
    ----------
    places
        Where each stands in the file.
    notes
        Of columns that are not read though they have a name, a sentence each.
    doubled
        Names of those columns.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    notes: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()


def choose_columns(header: Sequence[str], settings: SourceSettings, *, origin: str) -> Columns:
    """Choose the columns that the settings name, or all that have a name of their own.

    Raises
    ------
    DataError
        A column that is wanted is not there, or is there twice.
    """
    named = [place for place, name in enumerate(header) if name]
    if not named:
        raise DataError(f"The header of {origin} names no column; write the names of the columns there.")
    wanted = tuple(dict.fromkeys(settings.columns.values())) if settings.format == "table" else ()
    for name in wanted:
        if name not in header:
            raise DataError(f"{origin} has no column {name!r}; it has {', '.join(header[place] for place in named)}.")
        if header.count(name) > 1:
            raise DataError(f"{origin} has the column {name!r} twice; rename one of them.")
    places = tuple(header.index(name) for name in wanted) or tuple(
        place for place in named if header.count(header[place]) == 1
    )
    doubled = () if wanted else find_doubled(header)
    notes = (f"The column {name!r} is there {header.count(name)} times and is not read; rename it." for name in doubled)
    return Columns(tuple(header[place] for place in places), places, tuple(notes), doubled)


def find_doubled(header: Sequence[str]) -> tuple[str, ...]:
    """Name the columns that cannot be told apart."""
    return tuple(dict.fromkeys(name for name in header if name and header.count(name) > 1))


def find_day_columns(header: Sequence[str], settings: SourceSettings) -> tuple[int, ...]:
    """Find the columns that hold days: by the settings, else by what the header calls them."""
    mapped = {column for field, column in settings.columns.items() if field in DAY_FIELDS}
    places = tuple(place for place, name in enumerate(header) if name in mapped)
    return places or tuple(
        place for place, name in enumerate(header) if any(word in f" {name.lower()}" for word in DAY_WORDS)
    )
