"""Paired bootstrap of how much lower one loss is than another, resampling entities.

An entity is drawn with everything it did at every origin, since its origins are not independent; both methods are
scored on the same draw, so what is hard for both cancels. What is shared by all entities (a cold week) does not vary
between draws: the interval speaks of other entities in the same weeks, not of other weeks.

References
----------
B. Efron, R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile interval).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from common.forecast.gain import CONFIDENCE, FEWEST_ENTITIES, Gain

CHUNK_DRAWS = 4_000_000  # of entities, in memory at a time


def measure_gain(
    sums: Float[np.ndarray, "entity origin 3"], *, resamples: int, generator: np.random.Generator
) -> Gain | None:
    """Compare two losses.

    Parameters
    ----------
    sums
        What each entity adds at each origin to the loss, to the loss compared against, and to the weight that both
        are divided by; zeros where it takes no part.
    resamples
        Draws of the bootstrap.

    Returns
    -------
    Gain | None
        Of the mean over origins; None where there is nothing to compare.
    """
    value, against = _losses(sums.sum(axis=0)[None])[0]
    if not against > 0:
        return None
    low, high = None, None
    if len(sums) >= FEWEST_ENTITIES and resamples > 0:
        drawn = np.concatenate([_losses(total) for total in _draw_totals(sums, resamples, generator)])
        low, high = interval(1 - drawn[:, 0] / np.where(drawn[:, 1] > 0, drawn[:, 1], np.nan))
    return Gain(float(value), float(against), float(1 - value / against), low, high)


def interval(drawn: Float[np.ndarray, " draw"]) -> tuple[float, float]:
    """Give the percentiles between which `CONFIDENCE` of the draws lie; a draw that is NaN does not count."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(drawn, (tail, 1 - tail))
    return float(low), float(high)


def draw_counts(
    num_entities: int, resamples: int, generator: np.random.Generator
) -> Iterator[Int[np.ndarray, "draw entity"]]:
    """Draw how often each entity is in each resample, some resamples at a time."""
    chunk = max(1, CHUNK_DRAWS // num_entities)
    for first in range(0, resamples, chunk):
        draws = min(chunk, resamples - first)
        drawn = generator.integers(num_entities, size=(draws, num_entities))
        drawn += num_entities * np.arange(draws)[:, None]
        yield np.bincount(drawn.ravel(), minlength=draws * num_entities).reshape(draws, num_entities)


def _draw_totals(
    sums: Float[np.ndarray, "entity origin 3"], resamples: int, generator: np.random.Generator
) -> Iterator[Float[np.ndarray, "draw origin 3"]]:
    flat = sums.reshape(len(sums), -1)
    for counts in draw_counts(len(sums), resamples, generator):
        yield (counts.astype(np.float64) @ flat).reshape(-1, *sums.shape[1:])


def _losses(totals: Float[np.ndarray, "draw origin 3"]) -> Float[np.ndarray, "draw 2"]:
    """Mean over origins of both losses; an origin without weight does not count, NaN where none has any."""
    weight = totals[:, :, 2]
    counted = weight > 0
    ratios = totals[:, :, :2] / np.where(counted, weight, 1.0)[:, :, None]
    number = counted.sum(axis=1)
    means: np.ndarray = (ratios * counted[:, :, None]).sum(axis=1) / np.where(number > 0, number, np.nan)[:, None]
    return means
