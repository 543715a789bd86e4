"""From raw rows to a panel: one row per entity, one column per calendar day.

An entity's row is a function of that entity's own raw rows and of the plan, nothing else: the span,
the closed days, the channels and the categories stand in the plan. So adding or removing an entity
adds or removes one row of the panel and changes no other (the privacy unit depends on it).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from common.errors import DataError
from common.plan.schema import WEEKDAYS, Attribute, DataPlan, Filter, Measure

LARGEST_VALUE = 1e12  # of one row; sums of squares of many stay finite in float32


@dataclass(frozen=True)
class Panel:
    """Daily demand of every entity.

    Attributes
    ----------
    start
        Calendar date of day 0.
    entities
        Name of each entity.
    merchants
        Name of each entity's merchant, or of its group where groups are still to be dealt.
    target
        Demand per day; 0 where the entity was closed or had no row.
    observed
        Channels known only after the day, in the order of `channels`.
    known
        Covariates known ahead, in the order of `covariates`.
    static
        Attributes that never change.
    open
        Whether demand could happen; a closed day is no zero demand.
    first_day
        The entity's first day with a row of its own; before it, it does not exist.
    """

    start: date
    channels: tuple[str, ...]
    covariates: tuple[str, ...]
    entities: np.ndarray
    merchants: np.ndarray
    target: Float[np.ndarray, "entity day"]
    observed: Float[np.ndarray, "entity day channel"]
    known: Float[np.ndarray, "entity day covariate"]
    static: Float[np.ndarray, "entity attribute"]
    open: Bool[np.ndarray, "entity day"]
    first_day: Int[np.ndarray, " entity"]

    @property
    def num_days(self) -> int:
        """Days in the public span."""
        return int(self.target.shape[1])

    def day_of(self, day: date) -> int:
        """Index of a calendar date."""
        return (day - self.start).days

    def select(self, entities: np.ndarray) -> Panel:
        """Keep some entities, by index or mask."""
        rows = ("entities", "merchants", "target", "observed", "known", "static", "open", "first_day")
        return replace(self, **{name: getattr(self, name)[entities] for name in rows})

    def deal(self, merchants: np.ndarray) -> Panel:
        """Give every entity the merchant named at its place."""
        return replace(self, merchants=merchants)


def build_panel(rows: pd.DataFrame, plan: DataPlan) -> Panel:
    """Build the panel of `rows` as the plan describes them.

    Raises
    ------
    DataError
        A column is missing, a value is unusable, or no row is left.
    """
    rows = derive_columns(rows, plan)
    _require_columns(rows, plan)
    rows = filter_rows(rows, plan.filters)
    days = day_of_row(rows[plan.time], plan)
    rows, days = rows[days >= 0], days[days >= 0]
    if rows.empty:
        raise DataError(
            f"No row is left between {plan.start} and {plan.end} after the filters; "
            "check data.start, data.end and data.filters."
        )
    names, entity = _entities(rows, plan)
    grid = _Grid(entity, days, num_entities=len(names), num_days=(plan.end - plan.start).days + 1)
    if plan.rows == "panel":
        grid.refuse_duplicates(names, plan)
    first_day = np.full(len(names), grid.num_days)
    np.minimum.at(first_day, entity, days)
    first_row = np.full(len(names), len(rows))
    np.minimum.at(first_row, entity, np.arange(len(rows)))
    known = [column for attribute in plan.known for column in _columns_of(rows, attribute)]
    static = [column for attribute in plan.static for column in _columns_of(rows.iloc[first_row], attribute)]
    open_days = _open_days(grid, plan, first_day)
    return Panel(
        start=plan.start,
        channels=tuple(plan.observed),
        covariates=tuple(name for attribute in plan.known for name in attribute.names),
        entities=names[:, 1],
        merchants=names[:, 0],
        target=grid.measure(rows, plan.target) * open_days,
        observed=_stack([grid.measure(rows, measure) for measure in plan.observed.values()], grid.shape),
        known=_stack([grid.sum(column) for column in known], grid.shape),
        static=_stack(static, (len(names),)),
        open=open_days,
        first_day=first_day,
    )


def empty_panel(plan: DataPlan) -> Panel:
    """Lay out the plan's days and columns for no entity: what can be known of a panel without any data."""
    num_days = (plan.end - plan.start).days + 1
    covariates = tuple(name for attribute in plan.known for name in attribute.names)
    nobody: np.ndarray = np.array([], dtype=object)
    return Panel(
        start=plan.start,
        channels=tuple(plan.observed),
        covariates=covariates,
        entities=nobody,
        merchants=nobody,
        target=np.zeros((0, num_days), np.float32),
        observed=np.zeros((0, num_days, len(plan.observed)), np.float32),
        known=np.zeros((0, num_days, len(covariates)), np.float32),
        static=np.zeros((0, sum(len(attribute.names) for attribute in plan.static)), np.float32),
        open=np.zeros((0, num_days), bool),
        first_day=np.zeros(0, np.int64),
    )


