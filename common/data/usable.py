"""Which rows can be used: each is judged by itself, and what is left out is counted with its reason.

    cells as they were read → derived columns → filters → names, days and amounts → rows that a panel is made of

Guarantee: whether a row is used, and as what, depends on that row alone, but for a second row of one entity on one day
where a plan has one row a day: there the first counts. So an entity's rows decide nothing about another's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from common.data.cells import as_days, as_names, as_numbers, canonical_name, is_empty
from common.errors import DataError
from common.plan.schema import DataPlan, Filter

LARGEST_VALUE = 1e12  # of one cell; sums of squares of many stay finite in float32


@dataclass(frozen=True)
class LeftOut:
    """Rows that are not used, for one reason.

    Attributes
    ----------
    reason
        In words, short.
    is_fault
        Whether something is wrong with these rows; a filter leaves rows out that are as they should be.
    example
        Where the first of them stands, and what it says there.
    advice
        What to do about them.
    """

    reason: str
    count: int
    is_fault: bool
    example: str = ""
    advice: str = ""

    def say(self, num_rows: int, where: str = "") -> str:
        """Say in a sentence how many of all rows are left out, why, and what to do."""
        first = f" ({self.example})" if self.example else ""
        advice = f"; {self.advice}" if self.advice else ""
        return f"{self.count} of {num_rows} rows{where} cannot be used: {self.reason}{first}{advice}."


@dataclass(frozen=True)
class UsableRows:
    """The rows that a panel is made of.

    Attributes
    ----------
    rows
        Cells as they were read, and the plan's derived columns.
    day
        Day of each row, counted from the start of the plan's span.
    names
        Merchant and entity of each row.
    num_rows
        Rows that there were.
    """

    rows: pd.DataFrame
    day: Int[np.ndarray, " row"]
    merchants: np.ndarray
    entities: np.ndarray
    left_out: tuple[LeftOut, ...]
    num_rows: int


def choose_rows(rows: pd.DataFrame, plan: DataPlan, *, ahead_from: date | None = None) -> UsableRows:
    """Keep the rows that can be used, and count the others by reason.

    Parameters
    ----------
    rows
        Cells of one table, text or typed; its index says where each row stands.
    ahead_from
        From this day on a plan of one row a day takes rows whose amounts are still empty: they say that the day is
        open, and what is known ahead of it. What else is empty in them passes the filters, for it is not known yet.

    Raises
    ------
    DataError
        A column is missing: nothing that depends on a row.
    """
    require_columns(list(rows.columns), plan)
    rows = derive_columns(rows, plan)
    days = as_days(rows[plan.time], plan.time_zone)
    ahead = days >= np.datetime64(ahead_from, "D") if ahead_from and plan.rows == "panel" else np.zeros(len(rows), bool)
    judge = _Judge(rows, filter_mask(rows, plan.filters, empty_passes=ahead & _says_no_amount(rows, plan)))
    entities, merchants = as_names(rows[plan.entity]), name_merchants(rows, plan)
    for column in name_columns(plan):
        judge.leave_out(
            is_empty(rows[column]), column, "is empty", "fill it, or filter such rows out with data.filters"
        )
    judge.leave_out(np.isnat(days), plan.time, "is no date", "write dates as 2011-09-30")
    start, end = np.datetime64(plan.start, "D"), np.datetime64(plan.end, "D")
    judge.leave_out(~((days >= start) & (days <= end)), plan.time, f"lies outside {plan.start} … {plan.end}", "")
    for column in amount_columns(plan):
        _judge_amounts(judge, rows[column], column, ahead)
    day = (days - start).astype(np.int64)
    if plan.rows == "panel":
        second = _is_second(merchants, entities, day, judge.kept)
        advice = f'keep one row per {plan.entity} and day, or declare data.rows = "events" to add them up'
        judge.leave_out(second, plan.entity, "has a second row for one day", advice)
    kept = judge.kept
    if kept.all():  # as a rule, and then without a copy
        return UsableRows(rows, day, merchants, entities, judge.left_out, len(rows))
    return UsableRows(rows[kept], day[kept], merchants[kept], entities[kept], judge.left_out, len(rows))


def _judge_amounts(judge: _Judge, cells: pd.Series, column: str, ahead: Bool[np.ndarray, " row"]) -> None:
    values, empty = as_numbers(cells), is_empty(cells)
    advice = f"demand is a number from 0 to {LARGEST_VALUE:.0e}: mend the rows or filter them out with data.filters"
    judge.leave_out(empty & ~ahead, column, "is empty", advice)
    judge.leave_out(np.isnan(values) & ~empty, column, "is no number", advice)
    judge.leave_out(values < 0, column, "is negative", advice)
    judge.leave_out(values > LARGEST_VALUE, column, "is too large", advice)


class _Judge:
    """Rows that are still kept, and why the others are not: the first reason counts."""

    def __init__(self, rows: pd.DataFrame, passed: Bool[np.ndarray, " row"]) -> None:
        self._rows = rows
        self.kept = passed
        self._left_out = [LeftOut("data.filters", int((~passed).sum()), is_fault=False)]

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return tuple(reason for reason in self._left_out if reason.count)

    def leave_out(self, wrong: Bool[np.ndarray, " row"], column: str, what: str, advice: str) -> None:
        """Leave rows out for what is wrong in a column; no advice where nothing is."""
        wrong = wrong & self.kept
        if wrong.any():
            place = int(wrong.argmax())
            example = f"the first in row {self._rows.index[place]}: '{self._rows[column].iloc[place]}'"
            reason = f"column {column!r} {what}"
            self._left_out.append(LeftOut(reason, int(wrong.sum()), bool(advice), example if advice else "", advice))
            self.kept = self.kept & ~wrong


def _is_second(
    merchants: np.ndarray, entities: np.ndarray, day: Int[np.ndarray, " row"], kept: Bool[np.ndarray, " row"]
) -> Bool[np.ndarray, " row"]:
    """Tell rows of an entity and a day that has one before."""
    keys = pd.DataFrame({"merchant": merchants, "entity": entities, "day": day})[kept]
    second = np.zeros(len(kept), bool)
    second[kept] = keys.duplicated().to_numpy()
    return second


def derive_columns(rows: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
    """Add the plan's products of two columns, once: one that has the name of a column takes its place afterwards."""
    for name, factors in plan.derived.items():
        product = as_numbers(rows[factors[0]]) * as_numbers(rows[factors[1]])
        rows = rows.drop(columns=[name]) if name in rows else rows.copy(deep=False)
        rows[name] = product
    return rows


