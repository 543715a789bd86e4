"""The past as rows for trees: one row per entity, cut-off and bucket, direct over the whole horizon.

A row sees what the network sees at that cut-off (its causal features, and what is known ahead of the bucket), the
anchor, and besides the same weekday of recent weeks, which a recurrent network would remember. The step of the
bucket is a feature, so one model forecasts the whole horizon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from common.data.panel import Panel
from common.model.features import Series

LAG_WEEKS = 13
LAG_MEANS = (4, LAG_WEEKS)
ROWS_PER_ENTITY = 10_000  # at most; rows of neighbouring cut-offs tell the same days again
NUM_ROWS = 200_000  # that one model of everyone learns from, closed days and the unborn among them
OWN_ROWS = 100_000  # and one merchant's own; twice as many take twice as long and forecast no better
DAYS_OF_ALL_ROWS = 600  # a shorter past has as many fewer: it has fewer days, and more rows would tell those again


@dataclass(frozen=True)
class DemandRows:
    """Rows of a demand model.

    Attributes
    ----------
    anchor
        The anchor's forecast of the bucket.
    label
        Demand in the bucket; where it ran out of stock what was probably wanted.
    counted
        Whether the bucket has an open day, the entity exists, and at training its whole horizon is in the past.
    sold
        What was sold in the bucket.
    censored
        Whether it ran out of stock.
    """

    features: Float[np.ndarray, "row feature"]
    anchor: Float[np.ndarray, " row"]
    label: Float[np.ndarray, " row"]
    counted: Bool[np.ndarray, " row"]
    sold: Float[np.ndarray, " row"]
    censored: Bool[np.ndarray, " row"]

    def select(self, rows: np.ndarray) -> DemandRows:
        """Keep some rows."""
        return DemandRows(**{name: part[rows] for name, part in vars(self).items()})


def draw_past(panel: Panel, series: Series, *, until: int, seed: int, num_rows: int = OWN_ROWS) -> DemandRows:
    """Draw rows at random among all whose horizon ends by day `until`.

    Parameters
    ----------
    num_rows
        At most, from a past of `DAYS_OF_ALL_ROWS`.
    """
    generator = np.random.default_rng(seed)
    cutoffs = series.cutoffs.numpy()
    steps = np.flatnonzero(cutoffs + series.plan.horizon_days <= until)
    shape = (series.num_entities, len(steps), series.plan.horizon)
    most = min(num_rows, ROWS_PER_ENTITY * series.num_entities)
    size = min(most * min(until, DAYS_OF_ALL_ROWS) // DAYS_OF_ALL_ROWS, math.prod(shape))
    drawn = np.sort(generator.choice(math.prod(shape), size, replace=False))
    entity, step, bucket = np.unravel_index(drawn, shape)
    rows = cut_rows(panel, series, entity, steps[step], bucket)
    return rows.select(np.flatnonzero(rows.counted))


def cut_horizon(panel: Panel, series: Series, day: int) -> DemandRows:
    """Cut every entity's horizon that starts on `day`: entity by entity, bucket by bucket."""
    step = int(np.flatnonzero(series.cutoffs.numpy() == day)[0])
    entity, bucket = np.divmod(np.arange(series.num_entities * series.plan.horizon), series.plan.horizon)
    return cut_rows(panel, series, entity, np.full(len(entity), step), bucket)


def cut_rows(
    panel: Panel,
    series: Series,
    entity: Int[np.ndarray, " row"],
    step: Int[np.ndarray, " row"],
    bucket: Int[np.ndarray, " row"],
) -> DemandRows:
    """Cut one row per entity, step and bucket; the step's cut-off is the first day that no feature may see.

    Parameters
    ----------
    panel
        That of `series`, its days out of stock filled in (`common.model.sold_out.fill_in`).
    """
    plan = series.plan
    cutoff = series.cutoffs.numpy()[step]
    first = cutoff + bucket * plan.bucket_days
    days = first[:, None] + np.arange(plan.bucket_days)
    there = days < panel.num_days
    days = np.minimum(days, panel.num_days - 1)
    row = entity[:, None]
    is_open = panel.open[row, days] & there
    level = series.cell_level.numpy()[row, step[:, None], series.cell_of_day.numpy()[row, days]]
    if plan.likelihood == "log_normal":
        level = np.expm1(level)
    anchor = (level * is_open).sum(axis=1)
    features = [
        series.inputs.numpy()[entity, step],
        series.future.numpy()[row, days].mean(axis=1),
        np.stack([bucket, np.log1p(anchor), is_open.sum(axis=1), (first + panel.start.weekday()) % 7], axis=1),
        np.log1p(_same_weekdays(panel, plan.bucket_days, entity, cutoff, first)) - np.log1p(anchor)[:, None],
    ]
    return DemandRows(
        features=np.concatenate([part.astype(np.float32) for part in features], axis=1),
        anchor=anchor.astype(np.float64),
        label=(panel.target[row, days] * is_open).sum(axis=1, dtype=np.float64),
        counted=is_open.any(axis=1) & (panel.first_day[entity] < cutoff),
        sold=(series.target.numpy()[row, days] * is_open).sum(axis=1, dtype=np.float64),
        censored=(panel.censored[row, days] & is_open).any(axis=1),
    )


def _same_weekdays(
    panel: Panel,
    bucket_days: int,
    entity: Int[np.ndarray, " row"],
    cutoff: Int[np.ndarray, " row"],
    first: Int[np.ndarray, " row"],
) -> Float[np.ndarray, "row lag"]:
    """Demand of the same weekday in past weeks (of past buckets, where a bucket has more days): last, and means.

    NaN, which trees take for what it is, where no such day was open.
    """
    period = 7 if bucket_days == 1 else bucket_days
    nearest = (first + bucket_days - 1 - cutoff) // period + 1  # whole periods back until the bucket lies in the past
    starts = first[:, None] - period * (nearest[:, None] + np.arange(LAG_WEEKS))
    total, seen = (np.zeros(starts.shape) for _ in range(2))
    for day in range(bucket_days):
        index = np.maximum(starts + day, 0)
        there = panel.open[entity[:, None], index] & (starts >= 0) & (index >= panel.first_day[entity][:, None])
        total += panel.target[entity[:, None], index] * there
        seen += there
    known = seen > 0
    columns = [np.where(known[:, 0], total[:, 0], np.nan)]
    for weeks in LAG_MEANS:
        count = known[:, :weeks].sum(axis=1)
        columns.append(np.where(count > 0, total[:, :weeks].sum(axis=1) / np.maximum(count, 1), np.nan))
    return np.stack(columns, axis=1)
