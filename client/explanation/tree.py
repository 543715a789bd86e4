"""Take boosted trees apart: LightGBM's own exact TreeSHAP values, made into pieces.

The trees' score is log(anchor + floor) + offset + trees, and the mean is its exponential. TreeSHAP shares the trees'
score out among the columns, beginning from what the trees say on average of what they learned from; so that average
and the offset are what is usual of products alike, and every column's share moves the forecast from there. By
`logarithmic_mean` shares of the score become pieces.

The package `shap` gives the same numbers (a test has them) and would bring numba and llvmlite along.

References
----------
Lundberg et al., "From local explanations to global understanding with explainable AI for trees", Nature Machine
Intelligence 2 (2020), algorithm 2.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from client.explanation.group import Group, group_of
from client.explanation.part import Parts, add_by_group, logarithmic_mean
from client.forecast.method.trees.demand import FLOOR, BoostedMean
from client.forecast.method.trees.example import DemandRows, cut_horizon
from common.data.panel import Panel
from common.model.features import Series
from common.model.sold_out import fill_in

OWN_COLUMNS: tuple[Group, ...] = ("rest", "alike", "closed", "weekday")  # step ahead, anchor, open days, weekday
LAGS: tuple[Group, ...] = ("recent", "recent", "recent")


def name_groups(series: Series) -> tuple[Group, ...]:
    """Give the group of every column that `cut_rows` lays out."""
    return (*map(group_of, (*series.names, *series.future_names)), *OWN_COLUMNS, *LAGS)


def split_trees(trees: BoostedMean, panel: Panel, series: Series, day: int, days: slice) -> Parts:
    """Give what the trees say beyond the anchor, of some days of the horizon that begins on `day`."""
    ahead = cut_horizon(fill_in(panel, series.plan, until=day), series, day)
    shape = (series.num_entities, series.plan.horizon)
    base, is_open = ahead.anchor.reshape(shape) + FLOOR, ahead.counted.reshape(shape)
    shares, constant = share_score(trees, ahead)
    mean = base * np.exp(constant + shares.sum(axis=1)).reshape(shape)
    worth = (logarithmic_mean(mean, base) * is_open)[:, days]
    moved = np.einsum("pdc,pd->cp", shares.reshape(*shape, -1)[:, days], worth)
    groups = name_groups(series)
    parts = add_by_group(moved, groups, shape[0])
    alike = constant * worth.sum(axis=1) + FLOOR * is_open[:, days].sum(axis=1)
    return parts + add_by_group(alike[None, :], ("alike",), shape[0])


def share_score(trees: BoostedMean, ahead: DemandRows) -> tuple[Float[np.ndarray, "row column"], float]:
    """Share the score out among the columns, and give what is the same for all rows."""
    if trees.booster is None:
        return np.zeros_like(ahead.features, dtype=np.float64), trees.offset
    shares = np.asarray(trees.booster.predict(ahead.features, pred_contrib=True), dtype=np.float64)
    return shares[:, :-1], trees.offset + float(shares[0, -1])
