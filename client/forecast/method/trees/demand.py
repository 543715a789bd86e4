"""Forecast amounts with boosted trees: quantiles by quantile loss, the mean by Poisson loss.

Every model corrects the anchor, as the network does: trees cannot follow a trend beyond what they saw, a ratio to
a level can. Quantiles are fitted on log(1 + demand) - log(1 + anchor), which moves no quantile, since the scale is
monotone; the mean starts at the anchor's logarithm. How many trees are enough is decided on the last horizon
before the origin, which is then given back for the final fit, as for the network alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from client.forecast.method.trees.completion import complete_rows
from client.forecast.method.trees.example import OWN_ROWS, DemandRows, cut_horizon, draw_past
from client.forecast.method.trees.tree import TreePlan, TreeRows, enough_trees, fit_trees, predict_score
from common.data.panel import Panel
from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast
from common.model.features import Series, build_series
from common.model.sold_out import fill_in
from common.plan.schema import ModelPlan

if TYPE_CHECKING:
    import lightgbm

QUANTILE = TreePlan(num_trees=200, learning_rate=0.08, num_leaves=31, min_leaf_rows=50, objective="quantile")
MEAN = replace(QUANTILE, objective="poisson")
STEADY_MEAN = replace(MEAN, largest_step=3.0)
RARE_LABEL, ANCHORS = 0.999, 20.0  # a label beyond that quantile and so many anchors is one order's whim
FLOOR = 0.02  # an anchor of zero still leaves something to multiply, as in `common.model.likelihood`
NUM_FITS = 3 + len(QUANTILE_LEVELS)  # two to see how many trees are enough, the mean, every quantile

OnStep = Callable[[float], None]


def forecast_boosted_demand(
    panel: Panel,
    plan: ModelPlan,
    day: int,
    *,
    seed: int,
    num_rows: int = OWN_ROWS,
    num_threads: int = 1,
    on_step: OnStep = lambda share: None,
) -> Forecast:
    """Train on the past of one panel and forecast the horizon that starts on `day`."""
    series = build_series(panel, plan, day)
    panel = fill_in(panel, plan, until=day)
    past, ahead = draw_past(panel, series, until=day, seed=seed, num_rows=num_rows), cut_horizon(panel, series, day)
    quantile, mean = (replace(tree_plan, num_threads=num_threads) for tree_plan in (QUANTILE, MEAN))
    enough = [_enough_trees(panel, series, day, tree_plan, seed, num_rows) for tree_plan in (quantile, mean)]
    on_step(len(enough) / NUM_FITS)
    few = replace(mean, num_trees=enough[1])
    past, drawn = complete_rows(past, lambda rows: np.exp(_boost(rows, rows, few, seed)), seed=seed)
    fits = [replace(quantile, level=level, num_trees=enough[0]) for level in QUANTILE_LEVELS]
    scores = []
    for tree_plan in (*fits, few):
        scores.append(_boost(drawn if tree_plan.objective == "quantile" else past, ahead, tree_plan, seed))
        on_step((len(enough) + len(scores)) / NUM_FITS)
    ratios = np.sort(np.stack(scores[:-1], axis=1), axis=1)  # models of neighbouring levels may cross
    quantiles = np.maximum(np.expm1(ratios + np.log1p(ahead.anchor)[:, None]), 0.0)
    if plan.likelihood != "log_normal":
        quantiles = np.rint(quantiles)  # a quantile of counts is a count
    return _as_forecast(ahead, np.exp(scores[-1]), quantiles, plan)


@dataclass(frozen=True)
class BoostedMean:
    """Trees that forecast the mean alone, fitted once and asked of any entities.

    Attributes
    ----------
    booster
        None where the past has no demand, or no tree helps.
    offset
        Where every score starts, beside the anchor's logarithm.
    """

    booster: lightgbm.Booster | None
    offset: float

    def forecast(self, panel: Panel, series: Series, day: int) -> Float[np.ndarray, "entity bucket"]:
        """Forecast the horizon that starts on `day`, a cut-off of the series; a closed bucket is zero."""
        ahead = cut_horizon(fill_in(panel, series.plan, until=day), series, day)
        rows = _rows(ahead, STEADY_MEAN, self.offset)
        score = rows.offset if self.booster is None else predict_score(self.booster, rows)
        mean: np.ndarray = (np.exp(score) * ahead.counted).reshape(-1, series.plan.horizon)
        return mean


def enough_mean_trees(panel: Panel, series: Series, day: int, *, seed: int, num_rows: int = OWN_ROWS) -> int:
    """Say after how many trees the last horizon before `day` is forecast best in the mean."""
    return _enough_trees(fill_in(panel, series.plan, until=day), series, day, STEADY_MEAN, seed, num_rows)


def fit_boosted_mean(
    panel: Panel, series: Series, *, until: int, num_trees: int, seed: int, num_rows: int = OWN_ROWS
) -> BoostedMean:
    """Fit the mean on horizons that end by day `until`."""
    filled, plan = fill_in(panel, series.plan, until=until), replace(STEADY_MEAN, num_trees=num_trees)
    past = draw_past(filled, series, until=until, seed=seed, num_rows=num_rows)
    past, _ = complete_rows(past, lambda rows: np.exp(_boost(rows, rows, plan, seed)), seed=seed)
    past = _without_whims(past)
    offset = _offset(past, plan)
    if num_trees == 0 or not past.label.any():
        return BoostedMean(None, offset)
    return BoostedMean(fit_trees(_rows(past, plan, offset), plan, seed=seed), offset)


def _without_whims(past: DemandRows) -> DemandRows:
    """Cut labels that are far beyond all others and beyond what was expected of them."""
    if len(past.label) == 0:
        return past
    most = np.quantile(past.label, RARE_LABEL) + ANCHORS * past.anchor
    return replace(past, label=np.minimum(past.label, most))


def _enough_trees(panel: Panel, series: Series, day: int, plan: TreePlan, seed: int, num_rows: int) -> int:
    """Fit on what ends before the last horizon and see after how many trees that horizon is forecast best."""
    cutoffs = series.cutoffs.numpy()
    cut = int(np.searchsorted(cutoffs, day - series.plan.horizon_days, side="right")) - 1
    if cut < 0:
        return 0
    past = draw_past(panel, series, until=int(cutoffs[cut]), seed=seed, num_rows=num_rows)
    horizon = cut_horizon(panel, series, int(cutoffs[cut]))
    held_out = horizon.select(np.flatnonzero(horizon.counted))
    if not past.label.any() or not held_out.label.any():
        return 0
    offset = _offset(past, plan)
    return enough_trees(_rows(past, plan, offset), _rows(held_out, plan, offset), plan, seed=seed)


def _boost(past: DemandRows, ahead: DemandRows, plan: TreePlan, seed: int) -> Float[np.ndarray, " row"]:
    """Fit on the past and give the score of the rows ahead."""
    offset = _offset(past, plan)
    target = _rows(ahead, plan, offset)
    if plan.num_trees == 0 or not past.label.any():
        return target.offset
    return predict_score(fit_trees(_rows(past, plan, offset), plan, seed=seed), target)


def _rows(rows: DemandRows, plan: TreePlan, offset: float) -> TreeRows:
    if plan.objective == "poisson":
        return TreeRows(rows.features, rows.label, np.log(rows.anchor + FLOOR) + offset)
    return TreeRows(rows.features, _log_ratio(rows), np.full(len(rows.label), offset))


def _offset(past: DemandRows, plan: TreePlan) -> float:
    """Start where one number for all is best, so that trees tell rows apart from the first on."""
    if not past.label.any():
        return 0.0
    if plan.objective == "poisson":
        return float(np.log(past.label.sum() / (past.anchor + FLOOR).sum()))
    return float(np.quantile(_log_ratio(past), plan.level))


def _log_ratio(rows: DemandRows) -> Float[np.ndarray, " row"]:
    ratio: np.ndarray = np.log1p(rows.label) - np.log1p(rows.anchor)
    return ratio


def _as_forecast(ahead: DemandRows, mean: np.ndarray, quantiles: np.ndarray, plan: ModelPlan) -> Forecast:
    """Lay the rows out by entity and bucket; a closed bucket is forecast zero."""
    mean = (mean * ahead.counted).reshape(-1, plan.horizon)
    quantiles = (quantiles * ahead.counted[:, None]).reshape(*mean.shape, len(QUANTILE_LEVELS))
    return Forecast(mean, quantiles[:, :, MEDIAN], quantiles, -np.expm1(-mean.sum(axis=1)))
