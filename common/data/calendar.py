"""What is known of each day ahead, laid out by entity: from the rows, from tables beside them, and from public days.

    cells of the rows ─┐
    data.ahead ────────┼→ value and told, per entity and day → gaps are filled as the plan says
    public days ───────┘

A covariate that nobody told is no zero. Where it is told stays beside its value (`Panel.told`), so that whoever
forecasts can say what is missing (`common.data.gap`); a round never refuses for it.

Guarantee: an entity's covariates depend on its own rows, in the table of the plan and in those of `data.ahead` that
name it, on the plan, and on tables without an entity column. These are the merchant's own calendar: the same for all
entities, a file of its own that the policy calls public, and shared by neighbours, so that adding or removing an entity
changes no line of it. That nothing in such a file was made of one entity's rows is the merchant's word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from common.calendar.nearness import near_holiday
from common.calendar.public_holiday import HolidayCalendar, holidays_between
from common.calendar.shopping_day import is_shopping_day
from common.data.cells import as_days, as_names, as_numbers, canonical_name
from common.data.usable import LARGEST_VALUE
from common.errors import DataError
from common.plan.schema import AheadTable, Attribute, DataPlan, HolidayKind, Missing, PublicHolidays, SchoolHolidays


@dataclass(frozen=True)
class DayTables:
    """The cells of a plan's calendar files.

    Attributes
    ----------
    ahead
        In the order of `data.ahead`.
    """

    ahead: tuple[pd.DataFrame, ...] = ()
    school: pd.DataFrame | None = None


@dataclass(frozen=True)
class Covariates:
    """Values, and where they are told; a gap is filled already.

    Attributes
    ----------
    told
        None: everywhere.
    """

    values: Float[np.ndarray, "entity day covariate"]
    told: Bool[np.ndarray, "entity day covariate"] | None


@dataclass(frozen=True)
class Part:
    """Some covariates of some entities, or of all of them, before gaps are filled.

    Attributes
    ----------
    owner
        Row of `values` and `told` for each entity.
    """

    values: Float[np.ndarray, "owner day covariate"]
    told: Bool[np.ndarray, "owner day covariate"]
    owner: Int[np.ndarray, " entity"]
    missing: Missing


def join_parts(parts: Sequence[Part], shape: tuple[int, int]) -> Covariates:
    """Fill gaps, and put the covariates of all parts beside each other; `shape` is that of [entity, day].

    What is the same for all entities lies in memory once.
    """
    if not parts:
        return Covariates(np.zeros((*shape, 0), np.float32), None)
    values = _join([_fill(part) for part in parts], parts, shape[0])
    if all(part.told.all() for part in parts):
        return Covariates(values, None)
    return Covariates(values, _join([part.told for part in parts], parts, shape[0]))


def _join(values: Sequence[np.ndarray], parts: Sequence[Part], num_entities: int) -> np.ndarray:
    """Put each part's values beside the others', by the owner of each entity."""
    if all(len(each) == 1 for each in values):
        row = np.concatenate(values, axis=2)
        return np.broadcast_to(row, (num_entities, *row.shape[1:]))
    return np.concatenate([each[part.owner] for each, part in zip(values, parts, strict=True)], axis=2)


def _fill(part: Part) -> Float[np.ndarray, "owner day covariate"]:
    """Give every gap what it counts as: the last value told before it, or 0."""
    values = np.where(part.told, part.values, 0.0).astype(np.float32)
    if part.missing != "last":
        return values
    days = np.arange(values.shape[1])[None, :, None]
    last = np.maximum.accumulate(np.where(part.told, days, -1), axis=1)
    return np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=1), 0.0).astype(np.float32)


def calendar_parts(plan: DataPlan, tables: DayTables, names: np.ndarray) -> Iterator[Part]:
    """Read everything that is not told by the rows themselves.

    Parameters
    ----------
    names
        Merchant and entity of each entity of the panel.
    """
    if len(tables.ahead) != len(plan.ahead) or (tables.school is None) != (plan.school_holidays is None):
        raise DataError("The tables of data.ahead and data.school_holidays were not read; read the plan's files.")
    for table, cells in zip(plan.ahead, tables.ahead, strict=True):
        yield _read_table(table, read_day_rows(table, cells, plan).rows, plan, names)
    shared = np.zeros(len(names), np.int64)
    if plan.holidays is not None:
        yield _public_holidays(plan, plan.holidays, shared)
    if plan.shopping_days:
        days = np.stack([is_shopping_day(name, plan.start, plan.end) for name in plan.shopping_days], axis=1)[None]
        yield Part(days.astype(np.float32), np.ones(days.shape, bool), shared, "zero")
    if plan.school_holidays is not None and tables.school is not None:
        yield _school_holidays(plan, plan.school_holidays, tables.school, shared)


@dataclass(frozen=True)
class DayRows:
    """Rows of a table of what lies ahead, one for each day and whoever they are of.

    Attributes
    ----------
    faults
        What is left out, a sentence each.
    """

    rows: pd.DataFrame
    faults: tuple[str, ...]


def read_day_rows(table: AheadTable, cells: pd.DataFrame, plan: DataPlan) -> DayRows:
    """Keep the first row of each day and entity, with its day, entity and merchant in columns of these names.

    Raises
    ------
    DataError
        A column is missing: nothing that depends on a row.
    """
    for column in (table.time, table.entity, table.merchant, *(attribute.column for attribute in table.known)):
        if column and column not in cells:
            there = ", ".join(map(str, cells.columns))
            raise DataError(f"data.ahead names the column {column!r} of {table.path}; it has {there}.")
    days = as_days(cells[table.time], plan.time_zone)
    keys = pd.DataFrame(
        {
            "day": (days - np.datetime64(plan.start, "D")).astype("timedelta64[D]").astype(np.float64),
            "entity": as_names(cells[table.entity]) if table.entity else "",
            "merchant": as_names(cells[table.merchant]) if table.merchant else "",
        },
        index=cells.index,
    )
    keys.loc[np.isnat(days), "day"] = np.nan
    named = np.ones(len(keys), bool)
    for column, name in (("entity", table.entity), ("merchant", table.merchant)):
        named &= (keys[column] != "").to_numpy() if name else True
    readable = keys["day"].notna().to_numpy() & named
    second = np.zeros(len(keys), bool)
    second[readable] = keys[readable].duplicated().to_numpy()
    inside = keys["day"].between(0, (plan.end - plan.start).days).to_numpy()
    rows = pd.concat([keys, cells[[attribute.column for attribute in table.known]].add_prefix("known ")], axis=1)
    return DayRows(rows[readable & ~second & inside], tuple(_say_left_out(table, cells, ~readable, second)))


def _say_left_out(
    table: AheadTable, cells: pd.DataFrame, unreadable: Bool[np.ndarray, " row"], second: Bool[np.ndarray, " row"]
) -> Iterator[str]:
    if unreadable.any():
        yield (
            f"{unreadable.sum()} of {len(cells)} rows of {table.path} name no day or nobody (the first in row "
            f"{cells.index[int(unreadable.argmax())]}) and are left out; write dates as 2011-09-30."
        )
    if second.any():
        yield (
            f"{second.sum()} of {len(cells)} rows of {table.path} are a second one of their day (the first in row "
            f"{cells.index[int(second.argmax())]}); the first one counts: drop the others."
        )


def _read_table(table: AheadTable, rows: pd.DataFrame, plan: DataPlan, names: np.ndarray) -> Part:
    """Lay a table's rows out by day and by whoever they are of, and say which of these each entity is."""
    owners, owner = _owners(table, names)
    row_owner = owners.get_indexer(_keys(table, rows["merchant"].to_numpy(), rows["entity"].to_numpy()))
    there = row_owner >= 0  # of an entity that the rows do not know: of nobody
    rows, at = rows[there], (row_owner[there], rows["day"].to_numpy().astype(np.int64)[there])
    columns, told = [], []
    for attribute in table.known:
        cells = rows[f"known {attribute.column}"].rename(attribute.column)
        columns += attribute_columns(cells, attribute)
        told += [is_told(cells, attribute)] * len(attribute.names)
    shape = (len(owners), (plan.end - plan.start).days + 1, len(columns))
    part = Part(np.zeros(shape, np.float32), np.zeros(shape, bool), owner, table.missing)
    part.values[at] = np.stack(columns, axis=1)
    part.told[at] = np.stack(told, axis=1)
    return part


