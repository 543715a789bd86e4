"""From rows that can be used to a panel: one row per entity, one column per calendar day.

An entity's row is a function of that entity's own raw rows, of the plan, and of the merchant's calendar (tables of
`data.ahead` without an entity column, school holidays), which neighbours share: the span, the closed days, the channels
and the categories stand in the plan. So adding or removing an entity adds or removes one row of the panel and changes
no other (the privacy unit depends on it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from common.data.calendar import DayTables, Part, attribute_columns, calendar_parts, is_told, join_parts
from common.data.cells import as_names, as_numbers
from common.data.usable import UsableRows
from common.plan.schema import WEEKDAYS, DataPlan, Measure

BLOCK_ENTITIES = 2048  # that are summed at a time


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
    censored
        Open days that ran out of stock: demand was at least `target`. By the entity's own rows alone.
    told
        Where `known` is told; elsewhere it is what the plan makes of a gap. None: everywhere.
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
    censored: Bool[np.ndarray, "entity day"]
    told: Bool[np.ndarray, "entity day covariate"] | None = None

    @property
    def num_days(self) -> int:
        """Days in the public span."""
        return int(self.target.shape[1])

    def day_of(self, day: date) -> int:
        """Index of a calendar date."""
        return (day - self.start).days

    def select(self, entities: np.ndarray | slice) -> Panel:
        """Keep some entities, by index or mask; of a slice the panel shares its memory with this one."""
        rows = ("entities", "merchants", "target", "observed", "known", "static", "open", "first_day", "censored")
        kept: dict[str, Any] = {name: _keep(getattr(self, name), entities) for name in rows}
        return replace(self, told=None if self.told is None else _keep(self.told, entities), **kept)

    def deal(self, merchants: np.ndarray) -> Panel:
        """Give every entity the merchant named at its place."""
        return replace(self, merchants=merchants)


def _keep(values: np.ndarray, entities: np.ndarray | slice) -> np.ndarray:
    """Keep some entities' values; what is the same for all stays in memory once."""
    if values.strides[0] or len(values) < 2:
        kept: np.ndarray = values[entities]
        return kept
    return np.broadcast_to(values[0], (len(np.empty(len(values), bool)[entities]), *values.shape[1:]))


def lay_out(usable: UsableRows, plan: DataPlan, tables: DayTables | None = None) -> Panel:
    """Lay rows that can be used out by day; with no row it is the panel of nobody.

    Guarantee: an entity's row of the panel depends on its own rows, the plan and the merchant's calendar alone; see
    `common.data.calendar`.
    """
    if len(usable.rows) == 0:
        return empty_panel(plan)
    rows, days = usable.rows, usable.day
    entity, names = _number_entities(usable)
    grid = _Grid(entity, days, num_entities=len(names), num_days=(plan.end - plan.start).days + 1)
    first_day = np.full(len(names), grid.num_days)
    np.minimum.at(first_day, entity, days)
    first_row = np.full(len(names), len(rows))
    np.minimum.at(first_row, entity, np.arange(len(rows)))
    known = join_parts(
        [*_parts_of_rows(grid, rows, plan), *calendar_parts(plan, tables or DayTables(), names)], grid.shape
    )
    static = [
        column
        for attribute in plan.static
        for column in attribute_columns(rows[attribute.column].iloc[first_row], attribute)
    ]
    open_days, target = _open_days(grid, plan, first_day), grid.measure(rows, plan.target)
    return Panel(
        start=plan.start,
        channels=tuple(plan.observed),
        covariates=plan.covariates,
        entities=names[:, 1],
        merchants=names[:, 0],
        target=np.multiply(target, open_days, out=target),
        observed=_stack([grid.measure(rows, measure) for measure in plan.observed.values()], grid.shape),
        known=known.values,
        static=_stack(static, (len(names),)),
        open=open_days,
        first_day=first_day,
        censored=_sold_out(grid, rows, plan) & open_days,
        told=known.told,
    )


