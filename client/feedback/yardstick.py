"""What two plain rules would have said on the same day, so that "good" has a meaning."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from client.feedback.past import Past

RULES = ("weekday_mean", "seasonal_naive")
BACK = {"weekday_mean": 4, "seasonal_naive": 1}  # same weekdays before the origin that are averaged


def apply_rule(rule: str, past: Past, *, origin: int, first: int, last: int) -> Float[np.ndarray, " product"]:
    """Say of every product what a rule would have said of some days, knowing what came before `origin`.

    Parameters
    ----------
    origin, first, last
        Columns of the past.
    """
    said = np.zeros(len(past.products))
    for day in np.flatnonzero(past.open[first : last + 1]) + first:
        before = same_weekdays(int(day), origin, BACK[rule])
        before = before[past.open[before]]
        if len(before):
            said += past.units[:, before].mean(axis=1)
    return said


def same_weekdays(day: int, origin: int, number: int) -> Int[np.ndarray, " day"]:
    """Give the last days before `origin` that are as many whole weeks before `day`."""
    newest = day - 7 * (-(-(day - origin + 1) // 7))
    days = newest - 7 * np.arange(number)
    return days[days >= 0]