def _owners(table: AheadTable, names: np.ndarray) -> tuple[pd.Index, Int[np.ndarray, " entity"]]:
    """Give whoever rows of a table may be of, and which of them each entity is."""
    keys = _keys(table, names[:, 0], names[:, 1])
    owners = keys.unique()
    return owners, owners.get_indexer(keys).astype(np.int64)


def _keys(table: AheadTable, merchants: np.ndarray, entities: np.ndarray) -> pd.Index:
    nobody = np.full(len(merchants), "", dtype=object)
    pair = (merchants if table.merchant else nobody, entities if table.entity else nobody)
    return pd.MultiIndex.from_arrays([np.asarray(part, dtype=object) for part in pair])


def _public_holidays(plan: DataPlan, wanted: PublicHolidays, owner: Int[np.ndarray, " entity"]) -> Part:
    calendar = holidays_between(wanted.country, wanted.subdivision, plan.start, plan.end)
    years = np.array([(plan.start + timedelta(days=day)).year for day in range(len(calendar.is_holiday))])
    columns, told_of = zip(*(_holiday_column(calendar, name, years) for name in wanted.covariates), strict=True)
    near = [_near_columns(plan, wanted, holiday) for holiday in wanted.near]
    known = np.isin(years, calendar.unknown_years, invert=True)[:, None]
    values = np.concatenate([np.stack(columns, axis=1), *near], axis=1)[None].astype(np.float32)
    told = np.concatenate([np.stack(told_of, axis=1), *(np.broadcast_to(known, each.shape) for each in near)], axis=1)
    return Part(values, told[None], owner, wanted.missing)


