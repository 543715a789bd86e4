"""Which columns of which files a plan reads: one list for the policy, for a person's eyes and for the reading itself.

A daemon's reading leaves every other column out (`client.data.root`), so a key that names a column and is forgotten
here reads nothing. A column that a plan computes (`data.derived`) is in no file; its factors are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from common.plan.schema import DataPlan


@dataclass(frozen=True)
class Use:
    """One column that a plan names, and what for.

    Attributes
    ----------
    key
        The key of the plan that names it; one line, whatever the plan calls it.
    files
        Where it is looked for: in every file of the plan, since lookups stand beside its rows; the column by which a
        lookup is joined in that lookup alone.
    """

    key: str
    column: str
    files: tuple[str, ...]


def files_of(data: DataPlan) -> tuple[str, ...]:
    """Name every file that a plan reads, its own first; none of its own where it draws its data."""
    return tuple(dict.fromkeys([*_files_of_rows(data), *calendar_files(data)]))


def _files_of_rows(data: DataPlan) -> tuple[str, ...]:
    """Name the files whose columns stand beside each other in one row."""
    own = (data.path,) if data.source == "file" else ()
    return tuple(dict.fromkeys([*own, *(lookup.path for lookup in data.lookups)]))


def calendar_files(data: DataPlan) -> tuple[str, ...]:
    """Name the files that say what is known of days: each is read by itself, and is part of no row."""
    school = (data.school_holidays.path,) if data.school_holidays else ()
    return tuple(dict.fromkeys([*(table.path for table in data.ahead), *school]))


def shared_files(data: DataPlan) -> tuple[str, ...]:
    """Name the files whose rows are the same for all entities: the merchant's own calendar."""
    school = (data.school_holidays.path,) if data.school_holidays else ()
    return tuple(dict.fromkeys([*(table.path for table in data.ahead if not table.entity), *school]))


def what_is_read(data: DataPlan) -> tuple[Use, ...]:
    """Name every column that a plan reads from a file, once for each key that names it."""
    return (*_of_rows(data), *_of_calendar(data))


def _of_calendar(data: DataPlan) -> Iterator[Use]:
    for number, table in enumerate(data.ahead):
        key, files = f"data.ahead.{number}", (table.path,)
        yield Use(f"{key}.time", table.time, files)
        for name, column in (("entity", table.entity), ("merchant", table.merchant)):
            if column:
                yield Use(f"{key}.{name}", column, files)
        yield from (Use(f"{key}.known", attribute.column, files) for attribute in table.known)
    if (school := data.school_holidays) is not None:
        columns = (("first_day", school.first_day), ("last_day", school.last_day), ("name", school.name))
        yield from (Use(f"data.school_holidays.{key}", column, (school.path,)) for key, column in columns if column)


def _of_rows(data: DataPlan) -> tuple[Use, ...]:
    files, found, computed = _files_of_rows(data), list[Use](), set[str]()
    for number, lookup in enumerate(data.lookups):  # joined before anything is computed
        found.append(Use(f"data.lookups.{number}.key", lookup.key, files))
        found.append(Use(f"data.lookups.{number}.column", lookup.column, (lookup.path,)))
    for name, factors in data.derived.items():
        found += [Use(f"data.derived.{_quoted(name)}", factor, files) for factor in factors if factor not in computed]
        computed.add(name)
    found += [Use(key, column, files) for key, column in _named(data) if column and column not in computed]
    return tuple(found)


def columns_in(data: DataPlan) -> dict[str, tuple[str, ...]]:
    """Name the columns that a plan looks for in each of its files."""
    uses = what_is_read(data)
    return {file: tuple(dict.fromkeys(use.column for use in uses if file in use.files)) for file in files_of(data)}


def columns_of(data: DataPlan) -> tuple[str, ...]:
    """Name every column of the rows that a plan reads, whatever its file, but those by which lookups are joined."""
    joined = {f"data.lookups.{number}.column" for number in range(len(data.lookups))}
    return tuple(dict.fromkeys(use.column for use in _of_rows(data) if use.key not in joined))


def _named(data: DataPlan) -> Iterator[tuple[str, str]]:
    """Name the columns of the rows as they are laid out, computed ones too, by key."""
    yield "data.entity", data.entity
    yield "data.merchant", data.merchant
    if data.deal is not None and data.deal.by == "group":
        yield "data.deal", data.deal.column
    yield "data.time", data.time
    yield "data.target", data.target.column
    yield from ((f"data.observed.{_quoted(name)}", measure.column) for name, measure in data.observed.items())
    yield from (("data.known", attribute.column) for attribute in data.known)
    yield from (("data.static", attribute.column) for attribute in data.static)
    yield "data.out_of_stock", data.out_of_stock
    yield from (("data.filters", condition.column) for condition in data.filters)


def _quoted(name: str) -> str:
    """Write a name that a stranger chose as one plain word, or in quotes."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else repr(name)
