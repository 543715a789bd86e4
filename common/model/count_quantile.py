"""Quantiles of negative binomial counts, many at a time: the same numbers as scipy's, and for small counts sooner.

Of a count that is small the probabilities of 0, 1, 2 … are added up once for all levels, by a recurrence of products
and sums alone; so what is said of one count depends on no other beside it. Large counts are left to scipy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

LARGEST_COUNT = 200.0  # which nine of ten of a distribution stay below for certain, if it is added up
LEAST_PROBABILITY = 1e-290  # of a count of zero: below it the recurrence would begin with nothing


def count_quantiles(
    levels: Float[np.ndarray, "*batch level"], mean: Float[np.ndarray, "*batch"], size: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch level"]:
    """Give the smallest count of which the distribution function reaches each level.

    Parameters
    ----------
    levels
        Between 0 and 1, both left out.
    mean, size
        Of variance mean + mean² / size.
    """
    from scipy import stats  # 30 MB that training does without

    with np.errstate(all="ignore"):
        share = size / (size + mean)
        at_zero = np.exp(size * np.log(share))
        far = mean + 3 * np.sqrt(mean + mean**2 / size)  # Cantelli: a tenth of it lies above, at most
        small = (far <= LARGEST_COUNT) & (at_zero >= LEAST_PROBABILITY) & (levels.max(axis=-1, initial=0.0) <= 0.9)
    quantiles = np.empty(levels.shape)
    large = ~small
    quantiles[large] = stats.nbinom.ppf(levels[large], size[large][..., None], share[large][..., None])
    quantiles[small] = _add_up(levels[small], at_zero[small], size[small], 1 - share[small])
    return quantiles


def _add_up(
    levels: Float[np.ndarray, "one level"],
    at_zero: Float[np.ndarray, " one"],
    size: Float[np.ndarray, " one"],
    ratio: Float[np.ndarray, " one"],
) -> Float[np.ndarray, "one level"]:
    """Count the values below which each level lies; who has reached its highest level drops out."""
    found, place = np.zeros(levels.shape), np.arange(len(size))
    mass, total = at_zero, at_zero
    for count in range(int(LARGEST_COUNT) + 1):
        below = total[:, None] < levels
        found[place] += below
        on = below.any(axis=1)
        if not on.any():
            break
        if not on.all():
            place, levels, size, ratio, mass, total = (each[on] for each in (place, levels, size, ratio, mass, total))
        mass = mass * ((count + size) / (count + 1) * ratio)
        total = total + mass
    return found