def _number_entities(usable: UsableRows) -> tuple[Int[np.ndarray, " row"], np.ndarray]:
    """Give each row the number of its entity, in the order of merchants and names, and each number its pair of them."""
    merchant, merchants = pd.factorize(usable.merchants, sort=True)
    name, names = pd.factorize(usable.entities, sort=True)
    if len(merchants) == 1:
        return name, np.stack([np.repeat(merchants, len(names)), names], axis=1)
    entity, pairs = pd.factorize(merchant * len(names) + name, sort=True)
    return entity, np.stack([merchants[pairs // len(names)], names[pairs % len(names)]], axis=1)


def _parts_of_rows(grid: _Grid, rows: pd.DataFrame, plan: DataPlan) -> Iterator[Part]:
    """Read what the rows themselves tell of their days, an attribute at a time."""
    everyone = np.arange(grid.shape[0])
    for attribute in plan.known:
        cells = rows[attribute.column]
        told = grid.sum(is_told(cells, attribute).astype(float)) > 0
        values = _stack([grid.sum(column) for column in attribute_columns(cells, attribute)], grid.shape)
        yield Part(values, told[:, :, None].repeat(values.shape[2], axis=2), everyone, plan.missing_ahead)


def empty_panel(plan: DataPlan) -> Panel:
    """Lay out the plan's days and columns for no entity: what can be known of a panel without any data."""
    num_days = (plan.end - plan.start).days + 1
    nobody: np.ndarray = np.array([], dtype=object)
    return Panel(
        start=plan.start,
        channels=tuple(plan.observed),
        covariates=plan.covariates,
        entities=nobody,
        merchants=nobody,
        target=np.zeros((0, num_days), np.float32),
        observed=np.zeros((0, num_days, len(plan.observed)), np.float32),
        known=np.zeros((0, num_days, len(plan.covariates)), np.float32),
        static=np.zeros((0, sum(len(attribute.names) for attribute in plan.static)), np.float32),
        open=np.zeros((0, num_days), bool),
        first_day=np.zeros(0, np.int64),
        censored=np.zeros((0, num_days), bool),
    )


def find_active(panel: Panel, plan: DataPlan, day: int) -> Int[np.ndarray, " active"]:
    """Give the entities that take part at an origin, each by its own days before `day` alone."""
    there = panel.first_day < day
    if plan.active is not None:
        recent = slice(max(day - plan.active.within_days, 0), day)
        there &= ((panel.target[:, recent] > 0) & panel.open[:, recent]).sum(axis=1) >= plan.active.days
    return np.flatnonzero(there)


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
        self.num_days = num_days
        self.shape = (num_entities, num_days)
        self.order = np.argsort(entity, kind="stable")
        ends = np.searchsorted(entity, np.arange(0, num_entities + BLOCK_ENTITIES, BLOCK_ENTITIES), sorter=self.order)
        self.bounds = list(pairwise(ends.tolist()))
        self.cell = entity * np.int64(num_days)
        self.cell += day

    def sum(self, values: np.ndarray) -> Float[np.ndarray, "entity day"]:
        """Sum in float64, row after row of a cell, some entities at a time."""
        total = np.empty(self.shape, np.float32)
        for number, (begin, end) in enumerate(self.bounds):
            first = number * BLOCK_ENTITIES
            block = total[first : first + BLOCK_ENTITIES]
            rows = self.order[begin:end]
            part = np.bincount(self.cell[rows] - first * self.num_days, values[rows], minlength=block.size)
            block[:] = part.reshape(block.shape)
        return total

    def has_row(self) -> Bool[np.ndarray, "entity day"]:
        there = np.zeros(self.shape, bool)
        there.reshape(-1)[self.cell] = True
        return there

    def measure(self, rows: pd.DataFrame, measure: Measure) -> Float[np.ndarray, "entity day"]:
        if measure.aggregate == "rows":
            return self.sum(np.ones(len(rows)))
        if measure.aggregate == "distinct":
            names = as_names(rows[measure.column])
            first = ~pd.DataFrame({"cell": self.cell, "name": names}).duplicated().to_numpy()
            return self.sum((first & (names != "")).astype(float))
        total = self.sum(np.nan_to_num(as_numbers(rows[measure.column])))  # NaN: an amount that is not known yet
        if measure.aggregate == "mean":
            total /= np.maximum(self.sum(np.ones(len(rows))), 1.0)
        return total


def _open_days(grid: _Grid, plan: DataPlan, first_day: np.ndarray) -> Bool[np.ndarray, "entity day"]:
    """Open as declared; where a missing row means closed, open where a row exists."""
    if plan.missing == "closed":
        return grid.has_row()
    return ~closed_days(plan)[None, :] & (np.arange(grid.num_days)[None, :] >= first_day[:, None])


def _sold_out(grid: _Grid, rows: pd.DataFrame, plan: DataPlan) -> Bool[np.ndarray, "entity day"]:
    """Tell the days of which one row or more says that the stock ran out."""
    if not plan.out_of_stock:
        return np.zeros(grid.shape, bool)
    return grid.sum(says_yes(rows[plan.out_of_stock]).astype(np.float64)) > 0


def says_yes(column: pd.Series) -> Bool[np.ndarray, " row"]:
    """Tell the cells that say yes: a 1, or one of the words for it (`common.data.cells`)."""
    return as_numbers(column) == 1.0


def closed_days(plan: DataPlan) -> Bool[np.ndarray, " day"]:
    """Tell for each day of the span whether the plan declares it closed for all."""
    calendar = pd.date_range(plan.start, plan.end)
    closed = np.isin(calendar.day_of_week, [WEEKDAYS.index(day) for day in plan.closed_weekdays])
    closed |= np.isin(calendar.date, np.array(plan.closed_dates, dtype=object))
    return np.asarray(closed)


def _stack(columns: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    if not columns:
        return np.zeros((*shape, 0), np.float32)
    if len(columns) == 1:  # which saves a copy
        return columns[0].astype(np.float32, copy=False)[..., None]
    return np.stack(columns, axis=-1).astype(np.float32, copy=False)
