"""Choose the method that serves a merchant, by what each would have said of the merchant's own last horizon.

Notable here: the choice is protected against noise. The best of several methods on a few dozen entities is best by
luck half of the time, so the simplest is kept unless another is better by more than the standard error of their
difference (the one-standard-error rule, Breiman et al. 1984). Nothing that is compared was trained on that horizon.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from common.metric import QUANTILE_LEVELS, Forecast, Outcome


def choose_method(losses: Mapping[str, Float[np.ndarray, " entity"]]) -> str:
    """Name the first method, the simplest standing first, whose mean loss is within one standard error of the best.

    Without an entity to compare them on, the first is kept.
    """
    names = list(losses)
    if not len(losses[names[0]]):
        return names[0]
    best = min(losses.values(), key=np.mean)
    return next(name for name in names if within_one_standard_error(losses[name], best))


def within_one_standard_error(loss: Float[np.ndarray, " entity"], best: Float[np.ndarray, " entity"]) -> bool:
    """Whether a mean loss is worse than the best by no more than the standard error of their paired difference."""
    if len(loss) < 2:
        return True
    difference = loss - best
    return bool(difference.mean() <= difference.std(ddof=1) / np.sqrt(len(difference)))


def purchase_losses(forecast: Forecast, outcome: Outcome) -> Float[np.ndarray, " entity"]:
    """Log-loss of each entity's probability of any demand."""
    assert forecast.probability is not None, "every method of a purchase plan gives a probability"  # noqa: S101
    probability = np.clip(forecast.probability, 1e-6, 1 - 1e-6)
    return np.where(outcome.actual.sum(axis=1) > 0, -np.log(probability), -np.log1p(-probability))


def demand_losses(forecast: Forecast, outcome: Outcome) -> Float[np.ndarray, " entity"]:
    """Quantile loss of each entity over its open buckets; a point forecast stands for every quantile."""
    quantiles = forecast.quantiles
    if quantiles is None:
        quantiles = np.repeat(forecast.median[:, :, None], len(QUANTILE_LEVELS), axis=2)
    level, error = np.array(QUANTILE_LEVELS), outcome.actual[:, :, None] - quantiles
    loss: np.ndarray = np.maximum(level * error, (level - 1) * error).mean(axis=2)
    return (loss * outcome.counted).sum(axis=1)
