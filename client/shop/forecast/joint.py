"""What the products of a shop have in common: how far they miss their means together.

Of two different products the product of their misses is, in the mean, what they share; so over all pairs

    shared = ((Σ miss)² - Σ miss²) / ((Σ mean)² - Σ mean²)

is the variance, as a share of the squared mean, of a factor that is common to all, whatever each does by itself. Within
categories the same tells what the products of one share beyond that.

Four past horizons are few to see it in: all products of a horizon have one weather. So a simple forecast, the level of
the last four weeks, is held against what came on every week of the whole history too, and both count alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

USUAL = 0.15**2  # of the shared variance, and that of a category, where next to nothing was seen
PRIOR_WINDOWS = 4.0  # past horizons that the whole history is worth
FEWEST_WINDOWS = 8  # of the whole history
LEVEL_DAYS, SPACING_DAYS, FIRST_DAY = 28, 7, 56
MEDIAN_OF_SQUARE = 0.455  # of a standard normal: no Christmas decides what is usual in June
LARGEST = 0.5


@dataclass(frozen=True)
class Joint:
    """Variances of what is shared, as shares of the squared mean.

    Attributes
    ----------
    lasting
        Of a factor that lasts over the horizon.
    weekly, daily
        Of one that is anew each week, each day.
    category
        Of one that lasts and that the products of one category share.
    """

    lasting: float
    weekly: float
    daily: float
    category: float

    def over(self, days: int) -> float:
        """Give the variance of the whole shop's sums over so many days."""
        return self.lasting + self.weekly / max(days / 7, 1.0) + self.daily / days


@dataclass(frozen=True)
class Past:
    """Days of past horizons of some products.

    Attributes
    ----------
    said, sold
        Means and what came, zero on days that do not count.
    group
        The category of each product, -1 where it has none.
    """

    said: Float[np.ndarray, "window product day"]
    sold: Float[np.ndarray, "window product day"]
    group: Int[np.ndarray, " product"]

    def sums(self, days: int) -> tuple[Float[np.ndarray, "part product"], Float[np.ndarray, "part product"]]:
        """Add up over parts of so many days; the days after the last whole part are left out."""
        return _sum(self.said, days), _sum(self.sold, days)


def _sum(values: Float[np.ndarray, "window product day"], days: int) -> Float[np.ndarray, "part product"]:
    windows, products, number = values.shape
    whole = number // days
    parts = values[:, :, : whole * days].reshape(windows, products, whole, days).sum(axis=3)
    return parts.transpose(0, 2, 1).reshape(windows * whole, products)


def measure_joint(past: Past, target: Float[np.ndarray, "product day"], is_open: Bool[np.ndarray, " day"]) -> Joint:
    """Measure what is shared, on past horizons and in the whole history before the one that counts.

    Parameters
    ----------
    target, is_open
        What was sold of the same products on every day before the origin, and whether the shop was open.
    """
    days = past.said.shape[2]
    long, week = (_blend(past, target, is_open, min(length, days)) for length in (days, 7))
    weeks = max(days / 7, 1.0)
    weekly = max(week - long, 0.0) / (1 - 1 / weeks) if weeks > 1 else 0.0
    day = _pairs(*past.sums(1)).mean() if len(past.said) else 0.0
    lasting = max(long - weekly / weeks, 0.0)
    daily = min(max(float(day) - lasting - weekly, 0.0), LARGEST)
    return Joint(min(lasting, LARGEST), min(weekly, LARGEST), daily, _category(past, min(14, days)))


def _blend(past: Past, target: np.ndarray, is_open: np.ndarray, days: int) -> float:
    usual = _usual(target, is_open, days)
    if not len(past.said):
        return usual
    seen, number = max(float(_pairs(*past.sums(days)).mean()), 0.0), len(past.said)
    return (number * seen + PRIOR_WINDOWS * usual) / (number + PRIOR_WINDOWS)


def _pairs(said: Float[np.ndarray, "part product"], sold: Float[np.ndarray, "part product"]) -> np.ndarray:
    """Estimate the shared variance in each part; it may come out below zero."""
    miss = sold - said
    over = miss.sum(axis=1) ** 2 - (miss**2).sum(axis=1)
    under = said.sum(axis=1) ** 2 - (said**2).sum(axis=1)
    return np.asarray(np.divide(over, under, out=np.zeros_like(over), where=under > 0))


def _usual(target: Float[np.ndarray, "product day"], is_open: Bool[np.ndarray, " day"], days: int) -> float:
    """Estimate it from a simple forecast of every week of the history, by the median of what they show."""
    found = list(_simple_misses(target, is_open, days))
    if len(found) < FEWEST_WINDOWS:
        return USUAL
    return float(np.clip(np.median(found) / MEDIAN_OF_SQUARE, 0.0, LARGEST))


def _simple_misses(target: np.ndarray, is_open: np.ndarray, days: int) -> Iterator[float]:
    upto = np.concatenate([np.zeros((len(target), 1)), np.cumsum(target, axis=1, dtype=np.float64)], axis=1)
    opened = np.concatenate([[0], np.cumsum(is_open)])
    for day in range(FIRST_DAY, target.shape[1] - days + 1, SPACING_DAYS):
        behind, ahead = opened[day] - opened[day - LEVEL_DAYS], opened[day + days] - opened[day]
        if behind < LEVEL_DAYS / 4 or ahead == 0:
            continue
        said = (upto[:, day] - upto[:, day - LEVEL_DAYS]) / behind * ahead
        sold = (upto[:, day + days] - upto[:, day]) * (said > 0)
        yield float(_pairs(said[None], sold[None])[0])


def _category(past: Past, days: int) -> float:
    """Estimate what the products of one category share beyond the shop, over all categories at once."""
    if not len(past.said):
        return USUAL
    said, sold = past.sums(days)
    miss = sold - said
    level = np.divide(sold.sum(axis=1), said.sum(axis=1), out=np.ones(len(said)), where=said.sum(axis=1) > 0)
    miss = sold - said * level[:, None]
    over = under = 0.0
    for group in range(past.group.max(initial=-1) + 1):
        own = past.group == group
        over += float((miss[:, own].sum(axis=1) ** 2 - (miss[:, own] ** 2).sum(axis=1)).sum())
        under += float((said[:, own].sum(axis=1) ** 2 - (said[:, own] ** 2).sum(axis=1)).sum())
    return min(max(over / under, 0.0), LARGEST) if under > 0 else 0.0
