"""Find steps in a weekly series, with a stated rate of false ones.

`x` is the logarithm of what a usual week sells. Around its level it swings with variance σ² and with r of it carried
over from week to week; both are estimated from differences, which steps hardly touch. Weeks that stand out alone (a
bulk order) are pulled in. Then two descriptions compete:

    steps          level after level, by least squares with a penalty for each step (PELT, `ruptures`)
    trend          a straight line, and steps beyond it

and the cheaper one is told, so that steady growth is no stair and a step is no trend. **The penalty** is one that of
series without any step leaves a share of at most `alpha` with one, while up to half is carried over from week to
week; it was found by simulating this whole file. `hansa-sim trends` counts what it does, also where more is.

References
----------
Killick, Fearnhead & Eckley, "Optimal detection of changepoints with a linear computational cost", JASA 2012 (PELT).
Chakar et al., "A robust approach for estimating change-points in the mean of an AR(1) process", Bernoulli 2017: r from
differences, §2. Truong, Oudre & Vayatis, "Selective review of offline change point detection methods", 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import median_filter

SHORTEST_WEEKS = 4  # between two steps
FEWEST_WEEKS = 26  # of a series in which steps are looked for
NEAR_WEEKS, FURTHEST = 9, 3.0  # a week further from the median of those around it, in standard deviations, is pulled in
MOST_CARRY = 0.8
LINE_PRICE = 0.9  # of a step's penalty, that a trend costs
PENALTY, PENALTY_PER_LOG = 1.8, 2.7  # in long-run variances: of a step, and for each logarithm of one over alpha


@dataclass(frozen=True)
class Swing:
    """How a series swings around its level: standard deviation of a week, and what is carried over to the next."""

    deviation: float
    carry: float

    @property
    def long_run(self) -> float:
        """Give the variance that a mean of n weeks has n-th part of."""
        return self.deviation**2 * (1 + self.carry) / (1 - self.carry)


@dataclass(frozen=True)
class Steps:
    """A series described.

    Attributes
    ----------
    places
        First weeks of new levels.
    slope
        Of the line per week; 0 where none is told.
    fitted
        Levels and line together.
    swing
        Around them.
    """

    places: tuple[int, ...]
    slope: float
    fitted: Float[np.ndarray, " week"]
    swing: Swing


def pull_in(values: Float[np.ndarray, " week"]) -> Float[np.ndarray, " week"]:
    """Bring single weeks that stand out nearer to the median of the weeks around them."""
    around = median_filter(values, min(NEAR_WEEKS, len(values)), mode="nearest")
    apart = values - around
    width = FURTHEST * _deviation(apart)
    return np.asarray(around + np.clip(apart, -width, width))


def _deviation(values: np.ndarray) -> float:
    return max(float(1.4826 * np.median(np.abs(values - np.median(values)))), 1e-6)


def measure_swing(values: Float[np.ndarray, " week"]) -> Swing:
    """Estimate from differences of one, two and four weeks: their variances are 2σ²(1-r), 2σ²(1-r²) and 2σ²(1-r⁴).

    The first two give r, and so do the last two, which see it better where the chance of small numbers lies over what
    is carried over. r is the larger of the two, a standard error higher, since too low an r makes steps of what is only
    carried over.
    """
    one, two, four = (_spread(values[lag:] - values[:-lag]) for lag in (1, 2, 4))
    near, far = two / one - 1, float(np.sqrt(max(four / two - 1, 0.0)))
    deviation = float(np.sqrt(one / (2 * (1 - float(np.clip(near, 0.0, MOST_CARRY))))))
    return Swing(deviation, float(np.clip(max(near, far) + 1 / np.sqrt(len(values)), 0.0, MOST_CARRY)))


def _spread(differences: np.ndarray) -> float:
    """Give their mean square, without those that a step makes large; of normal ones that is 97 in 100 of it."""
    near = np.abs(differences) <= FURTHEST * _deviation(differences)
    return max(float((differences[near] ** 2).mean()), 1e-12) if near.any() else 1e-12


def penalty_of(swing: Swing, alpha: float) -> float:
    """Give the penalty of a step, in squared units of the series."""
    return float((PENALTY + PENALTY_PER_LOG * np.log(1 / alpha)) * swing.long_run)


def find_steps(values: Float[np.ndarray, " week"], *, alpha: float) -> Steps:
    """Describe a series by levels, or by a line and levels beyond it, whichever is cheaper."""
    calm = pull_in(values)
    swing = measure_swing(calm)
    penalty = penalty_of(swing, alpha)
    week = np.arange(len(calm)) - (len(calm) - 1) / 2
    flat = _describe(calm, np.zeros(len(calm)), penalty, swing)
    line = float((week * calm).sum() / (week**2).sum()) * week
    sloped = _describe(calm, line, penalty, swing)
    costs = [((calm - each.fitted) ** 2).sum() + penalty * len(each.places) for each in (flat, sloped)]
    return sloped if costs[1] + LINE_PRICE * penalty < costs[0] else flat


def _describe(values: np.ndarray, line: np.ndarray, penalty: float, swing: Swing) -> Steps:
    """Find steps beyond a line, then fit line and levels together."""
    places = cut(values - line, penalty)
    number = len(values)
    levels = np.zeros((number, len(places) + 1))
    levels[np.arange(number), np.searchsorted(places, np.arange(number), side="right")] = 1.0
    if line.any():
        week = (np.arange(number) - (number - 1) / 2)[:, None]
        found, *_ = np.linalg.lstsq(np.hstack([levels, week]), values, rcond=None)
        return Steps(places, float(found[-1]), np.hstack([levels, week]) @ found, swing)
    means = levels.T @ values / levels.sum(axis=0)
    return Steps(places, 0.0, levels @ means, swing)


def cut(values: Float[np.ndarray, " week"], penalty: float) -> tuple[int, ...]:
    """Find the best cuts into levels by PELT, at least so many weeks apart."""
    from ruptures import KernelCPD  # heavy; its linear kernel is least squares, in C

    if len(values) < 2 * SHORTEST_WEEKS:
        return ()
    found = KernelCPD(kernel="linear", min_size=SHORTEST_WEEKS).fit(values[:, None]).predict(pen=penalty)
    return tuple(int(place) for place in found[:-1])
