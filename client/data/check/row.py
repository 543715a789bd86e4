"""The rows that are used: cells that say nothing, rows that are there twice, times of another place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd

from client.data.check.report import Finding
from common.data.cells import as_names, as_numbers, canonical_name, has_offset, is_empty
from common.data.usable import LARGEST_VALUE, UsableRows, amount_columns
from common.plan.schema import Attribute, DataPlan

SHOWN = 3  # values named in a sentence
THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}")  # 0.470 has decimals for certain
FEWEST_POINTED = 3
RARE = 0.01  # share of rows up to which copies are no more than a note


def describe_rows(usable: UsableRows, plan: DataPlan) -> dict[str, int | float | str]:
    """Count the rows, and give their first and last day."""
    first, last = (plan.start + timedelta(days=int(day)) for day in (usable.day.min(), usable.day.max()))
    return {"rows kept": len(usable.rows), "first day with a row": str(first), "last day with a row": str(last)}


def find_row_faults(usable: UsableRows, plan: DataPlan) -> Iterator[Finding]:
    """Look for rows outside the span, cells that say nothing, rows that are there twice, and unknown categories."""
    rows = usable.rows
    for outside in (each for each in usable.left_out if each.reason.startswith(f"column {plan.time!r} lies outside")):
        yield Finding(
            "note",
            "outside_span",
            f"{outside.count} rows lie outside data.start {plan.start} … data.end {plan.end} and are left out.",
        )
    yield from _find_gaps(rows, plan)
    for column in amount_columns(plan):
        yield from _find_thousands(rows[column])
    if plan.rows == "events" and (twice := int(rows.duplicated().sum())):
        yield Finding(
            "note" if twice < RARE * len(rows) else "warning",
            "duplicates",
            f"{twice} of {len(rows)} rows equal another row in every column and count twice; "
            "if they were exported twice, drop the copies.",
        )
    yield from _find_other_places(rows, plan)
    for attribute in (*plan.known, *plan.static):
        yield from _find_unknown_categories(rows, attribute)


def _find_gaps(rows: pd.DataFrame, plan: DataPlan) -> Iterator[Finding]:
    """Look for cells of used columns that are read as 0."""
    measures = [plan.target, *plan.observed.values()]
    columns = [measure.column for measure in measures if measure.column]
    columns += [attribute.column for attribute in (*plan.known, *plan.static)]
    for column in dict.fromkeys(columns):
        missing = int(is_empty(rows[column]).sum())
        if missing:
            yield Finding(
                "warning",
                "missing_values",
                f"Column {column!r} is empty in {missing} of {len(rows)} rows, which is read as 0; fill it, or leave "
                "such rows out with data.filters.",
            )
    for column in dict.fromkeys(part.column for part in (*plan.known, *plan.static) if not part.categories):
        yield from _find_no_numbers(rows[column])


def _find_thousands(cells: pd.Series) -> Iterator[Finding]:
    """Look for a column whose every point stands before three digits: it may stand between thousands."""
    if pd.api.types.is_numeric_dtype(cells):
        return
    pointed = [name for name in as_names(cells) if "." in name]
    if len(pointed) >= FEWEST_POINTED and all(THOUSANDS.fullmatch(name) for name in pointed):
        yield Finding(
            "warning",
            "thousands",
            f"Column {cells.name!r} has a point before exactly three digits in all of {len(pointed)} numbers that have "
            f"one, as '{pointed[0]}', which is read as {float(pointed[0]):g}; if it stands between thousands, write "
            f"{pointed[0].replace('.', '')}.",
        )


def _find_no_numbers(cells: pd.Series) -> Iterator[Finding]:
    """Look for cells of a numeric covariate that are none, or so large that they stand for a missing value."""
    wrong = ~(np.abs(as_numbers(cells)) <= LARGEST_VALUE) & ~is_empty(cells)
    if wrong.any():
        example = cells.iloc[int(wrong.argmax())]
        yield Finding(
            "fault" if wrong.all() else "warning",
            "no_number",
            f"Column {cells.name!r} is no number from -{LARGEST_VALUE:.0e} to {LARGEST_VALUE:.0e} in {wrong.sum()} of "
            f"{len(cells)} rows ('{example}'), which is read as 0; write numbers, or yes and no, or name categories.",
        )


def _find_other_places(rows: pd.DataFrame, plan: DataPlan) -> Iterator[Finding]:
    """Look for times that are counted from Greenwich, whose days may not be the shop's."""
    if plan.time_zone:
        return
    column = rows[plan.time]
    if pd.api.types.is_datetime64_any_dtype(column):
        midnight = column.dt.tz is None or (column == column.dt.normalize()).all()
        greenwich = 0 if midnight or column.iloc[0].utcoffset() else len(rows)
    else:
        greenwich = sum(has_offset(canonical_name(value)) for value in column)
    if greenwich > RARE * len(rows):
        yield Finding(
            "warning",
            "time_zone",
            f"Column {plan.time!r} has an offset of 0 from UTC in {greenwich} of {len(rows)} rows, so days begin at "
            'midnight in Greenwich; if the shop is elsewhere, name its data.time_zone, as "Asia/Shanghai".',
        )


def _find_unknown_categories(rows: pd.DataFrame, attribute: Attribute) -> Iterator[Finding]:
    if not attribute.categories:
        return
    text = pd.Series(as_names(rows[attribute.column]))
    unknown = text[~text.isin([*map(canonical_name, attribute.categories), ""])].value_counts()
    if len(unknown):
        named = ", ".join(repr(str(value)) for value in unknown.index[:SHOWN])
        yield Finding(
            "note",
            "unknown_categories",
            f"Column {attribute.column!r} has values that are none of its categories ({named}) in {unknown.sum()} of "
            f"{len(rows)} rows; they all read alike, so name those that matter in the plan.",
        )
