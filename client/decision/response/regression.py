"""How a product's units move with its own price and promotions, beside weekday, season, trend and known days.

For every product one penalised Poisson regression with a logarithmic link, all products of a batch at once:

    log E[units of day t] = o_t + z_t · a + x_t · b

`z` are the calendar's controls, the same for all; `x` the product's own columns (logarithm of its price, promotion);
`o` what the controls say of its whole category, so that a slow seller borrows weekday and season from there: its own
`a` but for the intercept is drawn towards 0. `b` is not.

Of statsmodels, `GLM` would fit the same (a test holds us against it), one product at a time and with one column for
each control and product; `PoissonBayesMixedGLM` has the pooling too, by variational Bayes, whose intervals are known
to be too narrow. Here all products share their controls, so a step of the fit is two matrix products for the shop.

Notes
-----
Poisson's mean is estimated consistently whatever the counts' variance (Gourieroux, Monfort & Trognon 1984, Econometrica
52:681), and zeros need no care (Santos Silva & Tenreyro 2006). What the controls say of `x` is taken out first (Frisch
& Waugh 1933, Lovell 1963), then b's covariance is φ A⁻¹ with each column's error times √r: A the information in what is
left of `x`, φ Pearson's dispersion, r how much larger squared scores are than φ says where the same prices are held
against what was left of the sales in other weeks of the year. Weeks near each other are alike, and so are prices; the
usual remedy (Newey & West 1987) cuts that off after some weeks, which on known truth left errors a fifth too small. r
is noisy for one product, so it is drawn towards that of the shop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

STEPS, TOLERANCE = 40, 1e-6
LARGEST_MOVE = 4.0  # of a logarithm, in one step
CONTROL_SPREAD = 0.5  # how far a product's own controls lie from its category's, as a standard deviation
OWN_SPREAD = 20.0  # of b; it only keeps apart what the data cannot
BATCH = 256  # products at once
WEEK, LAGS = 7, 4
NEAREST_WEEKS = 3  # of a shift; what is left of the sales was made orthogonal to prices nearer than that
PRIOR_WEEKS = 100.0  # that the shop's own inflation counts for, beside a product's weeks


@dataclass(frozen=True)
class Fit:
    """Coefficients of each product's own columns, and how sure they are.

    Attributes
    ----------
    coefficient, covariance
        Of the own columns.
    influence
        Of each week on the coefficients; the sum over weeks of independent ones' squares is their variance.
    weeks
        How many weeks the information about `x` is spread over, in effect.
    fitted
        Mean units of each day.
    calendar
        The part of its logarithm that is the controls' and not the own columns'.
    """

    coefficient: Float[np.ndarray, "product own"]
    covariance: Float[np.ndarray, "product own own"]
    influence: Float[np.ndarray, "product week own"]
    weeks: Float[np.ndarray, " product"]
    fitted: Float[np.ndarray, "product day"]
    calendar: Float[np.ndarray, "product day"]


def fit_response(
    units: Float[np.ndarray, "product day"],
    counted: Bool[np.ndarray, "product day"],
    controls: Float[np.ndarray, "day control"],
    own: Float[np.ndarray, "product day own"],
    *,
    offset: Float[np.ndarray, "product day"],
    control_spread: float = CONTROL_SPREAD,
) -> Fit:
    """Fit every product by itself.

    Parameters
    ----------
    counted
        Days that say something: open, in stock, between the first and the last sale.
    controls
        The first column is the intercept.
    own
        0 where nothing is known.
    offset
        What the category says of each day.
    """
    parts = [
        _fit_batch(units[some], counted[some], controls, own[some], offset[some], control_spread)
        for some in (slice(first, first + BATCH) for first in range(0, len(units), BATCH))
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    coefficient, bread, phi, ratio, weeks, influence, fitted, calendar = columns
    shared = _shared_ratio(ratio, weeks)
    inflation = (PRIOR_WEEKS * shared + weeks[:, None] * ratio) / (PRIOR_WEEKS + weeks[:, None])
    root = np.sqrt(phi[:, None] * inflation)
    covariance = bread * root[:, :, None] * root[:, None, :]
    return Fit(coefficient, covariance, influence, weeks, fitted, calendar)


def _fit_batch(
    units: Float[np.ndarray, "product day"],
    counted: Bool[np.ndarray, "product day"],
    controls: Float[np.ndarray, "day control"],
    own: Float[np.ndarray, "product day own"],
    offset: Float[np.ndarray, "product day"],
    control_spread: float,
) -> tuple[np.ndarray, ...]:
    number, num_controls, num_own = len(units), controls.shape[1], own.shape[2]
    penalty = np.full(num_controls + num_own, control_spread**-2.0)
    penalty[0], penalty[num_controls:] = 1e-6, OWN_SPREAD**-2.0
    total = np.maximum(np.where(counted, units, 0.0).sum(axis=1), 0.5)
    usual = np.maximum(np.where(counted, np.exp(offset), 0.0).sum(axis=1), 1e-9)
    theta = np.zeros((number, num_controls + num_own))
    theta[:, 0] = np.log(total / usual)
    outer = (controls[:, :, None] * controls[:, None, :]).reshape(len(controls), -1)
    for _ in range(STEPS):
        mean = _mean(theta, controls, own, offset)
        weight = np.where(counted, mean, 0.0)
        gram = _gram(weight, controls, outer, own) + np.diag(penalty)
        score = _score(np.where(counted, units - mean, 0.0), controls, own) - penalty * theta
        move = np.clip(np.linalg.solve(gram, score[:, :, None])[:, :, 0], -LARGEST_MOVE, LARGEST_MOVE)
        theta = theta + move
        if np.abs(move).max() < TOLERANCE:
            break
    mean = _mean(theta, controls, own, offset)
    weight = np.where(counted, mean, 0.0)
    gram = _gram(weight, controls, outer, own) + np.diag(penalty)
    within, between = gram[:, :num_controls, :num_controls], gram[:, :num_controls, num_controls:]
    left = own - np.einsum("dk,pkj->pdj", controls, np.linalg.solve(within, between))
    bread = np.linalg.inv(gram)[:, num_controls:, num_controls:]
    residual = np.where(counted, units - mean, 0.0)
    phi, ratio, weeks, influence = _spread(
        residual, weight, left, bread, num_controls + num_own, _count_slow(controls) + num_own
    )
    own_part = np.einsum("pdj,pj->pd", own, theta[:, num_controls:])
    calendar = np.log(np.maximum(mean, 1e-12)) - own_part
    return theta[:, num_controls:], bread, phi, ratio, weeks, influence, mean, calendar


def _count_slow(controls: Float[np.ndarray, "day control"]) -> int:
    """Count the columns that move from week to week rather than within one."""
    number = len(controls) // WEEK
    weeks = controls[: number * WEEK].reshape(number, WEEK, -1)
    within, all_ = weeks.var(axis=1).mean(axis=0), controls.var(axis=0)
    return int((within <= 0.5 * all_).sum())


def _mean(theta: np.ndarray, controls: np.ndarray, own: np.ndarray, offset: np.ndarray) -> np.ndarray:
    split = controls.shape[1]
    line = theta[:, :split] @ controls.T + np.einsum("pdj,pj->pd", own, theta[:, split:])
    return np.exp(np.clip(line + offset, -25.0, 20.0))


def _gram(weight: np.ndarray, controls: np.ndarray, outer: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Give each product's information matrix: controls first, own columns last."""
    number, split, num_own = len(weight), controls.shape[1], own.shape[2]
    gram = np.empty((number, split + num_own, split + num_own))
    gram[:, :split, :split] = (weight @ outer).reshape(number, split, split)
    for place in range(num_own):
        weighed = weight * own[:, :, place]
        gram[:, :split, split + place] = gram[:, split + place, :split] = weighed @ controls
        gram[:, split + place, split:] = np.einsum("pd,pdj->pj", weighed, own)
    return gram


