"""Whether the mood tells of sales to come: only then is it worth a column of a forecast.

For each product and week with reviews: how far its mood lies from its own of before, against how the next four weeks
sold beside the four weeks before, the whole shop's change taken out. The slope is pooled over products; its chance
comes from giving each product the moods of another time of its own, turned around as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from jaxtyping import Float

WEEK, WEEKS_AHEAD = 7, 4
LEAST_CASES, LEAST_UNITS = 60, 8.0
TURNS = 499
USABLE = 0.01  # chance from which on the mood may be used


@dataclass(frozen=True)
class Sign:
    """What mood says of sales to come.

    Attributes
    ----------
    cases
        Weeks of products with reviews and sales before and after.
    slope
        Logarithm of sales per whole step of mood (from the middle rating to the best).
    chance
        Of a slope as far from 0, were there none; NaN with too few cases.
    """

    cases: int
    slope: float
    chance: float

    @property
    def is_usable(self) -> bool:
        """Whether a forecast may use the mood."""
        return bool(self.chance <= USABLE)


def judge_sign(mood: pa.Table, units: Mapping[str, Mapping[date, float]], *, seed: int = 0) -> Sign:
    """Hold mood against the sales that followed.

    Parameters
    ----------
    mood
        As `client.decision.review.mood.read_mood` gives it.
    """
    days = [day for own in units.values() for day in own]
    if not days or not mood.num_rows:
        return Sign(0, float("nan"), float("nan"))
    first, last = min(days), max(days)
    weeks = ((last - first).days + 1) // WEEK
    names = sorted({name for name in mood["product"].to_pylist() if name in units})
    sold = np.zeros((len(names), weeks))
    for row, name in enumerate(names):
        for day, number in units[name].items():
            week = (day - first).days // WEEK
            if week < weeks:
                sold[row, week] += number
    away = _away(mood, names, first, weeks)
    change = _change(sold)
    both = np.isfinite(away) & np.isfinite(change)
    if both.sum() < LEAST_CASES:
        return Sign(int(both.sum()), float("nan"), float("nan"))
    slope = _slope(away, change)
    draw = np.random.default_rng(seed)
    turned = [_slope(_turn(away, draw), change) for _ in range(TURNS)]
    chance = (1 + sum(abs(other) >= abs(slope) for other in turned)) / (1 + TURNS)
    return Sign(int(both.sum()), slope, float(chance))


def _away(mood: pa.Table, names: list[str], first: date, weeks: int) -> Float[np.ndarray, "product week"]:
    """Give each week's mood less the mean of the product's weeks before; NaN without reviews."""
    row_of = {name: row for row, name in enumerate(names)}
    total, number = np.zeros((len(names), weeks)), np.zeros((len(names), weeks))
    for row in mood.to_pylist():
        place, week = row_of.get(row["product"]), (row["day"] - first) // timedelta(days=WEEK)
        if place is not None and 0 <= week < weeks:
            total[place, week] += row["mood"] * row["n"]
            number[place, week] += row["n"]
    before = np.cumsum(total, axis=1) - total, np.cumsum(number, axis=1) - number
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((number > 0) & (before[1] >= 3), total / number - before[0] / before[1], np.nan)


def _change(sold: Float[np.ndarray, "product week"]) -> Float[np.ndarray, "product week"]:
    """Give the logarithm of the next four weeks over the last four with this one, beside all products'."""
    sums = np.concatenate([np.zeros((len(sold), 1)), np.cumsum(sold, axis=1)], axis=1)
    found, number = np.full(sold.shape, np.nan), sold.shape[1]
    for week in range(WEEKS_AHEAD - 1, number - WEEKS_AHEAD):
        after = sums[:, week + 1 + WEEKS_AHEAD] - sums[:, week + 1]
        before = sums[:, week + 1] - sums[:, week + 1 - WEEKS_AHEAD]
        usable = before >= LEAST_UNITS
        whole = (after[usable].sum() + 1.0) / (before[usable].sum() + 1.0) if usable.any() else 1.0
        found[usable, week] = np.log((after[usable] + 0.5) / (before[usable] + 0.5) / whole)
    return found


def _slope(away: Float[np.ndarray, "product week"], change: Float[np.ndarray, "product week"]) -> float:
    both = np.isfinite(away) & np.isfinite(change)
    if both.sum() < 2:
        return 0.0
    x, y = away[both] - away[both].mean(), change[both] - change[both].mean()
    return float((x @ y) / max(x @ x, 1e-12))


def _turn(away: Float[np.ndarray, "product week"], draw: np.random.Generator) -> Float[np.ndarray, "product week"]:
    number = away.shape[1]
    shifts = draw.integers(WEEKS_AHEAD, max(number - WEEKS_AHEAD, WEEKS_AHEAD + 1), len(away))
    return away[np.arange(len(away))[:, None], (np.arange(number)[None] + shifts[:, None]) % number]
