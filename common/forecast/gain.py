"""How much lower one loss is than another, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

CONFIDENCE = 0.95
FEWEST_ENTITIES = 10  # with fewer an interval is far too short to be shown
DUST = 5e-7  # a gain within this of zero is none: two forecasts that are alike differ by the rounding of a computer
MOST_DIGITS = 4  # of a share in percent, which show whatever is more than dust


@dataclass(frozen=True)
class Gain:
    """How much lower the loss `value` is than the loss `against`, as a share of `against`.

    Attributes
    ----------
    low, high
        95 % interval of the gain; absent where there are too few entities for one.
    """

    value: float
    against: float
    gain: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Better or worse where the whole interval says so, unclear otherwise."""
        if self.low is None or self.high is None:
            return "unclear"
        return "better" if self.low > DUST else "worse" if self.high < -DUST else "unclear"


def say_share(share: float, *, signed: bool = False) -> str:
    """Write a share in percent: with one digit, or as many as it takes not to read as none.

    An interval that ends below zero never reads as one that ends at it, so what is written fits the verdict.
    """
    written = (f"{abs(share):.{digits}%}" for digits in range(1, MOST_DIGITS + 1))
    known = next((text for text in written if text.strip("0.%")), None)
    if known is None:
        return "0.0%"
    sign = "-" if share < 0 else "+" if signed else ""
    return f"{sign}{known}"


def estimate_gain(
    losses: Float[np.ndarray, " entity"], against: Float[np.ndarray, " entity"], weights: Float[np.ndarray, " entity"]
) -> Gain | None:
    """Compare two losses that are sums over the same entities, without drawing anything at random.

    Parameters
    ----------
    weights
        What each entity adds to the sum that both losses are divided by.

    Returns
    -------
    Gain | None
        With the interval of a ratio of sums over other entities of the same kind, by its linearised variance; None
        where there is nothing to compare.

    References
    ----------
    W. G. Cochran, "Sampling Techniques", 3rd edition (1977), chapter 6: the ratio estimate.
    """
    total, weight, number = against.sum(), weights.sum(), len(losses)
    if not (total > 0 and weight > 0):
        return None
    ratio = losses.sum() / total
    low, high = None, None
    if number >= FEWEST_ENTITIES:
        residual = losses - ratio * against
        error = np.sqrt(number / (number - 1) * (residual**2).sum()) / total
        reach = stats.t.ppf((1 + CONFIDENCE) / 2, number - 1) * error
        low, high = float(1 - ratio - reach), float(1 - ratio + reach)
    return Gain(float(losses.sum() / weight), float(total / weight), float(1 - ratio), low, high)
