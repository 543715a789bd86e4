"""Raw rows: what is left after filters and span, what is missing, what is there twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from jaxtyping import Int

from client.data.check.report import Finding
from common.data.panel import as_text, day_of_row, derive_columns, filter_rows
from common.plan.schema import Attribute, DataPlan

SHOWN = 3  # values named in a sentence
RARE = 0.01  # share of rows up to which copies are no more than a note


@dataclass(frozen=True)
class KeptRows:
    """What the plan's filters and span leave.

    Attributes
    ----------
    days
        Day of each row that is left.
    num_outside
        Rows that pass the filters and lie outside the span.
    """

    rows: pd.DataFrame
    days: Int[np.ndarray, " row"]
    num_outside: int


def keep_rows(rows: pd.DataFrame, plan: DataPlan) -> KeptRows:
    """Keep the rows that the panel is built from."""
    kept = filter_rows(derive_columns(rows, plan), plan.filters)
    days = day_of_row(kept[plan.time], plan)
    inside = days >= 0
    return KeptRows(kept[inside], days[inside], int((~inside).sum()))


def describe_rows(kept: KeptRows, plan: DataPlan) -> dict[str, int | float | str]:
    """Count the rows, and give their first and last day."""
    first, last = (plan.start + timedelta(days=int(day)) for day in (kept.days.min(), kept.days.max()))
    return {"rows kept": len(kept.rows), "first day with a row": str(first), "last day with a row": str(last)}


def find_row_faults(kept: KeptRows, plan: DataPlan) -> Iterator[Finding]:
    """Look for rows outside the span, gaps in used columns, rows that are there twice, and unknown categories."""
    rows = kept.rows
    if kept.num_outside:
        yield Finding(
            "note",
            "outside_span",
            f"{kept.num_outside} rows lie outside data.start {plan.start} … data.end {plan.end} and are left out.",
        )
    yield from _find_gaps(rows, plan)
    if plan.rows == "events" and (twice := int(rows.duplicated().sum())):
        yield Finding(
            "note" if twice < RARE * len(rows) else "warning",
            "duplicates",
            f"{twice} of {len(rows)} rows equal another row in every column and count twice; "
            "if they were exported twice, drop the copies.",
        )
    for attribute in (*plan.known, *plan.static):
        yield from _find_unknown_categories(rows, attribute)


def _find_gaps(rows: pd.DataFrame, plan: DataPlan) -> Iterator[Finding]:
    measures = [plan.target, *plan.observed.values()]
    columns = [measure.column for measure in measures if measure.column]
    columns += [attribute.column for attribute in (*plan.known, *plan.static)]
    for column in dict.fromkeys(columns):
        missing = int(rows[column].isna().sum())
        if missing:
            yield Finding(
                "warning",
                "missing_values",
                f"Column {column!r} is empty in {missing} of {len(rows)} rows, which is read as 0; fill it, or leave "
                "such rows out with data.filters.",
            )


def _find_unknown_categories(rows: pd.DataFrame, attribute: Attribute) -> Iterator[Finding]:
    if not attribute.categories:
        return
    text = pd.Series(as_text(rows[attribute.column]))
    unknown = text[~text.isin([*attribute.categories, ""])].value_counts()
    if len(unknown):
        named = ", ".join(repr(str(value)) for value in unknown.index[:SHOWN])
        yield Finding(
            "note",
            "unknown_categories",
            f"Column {attribute.column!r} has values that are none of its categories ({named}) in {unknown.sum()} of "
            f"{len(rows)} rows; they all read alike, so name those that matter in the plan.",
        )
