"""AutoETS as a shop would use it for orders: on weekly sales, fitted anew at every review, with its own variance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from client.decision.stock.walk import WEEK, Walk

LONGEST_WEEKS, SHORTEST_WEEKS = 104, 8  # AutoETS takes fewer for a tiny data set
ONE_SIDED = 1.2815515655446004  # standard deviations of the normal law's 90 % level
Means = Float[np.ndarray, "review product"]
OnStep = Callable[[float], None]


def forecast_weeks(walk: Walk, *, on_step: OnStep = lambda share: None) -> tuple[Means, Means]:
    """Give mean and variance of the days to cover, at every review and of every product.

    A week that was partly closed counts as if it had been open as usual, and one that was closed is left out. Weeks
    ahead count by their open days. Of a product of less than `SHORTEST_WEEKS` weeks the mean and variance of those.
    """
    mean, variance = np.zeros_like(walk.actual), np.zeros_like(walk.actual)
    for place, day in enumerate(walk.reviews.tolist()):
        for product in range(len(walk.panel.entities)):
            weekly, usual, ahead = _weekly(walk, product, day)
            rate, spread = _smooth(weekly, ahead)
            weeks = walk.open_days[place, product] / usual
            whole = np.minimum(np.maximum(weeks - np.arange(len(rate)), 0.0), 1.0)
            mean[place, product] = (rate * whole).sum()
            variance[place, product] = (spread**2 * whole).sum()
        on_step((place + 1) / len(walk.reviews))
    return mean, variance


def _weekly(walk: Walk, product: int, day: int) -> tuple[np.ndarray, float, int]:
    """Give a product's whole weeks before a day, the open days of a usual one, and the weeks to forecast."""
    weeks = (day - int(walk.panel.first_day[product])) // WEEK
    ahead = -(-walk.rhythm.window_days // WEEK) + 1
    if weeks <= 0:
        return np.zeros(0), float(WEEK), ahead
    span = slice(day - min(weeks, LONGEST_WEEKS) * WEEK, day)
    is_open = walk.panel.open[product, span].reshape(-1, WEEK).sum(axis=1)
    sold = (walk.panel.target[product, span] * walk.panel.open[product, span]).reshape(-1, WEEK).sum(axis=1)
    there = is_open > 0
    usual = float(np.median(is_open[there])) if there.any() else float(WEEK)
    return sold[there].astype(np.float64) * usual / is_open[there], usual, ahead


def _smooth(weekly: np.ndarray, ahead: int) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and standard deviation of each week ahead."""
    from statsforecast.models import AutoETS

    level, usual_miss = (float(weekly.mean()), float(weekly.std())) if len(weekly) else (0.0, 0.0)
    plain = np.full(ahead, level), np.full(ahead, usual_miss)
    if len(weekly) < SHORTEST_WEEKS or not weekly.any():
        return plain
    with np.errstate(all="ignore"):  # a candidate that does not fit is tried, divides by zero and loses
        made = AutoETS(season_length=1).forecast(weekly, h=ahead, level=[80])
    mean, spread = np.maximum(made["mean"], 0.0), (made["hi-80"] - made["mean"]) / ONE_SIDED
    return (mean, spread) if np.isfinite(mean).all() and np.isfinite(spread).all() else plain
