"""Groups of a shop as weekly series: the whole shop, its categories, its best-selling products.

Only days count on which a product could sell as usual: the shop open, the product in stock and on no promotion. What
is left of a week is divided by the part of a usual week that those days stand for, so that a closed Monday, an empty
shelf or an offer is no change of the market.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from client.feedback.past import Past, groups_of

Level = Literal["shop", "category", "product"]
FEWEST_PIECES = 5.0  # in a usual week; fewer tell nothing of a trend
LEAST_PART = 0.3  # of a usual week, that the counted days must stand for


@dataclass(frozen=True)
class Series:
    """One group.

    Attributes
    ----------
    rows
        Of its products in the past.
    sold, usual
        By day: pieces that count, and the part of a usual week that the counted days stand for.
    weeks
        Columns of the Mondays of the weeks that count.
    pace
        Logarithm of what a usual week would have sold at the pace of each of these.
    """

    level: Level
    name: str
    rows: Int[np.ndarray, " product"]
    sold: Float[np.ndarray, " day"]
    usual: Float[np.ndarray, " day"]
    weeks: Int[np.ndarray, " week"]
    pace: Float[np.ndarray, " week"]

    def mondays(self, past: Past) -> list[date]:
        """Give the days on which the weeks begin."""
        return [past.first + timedelta(days=int(week)) for week in self.weeks]


@dataclass(frozen=True)
class Counted:
    """Which days of which products count, and what a usual day of each is.

    Attributes
    ----------
    days
        Open, in stock, on no promotion, and not before the product's first sale.
    alive
        The same, though out of stock or on promotion.
    """

    days: Bool[np.ndarray, "product day"]
    alive: Bool[np.ndarray, "product day"]
    rate: Float[np.ndarray, " product"]
    weekday: Float[np.ndarray, " day"]


def count_days(past: Past, promoted: Bool[np.ndarray, "product day"]) -> Counted:
    """Tell which days count, and what part of a week each weekday is."""
    there = past.units > 0
    begin = np.where(there.any(axis=1), there.argmax(axis=1), past.units.shape[1])
    end = past.units.shape[1] - there[:, ::-1].argmax(axis=1)
    day = np.arange(past.units.shape[1])
    alive = past.open & (day >= begin[:, None]) & (day < end[:, None] + 28)
    days = alive & ~past.out & ~promoted
    rate = (past.units * days).sum(axis=1) / np.maximum(days.sum(axis=1), 1)
    return Counted(days, alive, rate, weekday_parts(past))


def weekday_parts(past: Past) -> Float[np.ndarray, " day"]:
    """Give the part of a usual week's sales that a day's weekday stands for, 0 on closed days."""
    weekday = (past.first.weekday() + np.arange(len(past.open))) % 7
    total = past.units.sum(axis=0, dtype=np.float64)
    top = np.quantile(total[past.open], 0.98) if past.open.any() else 0.0  # no single day decides
    usual = np.zeros(7)
    for each in range(7):
        own = past.open & (weekday == each)
        often = own.sum() >= (weekday == each).sum() / 10  # a weekday that was open once is no part of a usual week
        usual[each] = np.minimum(total[own], top).mean() if own.any() and often else 0.0
    return np.where(past.open, usual[weekday] / max(usual.sum(), 1e-9), 0.0)


def list_series(past: Past, counted: Counted, *, products: Sequence[int], most: int) -> Iterator[Series]:
    """Give the shop, its categories, and the products that are asked for, or those that sell best; of enough sales.

    Parameters
    ----------
    products
        Rows; if empty those that sold most in the last year.
    most
        How many of these.
    """
    every = np.arange(len(past.products))
    groups = groups_of(past)
    if not products:
        yield make_series(past, counted, "shop", past_name(past), every)
        if len(groups) > 1:
            own = (make_series(past, counted, "category", name, rows) for name, rows in groups.items())
            yield from sorted(filter(is_enough, own), key=lambda each: -each.sold.sum())
    wanted = list(products) or np.argsort(-past.units[:, -364:].sum(axis=1), kind="stable")[:most].tolist()
    for row in wanted:
        series = make_series(past, counted, "product", past.names[row], np.array([row]))
        if products or is_enough(series):
            yield series


def past_name(past: Past) -> str:
    """Give the whole shop's name among groups."""
    return "The whole shop" if past.products else ""


def make_series(past: Past, counted: Counted, level: Level, name: str, rows: Int[np.ndarray, " product"]) -> Series:
    """Add a group's days up, and its days to weeks."""
    days, alive, rate = counted.days[rows], counted.alive[rows], counted.rate[rows]
    sold = (past.units[rows] * days).sum(axis=0, dtype=np.float64)
    could = (rate[:, None] * alive).sum(axis=0)
    part = np.where(could > 0, (rate[:, None] * days).sum(axis=0) / np.where(could > 0, could, 1.0), 0.0)
    usual = counted.weekday * part
    begin = -past.first.weekday() % 7
    number = (len(usual) - begin) // 7
    by_week = [values[begin : begin + 7 * number].reshape(number, 7).sum(axis=1) for values in (sold, usual)]
    alive = np.flatnonzero((could[begin : begin + 7 * number].reshape(number, 7) > 0).any(axis=1))
    first = int(alive[0]) if len(alive) else 0
    there = (by_week[1] >= LEAST_PART) & (np.arange(number) > first)  # its first week is seldom whole
    weeks = begin + 7 * np.flatnonzero(there)
    pace = np.log((by_week[0][there] + 0.5) / by_week[1][there])
    return Series(level, name, rows, sold, usual, weeks, pace)


def is_enough(series: Series) -> bool:
    """Whether a group sells enough for its trend to be told."""
    return len(series.pace) > 0 and float(np.exp(np.median(series.pace))) >= FEWEST_PIECES
