"""Average what several methods say, in shares that follow what each would have said of the merchant's last horizon.

Notable here: shares move slowly. The best of several methods on one horizon is best by chance more often than not, so
what a method's loss exceeds the best by is shrunk towards nothing, by how unsure the difference is
(`client.forecast.evidence`), and its usual share falls smoothly with that excess, as a power of the loss (Stock &
Watson 2004): an average of forecasts errs less than one picked from them (Bates & Granger 1969). Nothing that is
compared was trained on that horizon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

from client.forecast.evidence import standard_error
from common.forecast.method import Method
from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast

POWER = 30.0  # of the loss: a method that is 2 % worse beyond doubt has half the say of the best, 15 % a hundredth
PRIOR_SPREAD = 0.03  # of the loss: how far a method's excess over the best differs between merchants
CERTAIN = 4.0  # standard errors: of an excess of so many half is believed, however large it is
LEAST_ERROR, MOST_ERROR = 0.01, 0.5  # of the loss: no horizon tells more, and none less, of the one that follows
# How much of an average each has before there is evidence; whatever is not named has as much as a point forecast.
USUAL_SHARES = {
    "lightgbm_local": 1.0,
    "logistic_local": 0.7,
    "gru_local": 0.3,
    "anchor": 0.25,
    "auto_ets": 0.15,
    "federated": 1.0,
    "warm": 0.6,
    "chronos": 0.6,
    "fracast": 0.6,
}
SHARE_OF_POINTS = 0.03
LEARN_ALONE = ("lightgbm_local", "logistic_local", "gru_local")
DAYS_TO_LEARN = 365  # with a shorter history what learns from it alone has as much less to say
SHARE_UNFITTED = 0.25  # of a network from outside, of what it has where it is fitted to the merchant
LEAST_PROBABILITY = 1e-6
LEAST_LOSS = 1e-12

Blocks = Float[np.ndarray, "entity week"]


def weigh_methods(losses: Mapping[Method, Blocks], *, history_days: int) -> dict[Method, float]:
    """Give each method its share in the average, in falling measure as its mean loss exceeds the best.

    Parameters
    ----------
    losses
        Of the same blocks, by method (`client.forecast.evidence.block_losses`).
    history_days
        Days that the methods could learn from.
    """
    best = min(losses, key=lambda method: losses[method].mean())
    shares = {
        method: usual_share(method, history_days=history_days)
        * float(np.exp(-POWER * shrunk_excess(loss, losses[best])))
        for method, loss in losses.items()
    }
    total = sum(shares.values())
    return {method: share / total for method, share in shares.items()}


def shrunk_excess(loss: Blocks, other: Blocks) -> float:
    """By what share of the lower a mean loss exceeds another, shrunk towards none by how unsure it is.

    What lies far off widens what is thought possible, so that a failure is not doubted for being large.
    """
    difference, least = loss - other, max(min(float(loss.mean()), float(other.mean())), LEAST_LOSS)
    error = min(max(standard_error(difference) / least, LEAST_ERROR), MOST_ERROR)
    excess = float(difference.mean()) / least
    spread = max(PRIOR_SPREAD, abs(excess) / CERTAIN)
    return excess * spread**2 / (spread**2 + error**2)


def usual_share(method: Method, *, history_days: int) -> float:
    """Tell how much of an average a method has before there is evidence."""
    share = USUAL_SHARES.get(method.kind, SHARE_OF_POINTS)
    if method.kind in LEARN_ALONE:
        share *= min(max(history_days, 1) / DAYS_TO_LEARN, 1.0)  # some share, or what stands alone has none
    return share * SHARE_UNFITTED if method.is_from_outside and not method.personalised else share


def known_share(methods: Iterable[Method], *, history_days: int) -> float:
    """Tell how much the methods of one side have to say, of what they have where nothing is short: 1 after a year.

    What learned elsewhere has all of it from the first day on, and so has what only repeats the past.
    """
    methods = tuple(methods)
    now, later = (
        sum(usual_share(method, history_days=days) for method in methods) for days in (history_days, DAYS_TO_LEARN)
    )
    return now / later


def average(forecasts: Sequence[Forecast], weights: Sequence[float], *, counts: bool) -> Forecast:
    """Average forecasts of the same entities: means and quantiles as they are, probabilities as log-odds.

    A forecast without quantiles stands for all of them with its median; one without a probability has no say in that.

    Parameters
    ----------
    weights
        Of each forecast, not negative; they need not add up to one.
    counts
        Whether demand is counted: then every quantile is spread over its count before it is averaged (`spread_counts`),
        and what comes out is the nearest count, since an interval that begins at a hundredth of one piece leaves out
        the days without demand.
    """
    quantiles = [spread_counts(quantiles_of(forecast)) if counts else quantiles_of(forecast) for forecast in forecasts]
    average_quantiles = np.average(quantiles, axis=0, weights=weights)
    if counts:
        average_quantiles = np.maximum(np.rint(average_quantiles), 0.0)
    odds = [
        (logit(np.clip(forecast.probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)), weight)
        for forecast, weight in zip(forecasts, weights, strict=True)
        if forecast.probability is not None and weight > 0
    ]
    return Forecast(
        mean=np.average([forecast.mean for forecast in forecasts], axis=0, weights=weights),
        median=average_quantiles[:, :, MEDIAN],
        quantiles=average_quantiles,
        probability=expit(np.average([each for each, _ in odds], axis=0, weights=[weight for _, weight in odds]))
        if odds
        else None,
    )


def spread_counts(quantiles: Float[np.ndarray, "entity bucket level"]) -> Float[np.ndarray, "entity bucket level"]:
    """Put each level where it lies within its count: of the levels at which a count k stands, half lie below k.

    Averages of counts as they are fall between two counts, and always to the same side where one says none and another
    one piece: rounded to the nearest they lost 1 to 2 % of quantile loss. The nearest count of what is returned is the
    count that was given; what is no count (a point, a normal law) is returned as it is.

    References
    ----------
    Machado & Santos Silva, "Quantiles for counts", JASA 2005: quantiles of a count with uniform noise added to it.
    """
    if not np.array_equal(quantiles, np.rint(quantiles)) or (quantiles[:, :, 0] == quantiles[:, :, -1]).all():
        return quantiles
    below = (quantiles[..., None, :] < quantiles[..., None]).sum(axis=-1)
    up_to = (quantiles[..., None, :] <= quantiles[..., None]).sum(axis=-1)
    levels = np.array(QUANTILE_LEVELS)
    between = 0.5 * (levels[1] - levels[0])  # a count's probability ends half way to the next level
    low = np.where(below == 0, 0.0, levels[below - 1] + between)
    high = levels[up_to - 1] + between
    return quantiles - 0.5 + (levels - low) / (high - low)


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
