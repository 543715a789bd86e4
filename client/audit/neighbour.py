"""Files that differ by one entity: everyone an attacker could add, and everyone worth taking away.

Each is made as the bytes of a file, so that whatever reading, filtering and laying out do with everyone's rows shows:
a quote that swallows the next line, a type guessed from the column, a calendar read off the data, a scale, a span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from client.audit.source import Part, Source, lookups_with
from common.data.cells import as_days
from common.data.usable import LARGEST_VALUE
from common.plan.schema import DataPlan, Lookup

COPIES = 16
UNLAWFUL = (float("nan"), float("inf"), 1e38)
FIRST, LAST = "\x01audit", "\U0010fffdaudit"  # sorted before and after any name of a person or a product


@dataclass(frozen=True)
class Neighbour:
    """One entity, and the file with it or without it.

    Attributes
    ----------
    kind
        In words.
    content
        Bytes of the whole neighbouring file.
    own
        Bytes of a file of the one entity's rows.
    added
        Whether the entity is in `content` and not in the original, or the other way round.
    lookups
        Bytes of lookups that hold rows of the one entity, by path.
    is_broken
        Whether its lines are damaged, so that what is looked for is others' rows, and not how long its record is.
    """

    kind: str
    content: bytes = field(repr=False)
    own: bytes = field(repr=False)
    added: bool = True
    lookups: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    is_broken: bool = False


def make_neighbours(source: Source, plan: DataPlan, origin: date) -> Iterator[Neighbour]:
    """Make every neighbour that the audit replays; every entity of `source` is one that a round reads."""
    yield from _leavers(source, plan)
    lookups = newcomer_lookups(source, plan)
    for neighbour in _newcomers(source, plan, origin):
        yield replace(neighbour, lookups={**lookups, **neighbour.lookups})
    if source.is_text:
        yield from _damaged(source, plan)


def _leavers(source: Source, plan: DataPlan) -> Iterator[Neighbour]:
    names = source.names(plan.entity)
    ordered, counts = np.unique(names.astype(str), return_counts=True)
    leaving = {
        "the first entity leaves": ordered[0],
        "the last entity leaves": ordered[-1],
        "the entity with most rows leaves": ordered[counts.argmax()],
        "an entity leaves": ordered[len(ordered) // 2],
        "the entity of the first row leaves": names[0],
    }
    if (lonely := _only_on_a_day(source.rows, plan, names)) is not None:
        leaving["the only entity on some day leaves"] = lonely
    for kind, name in leaving.items():
        mask = names == name
        if not mask.all():
            own = source.encode([source.part(mask)])
            yield Neighbour(kind, source.encode([source.part(~mask)]), own, added=False)


def _only_on_a_day(rows: pd.DataFrame, plan: DataPlan, names: np.ndarray) -> str | None:
    days = pd.DataFrame({"day": as_days(rows[plan.time], plan.time_zone), "name": names})
    alone = days.groupby("day")["name"].nunique() == 1
    found = days[days["day"].map(alone).fillna(False).astype(bool)]
    return None if found.empty else str(found["name"].iloc[0])


def make_renamed(source: Source, plan: DataPlan, *, first: bool = False) -> pd.DataFrame:
    """Copy the rows of an ordinary entity under a name that nobody has, sorted first or last."""
    names = source.names(plan.entity).astype(str)
    return renamed(source.rows[names == _ordinary(names)], plan, source.rows, first=first)


def newcomer_lookups(source: Source, plan: DataPlan) -> dict[str, bytes]:
    """Give those that `make_renamed` names the ordinary entity's rows in lookups."""
    new = [make_renamed(source, plan, first=first)[plan.entity].iloc[0] for first in (True, False)]
    return lookups_with(source, plan, {_ordinary(source.names(plan.entity).astype(str)): new})


