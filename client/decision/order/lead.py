"""How long goods take from the order to the shelf: whole days, with a spread.

A lead time with mean m and standard deviation s is gamma distributed and rounded to whole days: never negative, late
more often than early. Orders of one supplier do not overtake each other.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

CUT = 0.999  # what comes later still is taken to come then


@lru_cache(maxsize=4096)
def lead_law(mean: float, spread: float) -> tuple[float, ...]:
    """Give the probability of 0, 1, 2 … days.

    Parameters
    ----------
    mean, spread
        Days; without a spread the mean is rounded up, for a day more is the careful one.
    """
    from scipy.stats import gamma  # takes a second to import

    if spread <= 0 or mean <= 0:
        whole = int(np.ceil(mean))
        return (*(0.0,) * whole, 1.0)
    shape, scale = (mean / spread) ** 2, spread**2 / mean
    last = int(np.ceil(gamma.ppf(CUT, shape, scale=scale)))
    below = gamma.cdf(np.arange(last + 1) + 0.5, shape, scale=scale)
    below[-1] = 1.0
    return tuple(np.diff(below, prepend=0.0).tolist())


def longest(mean: float, spread: float) -> int:
    """Give the most days that are reckoned with."""
    return len(lead_law(mean, spread)) - 1


def draw_leads(
    means: Float[np.ndarray, " product"],
    spreads: Float[np.ndarray, " product"],
    num_draws: int,
    generator: np.random.Generator,
) -> Int[np.ndarray, "draw product"]:
    """Draw lead times, evenly spread over their law: the draws of a product have its mean, whatever their number."""
    levels = spaced_levels(num_draws, generator)
    drawn = np.empty((num_draws, len(means)), np.int32)
    pairs, place = np.unique(np.stack([means, spreads], axis=1), axis=0, return_inverse=True)
    for number, (mean, spread) in enumerate(pairs):
        days = np.searchsorted(np.cumsum(lead_law(float(mean), float(spread))), levels).astype(np.int32)
        drawn[:, place.ravel() == number] = np.minimum(days, longest(float(mean), float(spread)))[:, None]
    return drawn


def remaining_law(mean: float, spread: float, elapsed: int) -> Float[np.ndarray, " day"]:
    """Give the probability that an order placed so many days ago, and not here yet, comes in 0, 1, 2 … days from now.

    One that is later than anything reckoned with is taken to come today or tomorrow, at even odds.
    """
    law = np.array(lead_law(mean, spread))
    left = law[max(elapsed, 0) :]
    left = np.concatenate([np.zeros(max(-elapsed, 0)), left])  # ordered on a day to come
    return left / left.sum() if left.sum() > 1e-9 else np.array([0.5, 0.5])


def spaced_levels(num_draws: int, generator: np.random.Generator) -> Float[np.ndarray, " draw"]:
    """Give evenly spaced levels between 0 and 1, in an order of chance."""
    return (generator.permutation(num_draws) + 0.5) / num_draws