def _score(residual: np.ndarray, controls: np.ndarray, own: np.ndarray) -> np.ndarray:
    return np.concatenate([residual @ controls, np.einsum("pd,pdj->pj", residual, own)], axis=1)


def _spread(
    residual: np.ndarray, weight: np.ndarray, left: np.ndarray, bread: np.ndarray, num_columns: int, num_slow: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give the dispersion, each column's inflation, the weeks in effect, and their influence."""
    days = np.maximum((weight > 0).sum(axis=1) - num_columns, 10.0)
    phi = np.maximum((residual**2 / np.maximum(weight, 1e-9) * (weight > 0)).sum(axis=1) / days, 0.2)
    starts = np.arange(0, residual.shape[1], WEEK)
    score = np.add.reduceat(residual[:, :, None] * left, starts, axis=1)
    leverage = np.add.reduceat(np.einsum("pdj,pjk,pdk->pd", left, bread, left) * weight, starts, axis=1)
    influence = np.einsum("pwj,pjk->pwk", score, bread)
    weeks = leverage.sum(axis=1) ** 2 / np.maximum((leverage**2).sum(axis=1), 1e-12)
    left = np.where((weight > 0)[:, :, None], left, 0.0)
    return phi, _shift_ratio(residual, weight, left, phi, num_slow), weeks, influence


def _shift_ratio(
    residual: np.ndarray, weight: np.ndarray, left: np.ndarray, phi: np.ndarray, num_slow: int
) -> Float[np.ndarray, "product own"]:
    """Give the mean squared score of the columns shifted by whole weeks, over what φ says it is."""
    number = residual.shape[1] // WEEK
    if number <= 2 * NEAREST_WEEKS + 2:
        return np.ones((len(residual), left.shape[2]))

    def transform(values: np.ndarray) -> np.ndarray:
        return np.fft.rfft(values[:, : number * WEEK].reshape(len(values), number, WEEK), axis=1)

    alive = (weight > 0).sum(axis=1) / WEEK
    lost = alive / np.maximum(alive - num_slow, alive / 3)  # what slow columns took out of the weeks
    found, far = [], slice(NEAREST_WEEKS, number - NEAREST_WEEKS + 1)
    of_residual, of_weight = transform(residual), transform(weight)
    for column in range(left.shape[2]):
        values = left[:, :, column]
        score = np.fft.irfft((of_residual * transform(values).conj()).sum(axis=2), number, axis=1)[:, far]
        said = np.fft.irfft((of_weight * transform(values**2).conj()).sum(axis=2), number, axis=1)[:, far]
        total = phi * np.maximum(said, 0.0).sum(axis=1)
        found.append(np.where(total > 1e-12, lost * (score**2).sum(axis=1) / np.maximum(total, 1e-12), 1.0))
    return np.stack(found, axis=1)


def sum_lags(influence: Float[np.ndarray, "series week own"]) -> Float[np.ndarray, "series own own"]:
    """Give the variance of the sum over weeks where those near each other hang together."""
    total = np.einsum("swj,swk->sjk", influence, influence)
    for lag in range(1, min(LAGS, influence.shape[1] - 1) + 1):
        cross = np.einsum("swj,swk->sjk", influence[:, lag:], influence[:, :-lag])
        total = total + (1 - lag / (LAGS + 1)) * (cross + np.swapaxes(cross, 1, 2))
    return total


def _shared_ratio(
    ratio: Float[np.ndarray, "product own"], weeks: Float[np.ndarray, " product"]
) -> Float[np.ndarray, " own"]:
    """Give the shop's own inflation of each column, the mean of those that say most; never below 1."""
    known = weeks >= 3.0
    if not known.any():
        return np.ones(ratio.shape[1])
    return np.maximum(np.average(np.minimum(ratio[known], 20.0), axis=0, weights=weeks[known]), 1.0)