def _ordinary(names: np.ndarray) -> str:
    every = np.unique(names)
    return str(every[len(every) // 2])


def _newcomers(source: Source, plan: DataPlan, origin: date) -> Iterator[Neighbour]:
    rows = source.rows
    first, last = make_renamed(source, plan, first=True), make_renamed(source, plan)
    one_row = last.iloc[:1]

    def joined(kind: str, own: pd.DataFrame, *, on_top: bool = False) -> Neighbour:
        every = source.part(np.ones(len(rows), bool))
        parts: list[Part] = [own, every] if on_top else [every, own]
        return Neighbour(f"{kind} joins", source.encode(parts), source.encode([own]))

    if source.is_text:
        yield joined("an entity that writes its days in another way", _with_slashes(first, plan), on_top=True)
    yield joined("an ordinary entity sorted first", first, on_top=True)
    yield joined("an ordinary entity sorted last", last)
    yield joined(f"an entity with everything {COPIES}-fold", _multiplied(last, plan))
    if columns := value_columns(plan, rows):
        largest = LARGEST_VALUE**0.5 if plan.derived else LARGEST_VALUE  # a product of two must be lawful too
        yield joined("an entity of enormous demand", valued(last, columns, largest))
        yield joined("an entity of enormous demand sorted first", valued(first, columns, largest))
        for value in UNLAWFUL:
            yield joined(f"an entity of demand {value}", valued(first, columns, value))
    if plan.out_of_stock in rows:
        for words, sold_out in (("always", "1"), ("never", "0")):
            own = first.assign(**{plan.out_of_stock: typed(first[plan.out_of_stock], sold_out)})
            yield joined(f"an entity that is {words} out of stock", own, on_top=True)
    yield joined("an entity of one row on the first day", dated(one_row, plan, plan.start))
    yield joined("an entity of one row on the last day", dated(one_row, plan, origin - timedelta(days=1)))
    outside = [dated(one_row, plan, day) for day in (plan.start - timedelta(400), plan.end + timedelta(400))]
    yield joined("an entity with rows outside the span", pd.concat([*outside, last]), on_top=True)
    if (empty := _empty_day(rows, plan, origin)) is not None:
        yield joined("the only entity on some day", dated(one_row, plan, empty), on_top=True)
    if attributes := [attribute.column for attribute in (*plan.known, *plan.static)]:
        yield joined("an entity of unknown attributes", _strange(last, attributes), on_top=True)
    if (twice := _key_twice(source, plan, last)) is not None:
        path, content = twice
        every = source.part(np.ones(len(rows), bool))
        yield Neighbour(
            "an entity that a lookup has twice joins",
            source.encode([every, last]),
            source.encode([last]),
            lookups={path: content},
        )


def _key_twice(source: Source, plan: DataPlan, own: pd.DataFrame) -> tuple[str, bytes] | None:
    """Add the newcomer to a lookup of entities that is text, twice and in different words."""
    for lookup in plan.lookups:
        if lookup.key == plan.entity and lookup.path.endswith(".csv"):
            content = with_lookup_row(source, lookup, own, b"1", b"2")
            if content is not None:
                return lookup.path, content
    return None


def with_lookup_row(source: Source, lookup: Lookup, own: pd.DataFrame, *cells: bytes) -> bytes | None:
    """Add rows for an entity to a lookup that is text, one whose cells are all the same for each of `cells`.

    None where the lookup's first line does not name the key.
    """
    content = source.lookups[lookup.path]
    name = source.write_lines(own[[lookup.key]].iloc[:1]).rstrip(b"\n")
    columns = [cell.strip() for cell in content.splitlines()[0].decode().split(",")]
    if lookup.column not in columns:
        return None
    rows = [b",".join(name if column == lookup.column else cell for column in columns) for cell in cells]
    return content.rstrip(b"\n") + b"\n" + b"\n".join(rows) + b"\n"


def _damaged(source: Source, plan: DataPlan) -> Iterator[Neighbour]:
    """Let an entity join whose lines are broken, each in front of another entity's row."""
    names = source.names(plan.entity)
    own = renamed(source.rows[names == np.unique(names.astype(str))[0]], plan, source.rows, first=False)
    lines = source.write_lines(own).splitlines()
    mark = source.separator.encode()
    damages: dict[str, Callable[[bytes], bytes]] = {
        "an entity whose quotes stay open": lambda line: line.replace(mark, mark + b'"', 1),
        "an entity whose last cell opens a quote": lambda line: line + mark + b'"',
        "an entity whose quotes stay open in its name": lambda line: b'"' + line,
        "an entity with a separator too many": lambda line: line + mark + b"more",
        "an entity of bytes that are no text": lambda line: line.replace(mark, b"\xff" + mark, 1),
        "an entity with a carriage return in each row": lambda line: line.replace(mark, b"\r" + mark, 1),
        "an entity with a line feed in each row": lambda line: line.replace(mark, b"\n" + mark, 1),
        "an entity with a byte order mark in each row": lambda line: b"\xef\xbb\xbf" + line,
        "an entity with a zero byte in each row": lambda line: line.replace(mark, b"\0" + mark, 1),
    }
    for kind, damage in damages.items():
        broken = [damage(line) + b"\n" for line in lines]
        yield Neighbour(
            f"{kind} joins", source.encode(_interleaved(broken, source)), source.encode(broken), is_broken=True
        )


def _interleaved(broken: list[bytes], source: Source) -> Iterator[bytes]:
    """Put a broken line in front of as many of the file's lines as there are, and the others at the end."""
    left = list(broken)
    for line in source.lines:
        if left:
            yield left.pop(0)
        yield line + b"\n"
    yield from left


def renamed(own: pd.DataFrame, plan: DataPlan, rows: pd.DataFrame, *, first: bool) -> pd.DataFrame:
    """Give rows a name that nobody has; a number where names are numbers, for the column must keep its type."""
    column = rows[plan.entity]
    if (numbers := numbers_of(column, plan)) is None:
        return own.assign(**{plan.entity: FIRST if first else LAST})
    name = int(numbers.min()) - 1 if first else int(numbers.max()) + 1
    return own.assign(**{plan.entity: as_name(column, name)}).astype({plan.entity: column.dtype})


def numbers_of(column: pd.Series, plan: DataPlan) -> pd.Series | None:
    """Give the names of entities as numbers where only numbers can be names; None where any text can be one.

    They are numbers in a file that has types, some of them missing or not; and where a filter compares them.
    """
    there = column.dropna()
    if _is_text(column) and not any(condition.column == plan.entity for condition in plan.filters):
        return None
    numbers = pd.to_numeric(there, errors="coerce")
    return None if numbers.isna().any() or not len(numbers) else numbers


def as_name(column: pd.Series, number: int) -> Any:
    """Write a number as the column has its names."""
    return str(number) if _is_text(column) else number


def _is_text(column: pd.Series) -> bool:
    return all(isinstance(cell, str) for cell in column.dropna())


def _multiplied(own: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
    """Repeat rows; where a day has one row, multiply what it holds."""
    if plan.rows == "events":
        return pd.concat([own] * COPIES)
    columns = {column: own[column] for column in value_columns(plan, own)}
    return own.assign(
        **{
            name: (pd.to_numeric(column, errors="coerce").astype(float) * COPIES).astype(type_of(column))
            for name, column in columns.items()
        }
    )


def value_columns(plan: DataPlan, rows: pd.DataFrame) -> list[str]:
    """Columns that hold amounts; of a derived one its factors, as far as the rows have them."""
    measures = [plan.target, *plan.observed.values()]
    named = [measure.column for measure in measures if measure.aggregate in ("sum", "mean")]
    columns = [factor for name in named for factor in plan.derived.get(name, (name,))]
    return [column for column in dict.fromkeys(columns) if column in rows]


def valued(own: pd.DataFrame, columns: list[str], value: float) -> pd.DataFrame:
    """Give some columns one value."""
    return own.assign(**{column: str(value) if type_of(own[column]) is str else value for column in columns})


def typed(column: pd.Series, value: object) -> Any:
    """Turn a value, or a column of them, into what a column holds.

    Raises
    ------
    TypeError
        A column of numbers holds no text.
    """
    if not pd.api.types.is_numeric_dtype(column):
        if isinstance(value, pd.Series):  # of values of any type, some of them missing, those that stay are left alone
            return value.astype(str) if _is_text(column) else value
        return str(value)
    if isinstance(value, pd.Series):
        numbers = pd.to_numeric(value, errors="coerce")
        try:
            return numbers.astype(column.dtype)
        except (ValueError, OverflowError):
            return numbers
    if isinstance(value, str) and value:
        raise TypeError
    return value or float("nan")


def type_of(column: pd.Series) -> type:
    """Tell text, as a CSV file is read, from numbers."""
    return str if isinstance(column.iloc[0], str) else float


def dated(own: pd.DataFrame, plan: DataPlan, day: date) -> pd.DataFrame:
    """Move rows to another day, written as the column writes its days."""
    column = own[plan.time]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return own.assign(**{plan.time: pd.Timestamp(day, tz=column.dtype.tz)})
    if pd.api.types.is_datetime64_dtype(column):
        return own.assign(**{plan.time: pd.Timestamp(day)})
    if pd.api.types.is_numeric_dtype(column):
        return own.assign(**{plan.time: int(day.strftime("%Y%m%d"))})
    return own.assign(**{plan.time: day.isoformat() if isinstance(column.iloc[0], str) else day})


def _with_slashes(own: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
    days = pd.Series(as_days(own[plan.time], plan.time_zone), own.index)
    return own.assign(**{plan.time: days.dt.strftime("%Y/%m/%d").fillna("")})


def _empty_day(rows: pd.DataFrame, plan: DataPlan, origin: date) -> date | None:
    """Find a day before the origin on which nobody has a row, the latest one."""
    taken = set(as_days(rows[plan.time], plan.time_zone).tolist())
    span = (origin - plan.start).days
    days = (origin - timedelta(days=back) for back in range(1, span + 1))
    return next((day for day in days if day not in taken), None)


def _strange(own: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Give attributes values that nobody else has."""
    return own.assign(
        **{
            column: 12345.678 if pd.api.types.is_numeric_dtype(own[column]) else "unheard-of"
            for column in dict.fromkeys(columns)
            if column in own
        }
    )
