"""Weigh the methods that serve a merchant, by what each would have said of the merchant's own last horizon.

Notable here: the weights are protected against two kinds of luck. The best of several methods on a few dozen entities
is best by chance half of the time, so a method counts as worse only by what its loss exceeds the best one's beyond a
standard error of their difference, and no single entity can make that error large enough to hide behind. And the
best on thousands of entities may be so in this one horizon only, so weights fall smoothly with that excess, as a power
of the loss (Stock & Watson 2004), and a method that is a little worse keeps a say: an average of forecasts errs less
than one picked from them (Bates & Granger 1969). Nothing that is compared was trained on that horizon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

from common.forecast.metric import QUANTILE_LEVELS, Forecast

POWER = 30.0  # of the loss: a method that is 2 % worse beyond doubt has half the say of the best, 15 % a hundredth
MOST_LUCK = 0.5  # of the best loss: of two entities one says nothing of the other, and errs as far as it likes
LEAST_PROBABILITY = 1e-6
LEAST_LOSS = 1e-12


def weigh_methods(losses: Mapping[str, Float[np.ndarray, " entity"]]) -> dict[str, float]:
    """Give each method its share in the average, in falling measure as its mean loss exceeds the best.

    With less than two entities to compare them on, the first serves alone: the one that stands for trust in the plan.
    """
    names = tuple(losses)
    if len(losses[names[0]]) < 2:
        return {name: float(name == names[0]) for name in names}
    best = min(losses.values(), key=np.mean)
    weights = {name: (1.0 + _excess(loss, best)) ** -POWER for name, loss in losses.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def _excess(loss: Float[np.ndarray, " entity"], best: Float[np.ndarray, " entity"]) -> float:
    """By what share a mean loss exceeds the best, beyond what may be bad luck in their paired difference."""
    difference, least = loss - best, float(best.mean())
    beyond = float(difference.mean()) - min(_standard_error(difference), MOST_LUCK * least)
    return max(beyond, 0.0) / max(least, LEAST_LOSS)


def _standard_error(difference: Float[np.ndarray, " entity"]) -> float:
    """Give the standard error of a mean, to which no entity adds more than all others together.

    Where one entity carries the whole difference D of n, the plain standard error is D/n, which is the mean itself: a
    method that fails on one entity would never count as worse, however far it fails.
    """
    squares = (difference - difference.mean()) ** 2
    furthest = int(squares.argmax())
    squares[furthest] = min(squares[furthest], np.delete(squares, furthest).sum())
    return float(np.sqrt(squares.sum() / (len(squares) - 1) / len(squares)))


def average(forecasts: Sequence[Forecast], weights: Sequence[float], *, counts: bool) -> Forecast:
    """Average forecasts of the same entities: means and quantiles as they are, probabilities as log-odds.

    A forecast without quantiles stands for all of them with its median; one without a probability has no say in that.

    Parameters
    ----------
    weights
        Of each forecast, not negative; they need not add up to one.
    counts
        Whether demand is counted: then the median and every quantile are the nearest count, since an interval that
        begins at a hundredth of one piece leaves out the days without demand.
    """
    nearest = np.rint if counts else np.asarray
    odds = [
        (logit(np.clip(forecast.probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)), weight)
        for forecast, weight in zip(forecasts, weights, strict=True)
        if forecast.probability is not None and weight > 0
    ]
    return Forecast(
        mean=np.average([forecast.mean for forecast in forecasts], axis=0, weights=weights),
        median=nearest(np.average([forecast.median for forecast in forecasts], axis=0, weights=weights)),
        quantiles=nearest(np.average([quantiles_of(forecast) for forecast in forecasts], axis=0, weights=weights)),
        probability=expit(np.average([each for each, _ in odds], axis=0, weights=[weight for _, weight in odds]))
        if odds
        else None,
    )


def is_close(loss: Float[np.ndarray, " entity"], best: Float[np.ndarray, " entity"]) -> bool:
    """Whether a mean loss is worse than the best by no more than one standard error of their paired difference.

    For choosing among fits of one model the plain error is right: what is not close moves the model further from what
    everyone knows, which takes more than one entity.
    """
    if len(loss) < 2:
        return True
    difference = loss - best
    return bool(difference.mean() <= difference.std(ddof=1) / np.sqrt(len(difference)))


def quantiles_of(forecast: Forecast) -> Float[np.ndarray, "entity bucket level"]:
    """Give the quantiles; a point stands for every one of them."""
    if forecast.quantiles is not None:
        return forecast.quantiles
    return np.repeat(forecast.median[:, :, None], len(QUANTILE_LEVELS), axis=2)
