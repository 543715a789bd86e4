"""Raw data sets that differ by one entity: everyone an attacker could add, and everyone worth taking away.

Each is made from the RAW rows, so that whatever reading, filtering and laying out do with everyone's rows
shows: a calendar read off the data, a scale, a list of categories, a span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from common.data.panel import LARGEST_VALUE, as_text
from common.plan.schema import DataPlan

COPIES = 16
UNLAWFUL = (float("nan"), float("inf"), 1e38)
FIRST, LAST = "\x01audit", "\U0010fffdaudit"  # sorted before and after any name of a person or a product


@dataclass(frozen=True)
class Neighbour:
    """One entity, and the data set with it or without it.

    Attributes
    ----------
    kind
        In words.
    rows
        The whole neighbouring data set.
    own
        The one entity's rows.
    added
        Whether the entity is in `rows` and not in the original, or the other way round.
    """

    kind: str
    rows: pd.DataFrame
    own: pd.DataFrame
    added: bool = True


def make_neighbours(rows: pd.DataFrame, plan: DataPlan, origin: date) -> Iterator[Neighbour]:
    """Make every neighbour of `rows` that the audit replays; every entity of `rows` is one that a round reads."""
    yield from _leavers(rows, plan)
    yield from _newcomers(rows, plan, origin)


def _leavers(rows: pd.DataFrame, plan: DataPlan) -> Iterator[Neighbour]:
    names = as_text(rows[plan.entity])
    ordered, counts = np.unique(names.astype(str), return_counts=True)
    leaving = {
        "the first entity leaves": ordered[0],
        "the last entity leaves": ordered[-1],
        "the entity with most rows leaves": ordered[counts.argmax()],
        "an entity leaves": ordered[len(ordered) // 2],
        "the entity of the first row leaves": names[0],
    }
    if (lonely := _only_on_a_day(rows, plan, names)) is not None:
        leaving["the only entity on some day leaves"] = lonely
    for kind, name in leaving.items():
        mask = names == name
        if not mask.all():
            yield Neighbour(kind, rows[~mask], rows[mask], added=False)


def _only_on_a_day(rows: pd.DataFrame, plan: DataPlan, names: np.ndarray) -> str | None:
    days = pd.DataFrame({"day": as_text(rows[plan.time]), "name": names})
    days["day"] = days["day"].str[:10]
    alone = days.groupby("day")["name"].nunique() == 1
    found = days[days["day"].map(alone)]
    return None if found.empty else str(found["name"].iloc[0])


def _newcomers(rows: pd.DataFrame, plan: DataPlan, origin: date) -> Iterator[Neighbour]:
    names = as_text(rows[plan.entity]).astype(str)
    ordered = np.unique(names)
    model = rows[names == ordered[len(ordered) // 2]]
    first, last = _renamed(model, plan, rows, first=True), _renamed(model, plan, rows, first=False)
    one_row = last.iloc[:1]
    yield _joined("an ordinary entity sorted first", rows, first, on_top=True)
    yield _joined("an ordinary entity sorted last", rows, last)
    yield _joined(f"an entity with everything {COPIES}-fold", rows, _multiplied(last, plan))
    if columns := _value_columns(plan, rows):
        largest = LARGEST_VALUE**0.5 if plan.derived else LARGEST_VALUE  # a product of two must be lawful too
        yield _joined("an entity of enormous demand", rows, _valued(last, columns, largest))
        yield _joined("an entity of enormous demand sorted first", rows, _valued(first, columns, largest))
        for value in UNLAWFUL:
            yield _joined(f"an entity of demand {value}", rows, _valued(first, columns, value))
    yield _joined("an entity of one row on the first day", rows, _dated(one_row, plan, plan.start))
    yield _joined("an entity of one row on the last day", rows, _dated(one_row, plan, origin - timedelta(days=1)))
    outside = [_dated(one_row, plan, day) for day in (plan.start - timedelta(400), plan.end + timedelta(400))]
    yield _joined("an entity with rows outside the span", rows, pd.concat([*outside, last]), on_top=True)
    if (empty := _empty_day(rows, plan, origin)) is not None:
        yield _joined("the only entity on some day", rows, _dated(one_row, plan, empty), on_top=True)
    if attributes := [attribute.column for attribute in (*plan.known, *plan.static)]:
        yield _joined("an entity of unknown attributes", rows, _strange(last, attributes), on_top=True)


def _joined(kind: str, rows: pd.DataFrame, own: pd.DataFrame, *, on_top: bool = False) -> Neighbour:
    other = [c for c in rows if pd.api.types.is_numeric_dtype(rows[c]) and rows[c].dtype != own[c].dtype]
    rows = rows.astype(dict.fromkeys(other, float))  # as one gap among whole numbers makes them all floats
    parts = [own, rows] if on_top else [rows, own]
    return Neighbour(f"{kind} joins", pd.concat(parts, ignore_index=True), own)


def _renamed(own: pd.DataFrame, plan: DataPlan, rows: pd.DataFrame, *, first: bool) -> pd.DataFrame:
    """Give rows a name that nobody has; a number where names are numbers, for the column must keep its type."""
    column = rows[plan.entity]
    if not pd.api.types.is_numeric_dtype(column):
        return own.assign(**{plan.entity: FIRST if first else LAST})
    return own.assign(**{plan.entity: column.min() - 1 if first else column.max() + 1}).astype(
        {plan.entity: column.dtype}
    )


def _multiplied(own: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
    """Repeat rows; where a day has one row, multiply what it holds."""
    if plan.rows == "events":
        return pd.concat([own] * COPIES)
    columns = {column: own[column] for column in _value_columns(plan, own)}
    return own.assign(
        **{
            name: (pd.to_numeric(column, errors="coerce").astype(float) * COPIES).astype(_type_of(column))
            for name, column in columns.items()
        }
    )


def _value_columns(plan: DataPlan, rows: pd.DataFrame) -> list[str]:
    """Columns that hold amounts; of a derived one its factors, as far as the rows have them."""
    measures = [plan.target, *plan.observed.values()]
    named = [measure.column for measure in measures if measure.aggregate in ("sum", "mean")]
    columns = [factor for name in named for factor in plan.derived.get(name, (name,))]
    return [column for column in dict.fromkeys(columns) if column in rows]


def _valued(own: pd.DataFrame, columns: list[str], value: float) -> pd.DataFrame:
    return own.assign(**{column: str(value) if _type_of(own[column]) is str else value for column in columns})


def _type_of(column: pd.Series) -> type:
    """Tell text, as a CSV file is read, from numbers."""
    return str if isinstance(column.iloc[0], str) else float


def _dated(own: pd.DataFrame, plan: DataPlan, day: date) -> pd.DataFrame:
    """Move rows to another day, written as the column writes its days."""
    column = own[plan.time]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return own.assign(**{plan.time: pd.Timestamp(day, tz=column.dtype.tz)})
    if pd.api.types.is_datetime64_dtype(column):
        return own.assign(**{plan.time: pd.Timestamp(day)})
    if pd.api.types.is_numeric_dtype(column):
        return own.assign(**{plan.time: int(day.strftime("%Y%m%d"))})
    return own.assign(**{plan.time: day.isoformat() if isinstance(column.iloc[0], str) else day})


def _empty_day(rows: pd.DataFrame, plan: DataPlan, origin: date) -> date | None:
    """Find a day before the origin on which nobody has a row, the latest one."""
    taken = {str(text)[:10].replace("-", "") for text in as_text(rows[plan.time])}
    span = (origin - plan.start).days
    days = (origin - timedelta(days=back) for back in range(1, span + 1))
    return next((day for day in days if day.strftime("%Y%m%d") not in taken), None)


def _strange(own: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Give attributes values that nobody else has."""
    return own.assign(
        **{
            column: 12345.678 if pd.api.types.is_numeric_dtype(own[column]) else "unheard-of"
            for column in dict.fromkeys(columns)
            if column in own
        }
    )
