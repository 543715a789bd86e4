"""Past weeks of a product that looked most like those before its forecast, and what came after them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from jaxtyping import Float

from client.shop.forecast.candidate import Batch
from common.model.sold_out import fill_in

WEEKS, WEEK = 4, 7  # that are compared
MOST = 3


@dataclass(frozen=True)
class Similar:
    """Four weeks of the past, and the days after them that stand to them as the forecast's do to today.

    Attributes
    ----------
    first, last
        Of the four weeks.
    sold
        In each of them, days out of stock filled in with what was probably wanted.
    apart
        By which share a week typically differs from that of today; 0 for none.
    came
        Pieces in the days after.
    """

    first: date
    last: date
    sold: tuple[float, ...]
    apart: float
    came_first: date
    came_last: date
    came: float


def find_similar(batch: Batch, days: slice) -> tuple[tuple[float, ...], tuple[Similar, ...]]:
    """Look through the past of the one product of a batch; nothing from its day of forecast on is seen.

    Returns
    -------
    tuple
        What was sold in the four weeks before the forecast, and up to `MOST` like times that do not overlap, the most
        like first.
    """
    origin, panel = batch.origins[-1], batch.panel
    filled = fill_in(panel, batch.plan.model, until=origin)
    demand = (filled.target * filled.open)[0, :origin].astype(np.float64)
    born = int(panel.first_day[0])
    now = _weeks_before(demand, origin)
    begins = range(origin - -(-days.stop // WEEK) * WEEK, born + WEEKS * WEEK - 1, -WEEK)
    if now is None or not begins:
        return () if now is None else tuple(now.tolist()), ()
    apart = np.array([_distance(now, then) for end in begins if (then := _weeks_before(demand, end)) is not None])
    chosen = list[int]()
    for place in np.argsort(apart, kind="stable").tolist():
        if len(chosen) < MOST and all(abs(place - other) >= WEEKS for other in chosen):
            chosen.append(place)
    return tuple(now.tolist()), tuple(
        _describe(panel.start, demand, begins[place], float(apart[place]), days) for place in chosen
    )


def _weeks_before(demand: Float[np.ndarray, " day"], end: int) -> Float[np.ndarray, " week"] | None:
    first = end - WEEKS * WEEK
    return None if first < 0 else demand[first:end].reshape(WEEKS, WEEK).sum(axis=1)


def _distance(now: Float[np.ndarray, " week"], then: Float[np.ndarray, " week"]) -> float:
    """Give the typical relative difference of a week: of counts, so that 0 and 1 are not infinitely far apart."""
    return float(np.expm1(np.sqrt(((np.log1p(now) - np.log1p(then)) ** 2).mean())))


def _describe(start: date, demand: Float[np.ndarray, " day"], end: int, apart: float, days: slice) -> Similar:
    sold = _weeks_before(demand, end)
    came = slice(end + days.start, end + days.stop)
    return Similar(
        first=start + timedelta(days=end - WEEKS * WEEK),
        last=start + timedelta(days=end - 1),
        sold=() if sold is None else tuple(sold.tolist()),
        apart=apart,
        came_first=start + timedelta(days=came.start),
        came_last=start + timedelta(days=came.stop - 1),
        came=float(demand[came].sum()),
    )
