"""Choose the methods that serve a merchant, by what each would have said of the merchant's own last horizon.

Notable here: the choice is protected against noise. The best of several methods on a few dozen entities is best by
luck half of the time, so nothing is left out that is not worse than the best beyond doubt, by more than
`STANDARD_ERRORS` of their difference (the confidence set of Hansen, Lunde & Nason 2011, in its simplest form). What
is left is averaged: an average of forecasts errs less than one picked from them (Bates & Granger 1969; equal weights
are hard to beat, Smith & Wallis 2009). Nothing that is compared was trained on that horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

from common.metric import QUANTILE_LEVELS, Forecast, Outcome

STANDARD_ERRORS = 2.0
LEAST_PROBABILITY = 1e-6


def choose_methods(losses: Mapping[str, Float[np.ndarray, " entity"]]) -> tuple[str, ...]:
    """Name the methods whose mean loss is within `STANDARD_ERRORS` of the best.

    With less than two entities to compare them on, the first alone: the one that stands for trust in the plan.
    """
    names = tuple(losses)
    if len(losses[names[0]]) < 2:
        return names[:1]
    best = min(losses.values(), key=np.mean)
    return tuple(name for name in names if is_close(losses[name], best, standard_errors=STANDARD_ERRORS))


def average(forecasts: Sequence[Forecast]) -> Forecast:
    """Average forecasts of the same entities: means and quantiles as they are, probabilities as log-odds.

    A forecast without quantiles stands for all of them with its median; one without a probability has no say in that.
    """
    quantiles = np.mean([quantiles_of(forecast) for forecast in forecasts], axis=0)
    known = [forecast.probability for forecast in forecasts if forecast.probability is not None]
    odds = [logit(np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)) for probability in known]
    return Forecast(
        mean=np.mean([forecast.mean for forecast in forecasts], axis=0),
        median=np.mean([forecast.median for forecast in forecasts], axis=0),
        quantiles=quantiles,
        probability=expit(np.mean(odds, axis=0)) if odds else None,
    )


def is_close(
    loss: Float[np.ndarray, " entity"], best: Float[np.ndarray, " entity"], *, standard_errors: float = 1.0
) -> bool:
    """Whether a mean loss is worse than the best by no more than some standard errors of their paired difference."""
    if len(loss) < 2:
        return True
    difference = loss - best
    return bool(difference.mean() <= standard_errors * difference.std(ddof=1) / np.sqrt(len(difference)))


def purchase_losses(forecast: Forecast, outcome: Outcome) -> Float[np.ndarray, " entity"]:
    """Log-loss of each entity's probability of any demand."""
    assert forecast.probability is not None, "every method of a purchase plan gives a probability"  # noqa: S101
    probability = np.clip(forecast.probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.where(outcome.actual.sum(axis=1) > 0, -np.log(probability), -np.log1p(-probability))


def demand_losses(forecast: Forecast, outcome: Outcome) -> Float[np.ndarray, " entity"]:
    """Quantile loss of each entity over its open buckets; a point forecast stands for every quantile."""
    level, error = np.array(QUANTILE_LEVELS), outcome.actual[:, :, None] - quantiles_of(forecast)
    loss: np.ndarray = np.maximum(level * error, (level - 1) * error).mean(axis=2)
    return (loss * outcome.counted).sum(axis=1)


def quantiles_of(forecast: Forecast) -> Float[np.ndarray, "entity bucket level"]:
    """Give the quantiles; a point stands for every one of them."""
    if forecast.quantiles is not None:
        return forecast.quantiles
    return np.repeat(forecast.median[:, :, None], len(QUANTILE_LEVELS), axis=2)
