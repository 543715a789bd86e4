"""Draw what each product sells over a whole horizon: calibrated for each by itself, and linked by what all share.

The draws of a product are not random levels but evenly spaced ones of the very distribution that `spread` reports, put
into an order at random. So their quantiles are those that are reported, and only the order, in which good draws of one
product meet good draws of another, is left to chance.

Above the level `TAIL` nothing is reported, and the past shows little. There the values are stretched until the draws
vary as much as sums did in the past, and then all of them alike until their mean is that of the forecast. Were the mean
left to the tail alone, a shop whose sums lay four per cent below their means would carry that in its highest tenth,
three times as far out as anything that was ever seen, and order by it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import special
from scipy.interpolate import interp1d

from client.shop.forecast.spread import Spread

TAIL = 0.9  # the highest level that is reported
STRETCHES, HALVINGS = (0.2, 20.0), 20  # of the tail, at most; what the mean lacks then is put on all values alike
SMOOTH_MEAN = 8.0  # above, quantiles of levels in between are read off a line
COARSE = np.concatenate([[0.01], np.linspace(0.025, 0.975, 39), [0.99]])


def draw_levels(
    common: Float[np.ndarray, "draw _"], loading: Float[np.ndarray, " product"], generator: np.random.Generator
) -> Int[np.ndarray, "draw product"]:
    """Give the place of each draw among those of its product, by what it shares with others and by chance.

    Parameters
    ----------
    common
        What products share, standard normal.
    loading
        Its correlation with the product's own place, 0 to 1.
    """
    own = generator.standard_normal((len(common), len(loading)))
    mixed = loading * common + np.sqrt(1.0 - loading**2) * own
    return np.argsort(np.argsort(mixed, axis=0), axis=0)


def spaced_totals(
    spread: Spread, mean: Float[np.ndarray, " product"], factor: Float[np.ndarray, " product"], num_draws: int
) -> Float[np.ndarray, "draw product"]:
    """Give evenly spaced quantiles of each product's sum in rising order, with the mean of the forecast."""
    levels = (np.arange(num_draws) + 0.5) / num_draws
    found = np.empty((num_draws, len(mean)))
    many = mean >= SMOOTH_MEAN
    found[:, ~many] = spread.quantiles(mean[~many], factor[~many], tuple(levels.tolist())).T
    few = (
        levels
        if num_draws <= len(COARSE)
        else np.unique(np.concatenate([levels[[0, -1]], np.clip(COARSE, levels[0], levels[-1])]))
    )
    known = spread.quantiles(mean[many], factor[many], tuple(few.tolist())).T
    found[:, many] = interp1d(few, known, axis=0, assume_sorted=True)(levels)
    return _match(found, mean, spread.variance(mean) * factor)


def _match(
    totals: Float[np.ndarray, "draw product"],
    mean: Float[np.ndarray, " product"],
    variance: Float[np.ndarray, " product"],
) -> Float[np.ndarray, "draw product"]:
    """Stretch what lies above `TAIL` until the draws vary as was seen, then all values until the mean is right."""
    first = max(min(int(np.ceil(TAIL * len(totals))), len(totals) - 1), 1)
    head, base = totals[:first], totals[first - 1]
    tail = totals[first:] - base
    stretched = base + tail * _find_stretch(head, tail, mean, variance)
    ramp = (np.arange(len(tail)) + 0.5) / max((np.arange(len(tail)) + 0.5).sum(), 1e-9)
    missing = mean * len(totals) - head.sum(axis=0) - base * len(tail)
    flat = (tail.sum(axis=0) <= 0) & (missing > 0)
    right = np.concatenate([head, np.where(flat, base + missing * ramp[:, None], stretched)])
    reached = right.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(reached > 0, right * (mean / reached), 0.0))


def _find_stretch(
    head: Float[np.ndarray, "low product"],
    tail: Float[np.ndarray, "high product"],
    mean: Float[np.ndarray, " product"],
    variance: Float[np.ndarray, " product"],
) -> Float[np.ndarray, " product"]:
    """Find by halving how far the tail, counted from where it begins, is stretched for the relative variance."""
    number, base = len(head) + len(tail), head[-1]
    sums = head.sum(axis=0) + len(tail) * base, tail.sum(axis=0)
    squares = (head**2).sum(axis=0) + len(tail) * base**2, 2 * base * sums[1], (tail**2).sum(axis=0)
    low, high = (np.full(len(mean), end) for end in STRETCHES)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(HALVINGS):
            stretch = np.sqrt(low * high)
            first = (sums[0] + stretch * sums[1]) / number
            second = (squares[0] + stretch * squares[1] + stretch**2 * squares[2]) / number
            is_enough = second / first**2 - 1 >= variance / mean**2
            low, high = np.where(is_enough, low, stretch), np.where(is_enough, stretch, high)
    return low


def round_keeping_sum(
    totals: Float[np.ndarray, "draw product"], generator: np.random.Generator
) -> Float[np.ndarray, "draw product"]:
    """Round each product's draws, which rise, so that their running sums are off by less than one piece."""
    running = np.cumsum(totals, axis=0) + generator.random(totals.shape[1])
    whole = np.floor(running)
    return np.asarray(np.maximum(np.diff(whole, axis=0, prepend=np.zeros((1, totals.shape[1]))), 0.0))


def find_loading(
    totals: Float[np.ndarray, "draw product"],
    mean: Float[np.ndarray, " product"],
    common_spread: Float[np.ndarray, " product"],
) -> Float[np.ndarray, " product"]:
    """Find the loading by which each product moves with what is shared as much as that varies.

    Parameters
    ----------
    totals
        In rising order.
    common_spread
        Standard deviation of what is shared, as a share of the mean.
    """
    normal = special.ndtri((np.arange(len(totals)) + 0.5) / len(totals))
    slope = (totals * normal[:, None]).mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = np.where(slope > 0, mean * common_spread / slope, 0.0)
    return np.clip(needed, 0.0, 0.98)
