"""What each entity adds to a metric, so that two methods can be compared entity by entity.

Metrics that are one sum over entities divided by another: `log_loss` of purchases, `wql` and `wape` of demand. The
first of a task is its headline. They equal those of `common.forecast.metric`, which scores everyone at once.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from common.forecast.metric import QUANTILE_LEVELS, Forecast

COMPARED = {"demand": ("wql", "wape"), "purchase": ("log_loss",)}
SMALLEST_PROBABILITY = 1e-6  # as `common.forecast.metric.score_purchases` clips


def entity_losses(
    forecast: Forecast,
    actual: Float[np.ndarray, "entity bucket"],
    counted: Bool[np.ndarray, "entity bucket"],
    *,
    metric: str,
) -> Float[np.ndarray, " entity"]:
    """Give what each entity adds to the metric's upper sum."""
    total: np.ndarray = bucket_losses(forecast, actual, counted, metric=metric).sum(axis=1)
    return total


def bucket_losses(
    forecast: Forecast,
    actual: Float[np.ndarray, "entity bucket"],
    counted: Bool[np.ndarray, "entity bucket"],
    *,
    metric: str,
) -> Float[np.ndarray, "entity part"]:
    """Give what each bucket adds to the metric's upper sum; a purchase is one of the whole horizon, in one column."""
    if metric == "log_loss":
        return _log_loss(forecast, actual)[:, None]
    if metric == "wape":
        return np.abs(actual - forecast.median) * counted
    quantiles = forecast.median[:, :, None] if forecast.quantiles is None else forecast.quantiles
    error, level = actual[:, :, None] - quantiles, np.array(QUANTILE_LEVELS)
    pinball = np.maximum(level * error, (level - 1) * error).mean(axis=2)
    return 2 * pinball * counted


def entity_weights(
    actual: Float[np.ndarray, "entity bucket"], counted: Bool[np.ndarray, "entity bucket"], *, task: str
) -> Float[np.ndarray, " entity"]:
    """Give what each entity adds to the lower sum: itself for purchases, its demand on open days for demand."""
    weights: np.ndarray = (actual * counted).sum(axis=1) if task == "demand" else np.ones(len(actual))
    return weights


def _log_loss(forecast: Forecast, actual: Float[np.ndarray, "entity bucket"]) -> Float[np.ndarray, " entity"]:
    probability = forecast.probability if forecast.probability is not None else np.zeros(len(actual))
    clipped = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    loss: np.ndarray = -np.log(np.where(actual.sum(axis=1) > 0, clipped, 1 - clipped))
    return loss
