"""Raw rows: what is left after filters and span, what is missing, what is there twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd
from jaxtyping import Int

from client.check.report import Finding
from common.panel import as_text, day_of_row, derive_columns, filter_rows
from common.plan import Attribute, DataPlan

SHOWN = 3  # values named in a sentence


def describe_rows(rows: pd.DataFrame, plan: DataPlan) -> dict[str, int | float | str]:
    """Count the rows that the plan keeps, and give their first and last day."""
    inside = kept_days(rows, plan)
    first, last = (plan.start + timedelta(days=int(day)) for day in (inside.min(), inside.max()))
    return {"rows kept": len(inside), "first day with a row": str(first), "last day with a row": str(last)}


def find_row_faults(rows: pd.DataFrame, plan: DataPlan) -> Iterator[Finding]:
    """Look for rows outside the span, gaps in used columns, rows that are there twice, and unknown categories."""
    kept, days = _keep(rows, plan)
    outside = int((days < 0).sum())
    if outside:
        yield Finding(
            "note",
            "outside_span",
            f"{outside} rows lie outside data.start {plan.start} … data.end {plan.end} and are left out.",
        )
    kept = kept[days >= 0]
    yield from _find_gaps(kept, plan)
    if plan.rows == "events" and (twice := int(kept.duplicated().sum())):
        yield Finding(
            "note" if twice < len(kept) / 100 else "warning",
            "duplicates",
            f"{twice} of {len(kept)} rows equal another row in every column and count twice; "
            "if they were exported twice, drop the copies.",
        )
    for attribute in (*plan.known, *plan.static):
        yield from _find_unknown_categories(kept, attribute)


def kept_days(rows: pd.DataFrame, plan: DataPlan) -> Int[np.ndarray, " row"]:
    """Give the day of each row that the plan keeps."""
    _, days = _keep(rows, plan)
    return days[days >= 0]


def _keep(rows: pd.DataFrame, plan: DataPlan) -> tuple[pd.DataFrame, Int[np.ndarray, " row"]]:
    """Filter the rows, and give the day of each that is left; -1 outside the span."""
    kept = filter_rows(derive_columns(rows, plan), plan.filters)
    return kept, day_of_row(kept[plan.time], plan)


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
