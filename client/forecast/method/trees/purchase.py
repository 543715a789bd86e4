"""Will this entity buy within the horizon? Boosted trees on more than the logistic regression sees.

Beside the regression's five features: rhythm (the mean gap between days with demand, and how overdue the next is),
counts over several windows, and the same days a year before. The snapshots are the regression's: one, two, three …
horizons before the origin, so every label ends before the origin.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

from client.forecast.method.logistic import (
    SNAPSHOTS,
    can_buy,
    per_open_day,
    purchase_features,
    purchase_forecast,
    purchase_labels,
    snapshots_before,
)
from client.forecast.method.trees.tree import TreePlan, TreeRows, fit_trees, predict_score
from common.data.panel import Panel
from common.forecast.metric import Forecast
from common.plan.schema import ModelPlan

TREES = TreePlan(num_trees=120, learning_rate=0.03, num_leaves=6, min_leaf_rows=50, l2=5.0, objective="binary")
RECENT_WINDOWS_DAYS = (30, 60, 180)
YEAR_DAYS = 364


def forecast_boosted_purchases(
    panel: Panel, plan: ModelPlan, origin: int, *, seed: int, num_threads: int = 1
) -> Forecast:
    """Fit on snapshots before the origin and predict at the origin."""
    cutoffs = snapshots_before(origin, plan, SNAPSHOTS)
    there = [panel.select(can_buy(panel, plan, cutoff)) for cutoff in cutoffs]
    bought = [purchase_labels(own, plan, cutoff) for own, cutoff in zip(there, cutoffs, strict=True)]
    features = [rhythm_features(own, plan, cutoff) for own, cutoff in zip(there, cutoffs, strict=True)]
    label = np.concatenate(bought).astype(np.float64)
    base = float(logit((label.sum() + 1) / (len(label) + 2)))
    ahead = _rows(rhythm_features(panel, plan, origin), np.zeros(len(panel.entities)), base)
    score, trees = ahead.offset, replace(TREES, num_threads=num_threads)
    if 0 < label.sum() < len(label):
        score = predict_score(fit_trees(_rows(np.concatenate(features), label, base), trees, seed=seed), ahead)
    return purchase_forecast(panel, plan, origin, per_open_day(expit(score), panel, plan, origin, cutoffs))


def rhythm_features(panel: Panel, plan: ModelPlan, cutoff: int) -> Float[np.ndarray, "entity 11"]:
    """Give the regression's features, the rhythm, recent counts and the days a year before, before `cutoff`.

    NaN, which trees take for what it is, where there are not two days with demand, or no year of history.
    """
    sold = panel.open[:, :cutoff] & (panel.target[:, :cutoff] > 0)
    count = sold.sum(axis=1)
    last = np.where(sold, np.arange(cutoff), 0).max(axis=1, initial=0)
    first = np.where(sold, np.arange(cutoff), cutoff).min(axis=1, initial=cutoff)
    gap = np.where(count > 1, (last - first) / np.maximum(count - 1, 1), np.nan)
    year_ago = cutoff - YEAR_DAYS
    season = sold[:, max(year_ago, 0) : year_ago + plan.horizon_days].sum(axis=1)
    extra = [
        np.log1p(gap),
        np.log((cutoff - last) / (gap + 1)),
        *(sold[:, max(cutoff - days, 0) :].sum(axis=1) for days in RECENT_WINDOWS_DAYS),
        np.where(year_ago > 0, season, np.nan),
    ]
    return np.concatenate([purchase_features(panel, cutoff), np.stack(extra, axis=1)], axis=1)


def _rows(features: np.ndarray, label: np.ndarray, offset: float) -> TreeRows:
    return TreeRows(features, label, np.full(len(label), offset))