def find_active(panel: Panel, plan: DataPlan, day: int) -> Int[np.ndarray, " active"]:
    """Give the entities that take part at an origin, each by its own days before `day` alone."""
    there = panel.first_day < day
    if plan.active is not None:
        recent = slice(max(day - plan.active.within_days, 0), day)
        there &= ((panel.target[:, recent] > 0) & panel.open[:, recent]).sum(axis=1) >= plan.active.days
    return np.flatnonzero(there)


def derive_columns(rows: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
    """Add the plan's products of two columns."""
    for name, factors in plan.derived.items():
        missing = [factor for factor in factors if factor not in rows]
        if missing:
            raise DataError(f"data.derived.{name} needs the column {missing[0]!r}; {_columns_there(rows)}.")
        rows = rows.assign(**{name: as_numbers(rows[factors[0]]) * as_numbers(rows[factors[1]])})
    return rows


def filter_rows(rows: pd.DataFrame, filters: Sequence[Filter]) -> pd.DataFrame:
    """Keep the rows that pass every filter."""
    keep = np.ones(len(rows), bool)
    for condition in filters:
        column = rows[condition.column]
        if condition.equals is not None:
            is_text = isinstance(condition.equals, str)
            keep &= (as_text(column) if is_text else as_numbers(column)) == condition.equals
        if condition.above is not None:
            keep &= as_numbers(column) > condition.above
        if condition.at_least is not None:
            keep &= as_numbers(column) >= condition.at_least
    return rows[keep]


def as_text(column: pd.Series) -> np.ndarray:
    """Write each value as text by itself: 7 and 7.0 are "7", a gap is "".

    A gap in one row turns a column of whole numbers into floats; the text of the other rows must not show it.
    """
    codes, values = pd.factorize(column)
    names = [str(int(value) if _is_whole(value) else value) for value in values]
    return np.array([*names, ""], dtype=object)[codes]  # a gap has code -1


def as_numbers(column: pd.Series) -> Float[np.ndarray, " row"]:
    """Read each value as a number by itself, "true" as 1 and "false" as 0; NaN where it is none."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if not (pd.api.types.is_string_dtype(column) or pd.api.types.is_object_dtype(column)):
        return numbers
    words = pd.Series(as_text(column)).str.lower()  # text with a gap is an object column before pandas 3
    return np.select([words == "true", words == "false"], [1.0, 0.0], numbers)


def _is_whole(value: object) -> bool:
    return isinstance(value, float | np.floating) and float(value).is_integer()


class _Grid:
    """Sum values of rows into cells of [entity, day]."""

    def __init__(
        self,
        entity: Int[np.ndarray, " row"],
        day: Int[np.ndarray, " row"],
        *,
        num_entities: int,
        num_days: int,
    ) -> None:
        self.entity, self.day = entity, day
        self.num_days = num_days
        self.shape = (num_entities, num_days)
        self.cell = entity.astype(np.int64) * num_days + day

    def sum(self, values: np.ndarray) -> Float[np.ndarray, "entity day"]:
        size = self.shape[0] * self.shape[1]
        return np.bincount(self.cell, values, minlength=size).astype(np.float32).reshape(self.shape)

    def has_row(self) -> Bool[np.ndarray, "entity day"]:
        return self.sum(np.ones(len(self.cell))) > 0

    def measure(self, rows: pd.DataFrame, measure: Measure) -> Float[np.ndarray, "entity day"]:
        if measure.aggregate == "rows":
            return self.sum(np.ones(len(rows)))
        if measure.aggregate == "distinct":
            codes = pd.factorize(rows[measure.column])[0]
            first = ~pd.DataFrame({"cell": self.cell, "code": codes}).duplicated().to_numpy()
            return self.sum((first & (codes >= 0)).astype(float))
        total = self.sum(_numbers(rows, measure.column))
        if measure.aggregate == "mean":
            total /= np.maximum(self.sum(np.ones(len(rows))), 1.0)
        return total

    def refuse_duplicates(self, names: np.ndarray, plan: DataPlan) -> None:
        count = np.bincount(self.cell)
        if count.max() > 1:
            entity, day = divmod(int(count.argmax()), self.num_days)
            when = plan.start + pd.Timedelta(days=day)
            raise DataError(
                f"The panel has {count.max()} rows for {plan.entity} {names[entity, 1]} on {when}; "
                f'keep one row per {plan.entity} and day, or declare data.rows = "events" to add them up.'
            )


def _open_days(grid: _Grid, plan: DataPlan, first_day: np.ndarray) -> Bool[np.ndarray, "entity day"]:
    """Open as declared; where a missing row means closed, open where a row exists."""
    if plan.missing == "closed":
        return grid.has_row()
    return ~closed_days(plan)[None, :] & (np.arange(grid.num_days)[None, :] >= first_day[:, None])


def closed_days(plan: DataPlan) -> Bool[np.ndarray, " day"]:
    """Tell for each day of the span whether the plan declares it closed for all."""
    calendar = pd.date_range(plan.start, plan.end)
    closed = np.isin(calendar.day_of_week, [WEEKDAYS.index(day) for day in plan.closed_weekdays])
    closed |= np.isin(calendar.date, np.array(plan.closed_dates, dtype=object))
    return np.asarray(closed)


def _require_columns(rows: pd.DataFrame, plan: DataPlan) -> None:
    measures = [plan.target, *plan.observed.values()]
    wanted = {
        "data.entity": [plan.entity],
        "data.time": [plan.time],
        "data.merchant": [plan.merchant] if plan.merchant else [],
        "data.deal": [plan.deal.column] if plan.deal and plan.deal.by == "group" else [],
        "data.target and data.observed": [measure.column for measure in measures if measure.column],
        "data.filters": [condition.column for condition in plan.filters],
        "data.known and data.static": [attribute.column for attribute in (*plan.known, *plan.static)],
    }
    for key, columns in wanted.items():
        for column in columns:
            if column not in rows:
                raise DataError(f"{key} names the column {column!r}; {_columns_there(rows)}.")


def _columns_there(rows: pd.DataFrame) -> str:
    return f"the data has {', '.join(map(str, rows.columns))}"


def day_of_row(times: pd.Series, plan: DataPlan) -> Int[np.ndarray, " row"]:
    """Day index of each row; -1 outside the plan's span."""
    numeric = pd.api.types.is_numeric_dtype(times)
    as_read = pd.Series(as_text(times), times.index) if numeric else times
    try:  # by a fixed format: pandas would guess it from the first row, which is some entity's
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # mixed offsets, before pandas 3
            parsed = pd.to_datetime(as_read, errors="coerce", format="ISO8601")
    except (ValueError, FutureWarning) as error:
        raise DataError(
            f"Column {plan.time!r} mixes offsets from UTC; "
            "write local times, all without an offset or all with the same."
        ) from error
    if parsed.isna().any():
        position = int(parsed.isna().to_numpy().argmax())
        raise DataError(
            f"Column {plan.time!r}, row {times.index[position]}: '{times.iloc[position]}' is no date; "
            "write dates as 2011-09-30."
        )
    days = (parsed.dt.tz_localize(None).dt.normalize() - pd.Timestamp(plan.start)).dt.days.to_numpy()
    return np.where(days <= (plan.end - plan.start).days, np.maximum(days, -1), -1)


def _entities(rows: pd.DataFrame, plan: DataPlan) -> tuple[np.ndarray, Int[np.ndarray, " row"]]:
    """Name the entities as (merchant, entity) pairs in a fixed order, and number the rows by them."""
    entity = _names(rows, plan.entity)
    codes, unique = pd.factorize(pd.MultiIndex.from_arrays([_merchants(rows, plan), entity]), sort=True)
    return np.array([list(pair) for pair in unique], dtype=object), codes


def _merchants(rows: pd.DataFrame, plan: DataPlan) -> np.ndarray:
    """Name each row's merchant; until groups are dealt to merchants, a group stands in its place."""
    if plan.merchant:
        return _names(rows, plan.merchant)
    if plan.deal and plan.deal.by == "group":
        groups = _names(rows, plan.deal.column)
        return np.array([group[: plan.deal.characters] for group in groups], dtype=object)
    return np.full(len(rows), "all", dtype=object)


def _names(rows: pd.DataFrame, column: str) -> np.ndarray:
    names = as_text(rows[column])
    if (names == "").any():
        row = rows.index[int((names == "").argmax())]
        raise DataError(f"Column {column!r}, row {row} is empty; filter such rows out with data.filters or fill them.")
    return names


def _numbers(rows: pd.DataFrame, column: str) -> Float[np.ndarray, " row"]:
    """Read a column as numbers; refuse what is none, negative, or too large."""
    values = as_numbers(rows[column])
    wrong = ~((values >= 0) & (values <= LARGEST_VALUE))
    if wrong.any():
        position = int(wrong.argmax())
        raise DataError(
            f"Column {column!r} has {int(wrong.sum())} unusable values, the first in row "
            f"{rows.index[position]}: '{rows[column].iloc[position]}'; demand is a number "
            f"from 0 to {LARGEST_VALUE:.0e}: mend the rows or leave them out with data.filters."
        )
    return values


def _columns_of(rows: pd.DataFrame, attribute: Attribute) -> list[Float[np.ndarray, " row"]]:
    """Turn an attribute into numbers by the plan's public categories or scale; unknown values become 0."""
    column = rows[attribute.column]
    if attribute.categories:
        text = as_text(column)
        return [(text == value).astype(np.float64) for value in attribute.categories]
    values = np.nan_to_num(as_numbers(column), posinf=0.0, neginf=0.0)
    return [np.log1p(np.maximum(values, 0.0)) / attribute.scale if attribute.logarithm else values / attribute.scale]


def _stack(columns: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if not columns:
        return np.zeros((*shape, 0), np.float32)
    return np.stack(columns, axis=-1).astype(np.float32)
