"""The rhythm of rare demand: how long an entity waits between its days with demand, and whether it is overdue.

A recurrent network finds these in a long sequence of mostly zeros, given enough signal; under noise it does not. As
features they cost nothing: each is a causal function of the entity's own past and of the public constants below.

    gap        days between two days with demand, on average; one gap of `PRIOR_GAP_DAYS` is seen beforehand
    overdue    how long the present gap is, against that average
    irregular  the spread of the gaps, against their average; 0 before there are two of them
    return     probability of demand within the horizon, as a buy-till-you-die model with public constants has it

References
----------
Fader, Hardie & Lee 2005, "Counting your customers the easy way", Marketing Science 24(2): BG/NBD, equations 8 and 10,
here with time in days since the entity's first day with demand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

PRIOR_GAP_DAYS = 60.0
LARGEST_OVERDUE, LARGEST_SPREAD, LARGEST_LOGIT = 3.0, 3.0, 6.0
RATE_SHAPE, RATE_DAYS = 1.0, 60.0  # the rate of an entity is gamma, one demand in two months on average
LEAVING, STAYING = 1.0, 9.0  # the share of demands after which it leaves for good is beta, a tenth on average


@dataclass(frozen=True)
class Gaps:
    """What is known of every entity's days with demand at each cut-off.

    Attributes
    ----------
    count
        Days with demand.
    since_first, since_last
        Days from the first and from the last of them to the cut-off, 0 where there is none.
    squares
        Sum of the squared gaps between them, in days.
    """

    count: Float[np.ndarray, "entity step"]
    since_first: Float[np.ndarray, "entity step"]
    since_last: Float[np.ndarray, "entity step"]
    squares: Float[np.ndarray, "entity step"]


def rhythm_features(
    sold: Bool[np.ndarray, "entity day"], cutoffs: Int[np.ndarray, " step"], horizon_days: int
) -> dict[str, Float[np.ndarray, "entity step"]]:
    """Give the rhythm at each cut-off, from the days before it; every feature is of the order of 1 and bounded.

    Parameters
    ----------
    sold
        Whether there was demand.
    cutoffs
        First day that each step may not see, ascending, each at least 1.
    horizon_days
        Days within which the entity may return.
    """
    return describe_rhythm(find_gaps(sold, cutoffs), horizon_days)


def describe_rhythm(gaps: Gaps, horizon_days: int) -> dict[str, Float[np.ndarray, "entity step"]]:
    """Give the rhythm of known gaps, as `rhythm_features` does."""
    span = gaps.since_first - gaps.since_last
    mean = (span + PRIOR_GAP_DAYS) / np.maximum(gaps.count, 1)
    overdue = np.log((gaps.since_last + 1) / (mean + 1))
    return {
        "gap": np.log1p(mean) / 4,
        "overdue": np.clip(overdue, -LARGEST_OVERDUE, LARGEST_OVERDUE) / 2,
        "irregular": _spread(gaps, span) / 2,
        "return": np.clip(return_logit(gaps, horizon_days), -LARGEST_LOGIT, LARGEST_LOGIT) / 4,
    }


def find_gaps(sold: Bool[np.ndarray, "entity day"], cutoffs: Int[np.ndarray, " step"]) -> Gaps:
    """Follow the days with demand up to each cut-off."""
    day = np.arange(sold.shape[1])
    last = np.maximum.accumulate(np.where(sold, day, -1), axis=1)
    before = np.concatenate([np.full_like(last[:, :1], -1), last[:, :-1]], axis=1)
    squares = np.where(sold & (before >= 0), (day - before) ** 2, 0).cumsum(axis=1)
    first = np.where(sold.any(axis=1), sold.argmax(axis=1), sold.shape[1])
    count = sold.cumsum(axis=1)[:, cutoffs - 1]
    some = count > 0
    return Gaps(
        count=count.astype(np.float64),
        since_first=np.where(some, cutoffs - first[:, None], 0.0),
        since_last=np.where(some, cutoffs - last[:, cutoffs - 1], 0.0),
        squares=squares[:, cutoffs - 1].astype(np.float64),
    )


def return_logit(gaps: Gaps, horizon_days: int) -> Float[np.ndarray, "entity step"]:
    """Log odds that an entity is still there and has demand within the horizon; an entity without any has odds of 1."""
    again = np.maximum(gaps.count - 1, 0)
    age, recency = gaps.since_first, gaps.since_first - gaps.since_last
    silence = (RATE_SHAPE + again) * np.log((RATE_DAYS + age) / (RATE_DAYS + recency))
    left = np.where(again > 0, LEAVING / (STAYING + again - 1) * np.exp(np.minimum(silence, 50.0)), 0.0)
    ahead = (RATE_SHAPE + again) * np.log1p(horizon_days / (RATE_DAYS + age))
    returns = np.clip(-np.expm1(-ahead) / (1 + left), 1e-9, 1 - 1e-9)
    odds: np.ndarray = np.where(gaps.count > 0, np.log(returns) - np.log1p(-returns), 0.0)
    return odds


def _spread(gaps: Gaps, span: Float[np.ndarray, "entity step"]) -> Float[np.ndarray, "entity step"]:
    """Give the standard deviation of the gaps over their mean, up to `LARGEST_SPREAD`."""
    number = np.maximum(gaps.count - 1, 1)
    mean = span / number
    variance = np.maximum(gaps.squares / number - mean**2, 0.0)
    spread: np.ndarray = np.where(gaps.count > 2, np.sqrt(variance) / np.maximum(mean, 1.0), 0.0)
    return np.minimum(spread, LARGEST_SPREAD)