def _says_no_amount(rows: pd.DataFrame, plan: DataPlan) -> Bool[np.ndarray, " row"]:
    """Tell rows of which every amount is still empty; none where the plan sums nothing."""
    columns = amount_columns(plan)
    empty = [is_empty(rows[column]) for column in columns]
    return np.logical_and.reduce(empty) if empty else np.zeros(len(rows), bool)


def filter_mask(
    rows: pd.DataFrame, filters: Sequence[Filter], *, empty_passes: Bool[np.ndarray, " row"] | None = None
) -> Bool[np.ndarray, " row"]:
    """Tell which rows pass every filter; of some rows, what is empty does."""
    keep = np.ones(len(rows), bool)
    for condition in filters:
        passes = _passes(rows[condition.column], condition)
        keep &= passes if empty_passes is None else passes | (empty_passes & is_empty(rows[condition.column]))
    return keep


def _passes(column: pd.Series, condition: Filter) -> Bool[np.ndarray, " row"]:
    passes = np.ones(len(column), bool)
    if condition.equals is not None:
        if isinstance(condition.equals, str):
            passes &= as_names(column) == canonical_name(condition.equals)
        else:
            passes &= as_numbers(column) == condition.equals
    if condition.above is not None:
        passes &= as_numbers(column) > condition.above
    if condition.at_least is not None:
        passes &= as_numbers(column) >= condition.at_least
    if condition.filled is not None:
        passes &= is_empty(column) != condition.filled
    return passes


def name_columns(plan: DataPlan) -> list[str]:
    """Columns that say whose row it is."""
    group = plan.deal.column if plan.deal is not None and plan.deal.by == "group" else ""
    return [column for column in (plan.entity, plan.merchant, group) if column]


def amount_columns(plan: DataPlan) -> list[str]:
    """Columns that are summed or averaged, each once."""
    measures = (plan.target, *plan.observed.values())
    return list(dict.fromkeys(measure.column for measure in measures if measure.aggregate in ("sum", "mean")))


def name_merchants(rows: pd.DataFrame, plan: DataPlan) -> np.ndarray:
    """Name each row's merchant; until groups are dealt to merchants, a group stands in its place."""
    if plan.merchant:
        return as_names(rows[plan.merchant])
    if plan.deal and plan.deal.by == "group":
        return np.array([group[: plan.deal.characters] for group in as_names(rows[plan.deal.column])], dtype=object)
    return np.broadcast_to(np.array("all", dtype=object), len(rows))


def require_columns(there: Sequence[str], plan: DataPlan) -> None:
    """Refuse a table that lacks a column of the plan; what the plan derives counts as there from then on.

    Raises
    ------
    DataError
        It names the key of the plan and the columns that are there.
    """
    for name, factors in plan.derived.items():
        missing = [factor for factor in factors if factor not in there]
        if missing:
            raise DataError(f"data.derived.{name} needs the column {missing[0]!r}; {say_columns(there)}.")
        there = [*there, name] if name not in there else there
    measures = [plan.target, *plan.observed.values()]
    wanted = {
        "data.entity": [plan.entity],
        "data.time": [plan.time],
        "data.merchant": [plan.merchant] if plan.merchant else [],
        "data.deal": [plan.deal.column] if plan.deal and plan.deal.by == "group" else [],
        "data.target and data.observed": [measure.column for measure in measures if measure.column],
        "data.out_of_stock": [plan.out_of_stock] if plan.out_of_stock else [],
        "data.filters": [condition.column for condition in plan.filters],
        "data.known and data.static": [attribute.column for attribute in (*plan.known, *plan.static)],
    }
    for key, columns in wanted.items():
        for column in columns:
            if column not in there:
                raise DataError(f"{key} names the column {column!r}; {say_columns(there)}.")


def say_columns(there: Sequence[str]) -> str:
    """Name the columns of a table, for a sentence."""
    return f"the data has {', '.join(map(str, there))}"
