"""Series: outliers, series without demand, long gaps, and histories too short to learn from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from jaxtyping import Bool, Float

from client.data.check.report import Finding
from common.data.panel import Panel, find_active
from common.plan.schema import Plan

FEWEST_SALES = 10  # days with demand, from which on a series knows its own usual size
OUTLIER_TIMES = 50.0  # the entity's own median day with demand
LONG_GAP_DAYS = 60
FEW_ENTITIES = 5


def find_series_faults(panel: Panel, plan: Plan) -> Iterator[Finding]:
    """Look at each entity's own days."""
    entity = plan.data.entity
    sold = (panel.target > 0) & panel.open
    if not sold.any():
        yield Finding("fault", "no_demand", "No entity has any demand on an open day; check data.target and filters.")
        return
    empty = int((~sold.any(axis=1)).sum())
    if empty:
        yield Finding(
            "warning",
            "series_of_zeros",
            f"{empty} of {len(panel.entities)} series have no demand on any open day; leave them out with data.active.",
        )
    yield from _find_outliers(panel, sold, entity)
    if plan.data.missing == "closed":
        gaps = _longest_gap(panel.open)
        long = int((gaps > LONG_GAP_DAYS).sum())
        if long:
            yield Finding(
                "note",
                "long_gaps",
                f"{long} of {len(panel.entities)} series have over {LONG_GAP_DAYS} days without a row between two rows "
                f"(the longest: {gaps.max()}, {entity} {panel.entities[gaps.argmax()]}); they are read as closed.",
            )


def find_history_faults(panel: Panel, plan: Plan) -> Iterator[Finding]:
    """See what each origin leaves to learn from."""
    model, entity = plan.model, plan.data.entity
    for origin in plan.evaluation.origins:
        day = panel.day_of(origin)
        active = find_active(panel, plan.data, day)
        if len(active) == 0:
            yield Finding("fault", "nobody", f"No {entity} takes part at the origin {origin}; choose a later origin.")
            continue
        learnable = (day // model.step_days - 1) * model.step_days
        if learnable < model.horizon_days:
            yield Finding(
                "fault",
                "short_history",
                f"{day} days of history before the origin {origin} hold no training example: a label needs "
                f"{model.horizon_days} days after a first step; give more history or choose a later origin.",
            )
        elif learnable < 3 * model.horizon_days:
            yield Finding(
                "warning",
                "short_history",
                f"Before the origin {origin} lie {day} days, not even four horizons; expect little beyond the anchor.",
            )
        ahead = slice(day, day + model.horizon_days)
        if not (panel.open[active, ahead] & (panel.target[active, ahead] > 0)).any():
            yield Finding(
                "warning",
                "empty_horizon",
                f"Nobody has demand in the {model.horizon_days} days from {origin} on, so nothing can be scored; "
                "check data.end and data.closed_dates.",
            )
        _, sizes = np.unique(panel.merchants[active].astype(str), return_counts=True)
        if plan.data.deal is None and (few := int((sizes < FEW_ENTITIES).sum())):
            yield Finding(
                "note",
                "few_entities",
                f"At the origin {origin} {few} of {len(sizes)} merchants have fewer than {FEW_ENTITIES} entities; "
                "their noise is large beside what they teach.",
            )


def _find_outliers(panel: Panel, sold: Bool[np.ndarray, "entity day"], entity: str) -> Iterator[Finding]:
    """Hold each day against the same entity's median day with demand."""
    with np.errstate(invalid="ignore"):
        times = panel.target * sold / np.maximum(_median_sold(panel.target, sold)[:, None], 1e-9)
    times[sold.sum(axis=1) < FEWEST_SALES] = 0.0
    wild = times > OUTLIER_TIMES
    if wild.any():
        row, day = np.unravel_index(int(times.argmax()), times.shape)
        yield Finding(
            "warning",
            "outliers",
            f"{wild.sum()} days of {wild.any(axis=1).sum()} series are over {OUTLIER_TIMES:.0f} times their own median "
            f"day with demand, the wildest {entity} {panel.entities[row]} on {panel.start + timedelta(days=int(day))} "
            f"with {panel.target[row, day]:.0f}, {times[row, day]:.0f} times; if these are mistakes, filter them out.",
        )


def _median_sold(target: np.ndarray, sold: np.ndarray) -> Float[np.ndarray, " entity"]:
    values = np.sort(np.where(sold, target, np.inf), axis=1)
    middle = np.maximum(sold.sum(axis=1) - 1, 0) // 2
    median = values[np.arange(len(values)), middle]
    return np.where(np.isfinite(median), median, 0.0)


def _longest_gap(has_row: Bool[np.ndarray, "entity day"]) -> np.ndarray:
    """Longest run of days without a row between two days with one."""
    day = np.arange(has_row.shape[1])[None, :]
    last = np.maximum.accumulate(np.where(has_row, day, -1), axis=1)
    before = np.concatenate([np.full((len(has_row), 1), -1), last[:, :-1]], axis=1)
    gap = np.where(has_row & (before >= 0), day - before - 1, 0)
    return np.asarray(gap.max(axis=1))
