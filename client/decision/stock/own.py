"""What hansa says by itself at every review: the candidates of `client.shop.forecast`, weighed on the reviews before.

Trees are fitted again every `FIT_AGAIN` reviews, and so are the shares of the candidates; between, each review is
forecast from the newest days by what was fitted last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from client.decision.stock.walk import WEEK, Walk
from client.forecast.method.trees.demand import BoostedMean, enough_mean_trees, fit_boosted_mean
from client.shop.forecast.candidate import SIMPLE, TREE_ROWS, Batch, Learned, forecast_means, missing_library
from client.shop.forecast.weight import weigh
from common.model.features import Series
from common.model.warm.start import start_model, warm_path
from common.plan.schema import Plan

FIT_AGAIN = 4  # reviews
WEIGHED_ON = 8  # reviews at most whose days do not overlap
SEED = 0

OnStep = Callable[[float], None]
DayMeans = Float[np.ndarray, "review product day"]


def plan_window(plan: Plan, window_days: int) -> Plan:
    """Ask a plan's model for the days to cover; a plan of weeks for whole weeks, and for each day by itself."""
    step = plan.model.step_days
    update = {"horizon_days": -(-window_days // step) * step, "bucket_days": 1}
    return plan.model_copy(update={"model": plan.model.model_copy(update=update)})


def forecast_candidates(
    walk: Walk, plan: Plan, *, with_trees: bool = True, on_step: OnStep = lambda share: None
) -> dict[str, DayMeans]:
    """Give the candidates' means of each day to cover, at every review."""
    reach = plan_window(plan, walk.rhythm.window_days)
    sold = np.flatnonzero(walk.demand.any(axis=0))
    batch = Batch(walk.panel, reach, tuple(walk.reviews.tolist()), int(sold[0]) if len(sold) else 0)
    series = batch.read()
    names = (*SIMPLE, "anchor", *(["lightgbm"] if with_trees and not missing_library("lightgbm") else []))
    trees = _fit_trees(walk, series, on_step) if "lightgbm" in names else None
    warm = None
    if reach.model.likelihood == "negative_binomial" and warm_path(reach.model).is_file():
        warm, names = start_model(reach.model, series, seed=SEED, warm=True), (*names, "warm")
    means = forecast_means(batch, Learned(trees, warm), names)
    return {name: mean[:, :, : walk.rhythm.window_days] for name, mean in means.items()}


def _fit_trees(walk: Walk, series: Series, on_step: OnStep) -> tuple[BoostedMean, ...]:
    fitted: list[BoostedMean] = []
    for place, day in enumerate(walk.reviews.tolist()):
        if place % FIT_AGAIN == 0:
            enough = enough_mean_trees(walk.panel, series, day, seed=SEED, num_rows=TREE_ROWS)
            newest = fit_boosted_mean(walk.panel, series, until=day, num_trees=enough, seed=SEED, num_rows=TREE_ROWS)
        fitted.append(newest)
        on_step((place + 1) / len(walk.reviews))
    return tuple(fitted)


def average_candidates(walk: Walk, means: Mapping[str, DayMeans]) -> Float[np.ndarray, "review product"]:
    """Average the candidates by shares that the reviews before tell, and add up the days to cover."""
    names, window = tuple(means), walk.rhythm.window_days
    apart = -(-window // walk.rhythm.review_days)
    spans = [slice(day, day + window) for day in walk.reviews]
    actual = np.stack([walk.demand[:, span] for span in spans])
    seen = walk.panel.open & ~walk.panel.censored
    born = walk.panel.first_day < walk.reviews[:, None]
    counted = np.stack([seen[:, span] for span in spans]) & born[:, :, None]
    sums = np.stack([means[name].sum(axis=2) for name in names])
    served = np.empty(sums.shape[1:])
    for place in range(len(walk.reviews)):
        if place % FIT_AGAIN == 0:
            past = np.flatnonzero(walk.known(place))[::-1][: WEIGHED_ON * apart : apart][::-1]
            shares = _weigh(means, names, past, place, actual, counted)
        served[place] = np.tensordot(shares, sums[:, place], axes=1)
    return served


def _weigh(
    means: Mapping[str, DayMeans],
    names: Sequence[str],
    past: np.ndarray,
    place: int,
    actual: np.ndarray,
    counted: np.ndarray,
) -> Float[np.ndarray, " candidate"]:
    """Weigh on past reviews; the one that is forecast stands last, as `weigh` has it."""
    of_each = {name: means[name][np.append(past, place)] for name in names}
    weights = weigh(of_each, actual[past] * counted[past], counted[past], tuple(SIMPLE)).weights
    return np.array([weights[name] for name in names])


def is_rhythmic(plan: Plan, review_days: int) -> bool:
    """Whether the plan's model can forecast at every review: one of weeks at the end of its weeks alone."""
    return plan.model.step == "day" or review_days % WEEK == 0
