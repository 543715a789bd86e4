"""On which day a step came, and how large it was, each with an interval of nine in ten.

The day: every day between the neighbouring steps is weighed by how probable it makes what was sold before and after
it, as counts that vary `lumps` times as much as Poisson counts (which holds what is carried over). The shortest set of
days that holds nine in ten of the weight runs from the first to the last of it.

References
----------
Bai, "Estimation of a change point in multiple regression models", 1997: why the interval widens as the step shrinks.
Wedderburn, "Quasi-likelihood functions", Biometrika 1974.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special, stats

SURE = 0.9
LEAST_DAYS = 7  # on either side of a step
NEAR_DAYS = 120  # further days tell of other things


@dataclass(frozen=True)
class Place:
    """Columns of days: the most probable, and the ends of the interval."""

    day: int
    first: int
    last: int


def locate(
    sold: Float[np.ndarray, " day"],
    usual: Float[np.ndarray, " day"],
    *,
    about: int,
    bounds: tuple[int, int],
    lumps: float,
) -> Place:
    """Find the day of one step.

    Parameters
    ----------
    sold
        Pieces.
    usual
        What the weekday, the season and open shelves let expect of a day, in any unit.
    about
        Where the weeks say that it came.
    bounds
        The steps before and after it, or the ends: the first column, and the one after the last.
    lumps
        Variance over mean of what is sold, in the long run.
    """
    begin, end = max(bounds[0], about - NEAR_DAYS), min(bounds[1], about + NEAR_DAYS)
    days = np.arange(begin + LEAST_DAYS, end - LEAST_DAYS + 1)
    if len(days) == 0:
        return Place(about, about, about)
    total, expected = np.cumsum(sold[begin:end]), np.cumsum(usual[begin:end])
    place = days - begin - 1
    before, after = (total[place], expected[place]), (total[-1] - total[place], expected[-1] - expected[place])
    weight = (_likelihood(*before) + _likelihood(*after)) / max(lumps, 1e-9)
    chance = np.exp(weight - special.logsumexp(weight))
    order = np.argsort(-chance, kind="stable")
    needed = int(np.searchsorted(np.cumsum(chance[order]), SURE)) + 1
    held = days[order[:needed]]
    return Place(int(days[order[0]]), int(held.min()), int(held.max()))


def _likelihood(total: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Give the logarithm of the likelihood of counts at their best rate."""
    return np.asarray(special.xlogy(total, total / np.maximum(expected, 1e-9)))


def compare_levels(
    before: Float[np.ndarray, " earlier"], after: Float[np.ndarray, " later"], *, long_run: float
) -> tuple[float, float, float]:
    """Give the ratio of the level after to the one before, with its interval; weeks are logarithms."""
    change = float(after.mean() - before.mean())
    error = float(np.sqrt(long_run * (1 / len(before) + 1 / len(after))))
    wide = float(stats.t.ppf((1 + SURE) / 2, max(len(before) + len(after) - 2, 2))) * error
    return float(np.exp(change)), float(np.exp(change - wide)), float(np.exp(change + wide))


def slope_of(weeks: Float[np.ndarray, " week"], *, long_run: float) -> tuple[float, float, float]:
    """Give the factor of a month (30.4 days), with its interval, of a line through logarithms of weeks."""
    week = np.arange(len(weeks)) - (len(weeks) - 1) / 2
    squares = float((week**2).sum())
    slope, error = float((week * weeks).sum() / squares), float(np.sqrt(long_run / squares))
    wide = float(stats.t.ppf((1 + SURE) / 2, max(len(weeks) - 2, 2))) * error
    month = 365.25 / 12 / 7
    return tuple(float(np.exp(month * value)) for value in (slope, slope - wide, slope + wide))  # type: ignore[return-value]
