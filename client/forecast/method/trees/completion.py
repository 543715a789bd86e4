"""Rows of buckets out of stock, for trees that know no censored row: what was probably wanted, given the trees so far.

Trees of the mean are fitted and the expected demand of each such row, at least what was sold, is taken from what they
say of it: two steps of expectation maximisation, begun at the anchor's guesses (`common.model.sold_out`). Quantiles are
fitted to one draw per row from the same distribution, negative binomial around the trees' mean, since an expected value
has no spread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy import stats

from client.forecast.method.trees.example import DemandRows
from common.model.sold_out import ALPHAS, GUESSED_ALPHA, expect_count

STEPS = 2
SMALLEST_MEAN = 1e-6

FitMean = Callable[[DemandRows], Float[np.ndarray, " row"]]  # the trees' mean of every row that they were fitted to


def complete_rows(rows: DemandRows, fit_mean: FitMean, *, seed: int) -> tuple[DemandRows, DemandRows]:
    """Give the rows with the expected demand of buckets out of stock, and with a draw of it."""
    if not rows.censored.any():
        return rows, rows
    out, alpha = rows.censored, GUESSED_ALPHA
    for _ in range(STEPS):
        mean = np.maximum(fit_mean(rows), SMALLEST_MEAN)
        square = (rows.label - mean) ** 2
        expected, square[out] = expect_count(rows.sold[out], mean[out], np.full(int(out.sum()), alpha))
        alpha = float(np.clip((square - mean).sum() / (mean**2).sum(), *ALPHAS))
        expected, _ = expect_count(rows.sold[out], mean[out], np.full(int(out.sum()), alpha))
        rows = _relabel(rows, expected)
    return rows, _relabel(rows, _draw(rows.sold[out], mean[out], alpha, seed))


def _relabel(rows: DemandRows, demand: Float[np.ndarray, " out"]) -> DemandRows:
    label = rows.label.copy()
    label[rows.censored] = demand
    return replace(rows, label=label)


def _draw(
    sold: Float[np.ndarray, " out"], mean: Float[np.ndarray, " out"], alpha: float, seed: int
) -> Float[np.ndarray, " out"]:
    """Draw demand that is at least what was sold."""
    size = 1 / alpha
    law = stats.nbinom(size, size / (size + mean))
    uniform = np.random.default_rng(seed).uniform(size=len(sold))
    drawn: np.ndarray = np.maximum(law.isf(uniform * law.sf(np.ceil(sold) - 1)), sold)
    return np.where(np.isfinite(drawn), drawn, sold)