def _near_columns(plan: DataPlan, wanted: PublicHolidays, holiday: str) -> Float[np.ndarray, "day near"]:
    return near_holiday(wanted.country, wanted.subdivision, holiday, first=plan.start, last=plan.end)


def _holiday_column(
    calendar: HolidayCalendar, name: HolidayKind, years: Int[np.ndarray, " day"]
) -> tuple[Bool[np.ndarray, " day"], Bool[np.ndarray, " day"]]:
    values = {
        "holiday": calendar.is_holiday,
        "before": calendar.is_before,
        "after": calendar.is_after,
        "worked_weekend": calendar.is_worked,
    }[name]
    unknown = [*calendar.unknown_years, *(calendar.unannounced_years if name == "worked_weekend" else ())]
    return values, ~np.isin(years, unknown)


def _school_holidays(
    plan: DataPlan, wanted: SchoolHolidays, cells: pd.DataFrame, owner: Int[np.ndarray, " entity"]
) -> Part:
    """Mark the days of each span; what comes before the first and after the last of them is not told."""
    spans = read_spans(wanted, cells, plan)
    num_days = (plan.end - plan.start).days + 1
    kinds = wanted.names or ("",)
    values, told = np.zeros((1, num_days, len(kinds)), np.float32), np.zeros((1, num_days, len(kinds)), bool)
    if len(spans.rows):
        told[0, _days(spans.rows["first"].min(), spans.rows["last"].max())] = True
    for place, kind in enumerate(kinds):
        mine = spans.rows[spans.rows["name"] == canonical_name(kind)] if kind else spans.rows
        for first, last in zip(mine["first"], mine["last"], strict=True):
            values[0, _days(first, last), place] = 1.0
    return Part(values, told, owner, wanted.missing)


def _days(first: int | np.integer, last: int | np.integer) -> slice:
    return slice(max(int(first), 0), max(int(last) + 1, 0))


def read_spans(wanted: SchoolHolidays, cells: pd.DataFrame, plan: DataPlan) -> DayRows:
    """Read spans of days, counted from the plan's first day, into columns first, last and name.

    Raises
    ------
    DataError
        A column is missing.
    """
    for column in (wanted.first_day, wanted.last_day, wanted.name):
        if column and column not in cells:
            there = ", ".join(map(str, cells.columns))
            raise DataError(f"data.school_holidays names the column {column!r} of {wanted.path}; it has {there}.")
    ends = [as_days(cells[column], plan.time_zone) for column in (wanted.first_day, wanted.last_day)]
    readable = ~np.isnat(ends[0]) & ~np.isnat(ends[1]) & (ends[0] <= ends[1])
    first, last = ((end[readable] - np.datetime64(plan.start, "D")).astype(np.int64) for end in ends)
    name = as_names(cells[wanted.name])[readable] if wanted.name else np.full(len(first), "", dtype=object)
    faults: tuple[str, ...] = ()
    if not readable.all():
        faults = (
            f"{(~readable).sum()} of {len(cells)} rows of {wanted.path} are no span of days (the first in row "
            f"{cells.index[int((~readable).argmax())]}) and are left out; write dates as 2011-09-30, the first before "
            "the last.",
        )
    return DayRows(pd.DataFrame({"first": first, "last": last, "name": name}), faults)


def attribute_columns(column: pd.Series, attribute: Attribute) -> list[Float[np.ndarray, " row"]]:
    """Turn an attribute into numbers by the plan's public categories or scale; what is none of them becomes 0."""
    if attribute.categories:
        names = as_names(column)
        return [(names == canonical_name(value)).astype(np.float64) for value in attribute.categories]
    values = covariate_numbers(column)
    return [np.log1p(np.maximum(values, 0.0)) / attribute.scale if attribute.logarithm else values / attribute.scale]


def is_told(column: pd.Series, attribute: Attribute) -> Bool[np.ndarray, " row"]:
    """Tell which cells say what the covariate is: a name for categories, else a number."""
    if attribute.categories:
        return np.asarray(as_names(column) != "", bool)
    return np.abs(as_numbers(column)) <= LARGEST_VALUE


def covariate_numbers(column: pd.Series) -> Float[np.ndarray, " row"]:
    """Read a covariate; 0 where it is no number, or one so large that it stands for a missing value."""
    values = as_numbers(column)
    return np.where(np.abs(values) <= LARGEST_VALUE, values, 0.0)  # NaN compares as False
