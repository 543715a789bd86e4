"""What the products of a shop have in common: how far they miss their means together.

Of two different products the product of their misses is, in the mean, what they share; so over all pairs

    shared = ((Σ miss)² - Σ miss²) / ((Σ mean)² - Σ mean²)

is the variance, as a share of the squared mean, of a factor that is common to all, whatever each does by itself. Within
categories the same tells what the products of one share beyond that.

Four past horizons are few to see it in: all products of a horizon have one weather, and the shares of the methods were
fitted to them. So a simple forecast, the level of the last four weeks, is held against what came in every week of the
whole history too, and counts for more than they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

USUAL = 0.15**2  # of the shared variance, and that of a category, where next to nothing was seen
PRIOR_WINDOWS = 12.0  # past horizons that the whole history is worth
FEWEST_WINDOWS = 8  # of the whole history
LEVEL_DAYS, SPACING_DAYS, FIRST_DAY = 28, 7, 56
WITHIN, SQUARE_WITHIN = 0.8, 1.642  # share of a squared normal variable that lies below: what an interval of 80 % needs
LARGEST = 0.5
FEWEST_TO_TELL = 5  # products, of which one that is out of all proportion can be told

Parts = Float[np.ndarray, "part product"]
Sums = tuple[Float[np.ndarray, " product"], Float[np.ndarray, " product"]]  # of some days: what was said, what came
See = Callable[[Parts, Parts], Float[np.ndarray, " part"]]


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


@dataclass(frozen=True)
class Open:
    """What was sold of the same products on every day before the origin, and whether the shop was open."""

    target: Float[np.ndarray, "product day"]
    is_open: Bool[np.ndarray, " day"]


def measure_joint(past: Past, history: Open) -> Joint:
    """Measure what is shared, on past horizons and in the whole history before the one that counts."""
    days = past.said.shape[2]
    weeks = max(days / 7, 1.0)
    simple = {length: list(_simple(history, length)) for length in {days, min(7, days), min(14, days)}}
    long, week = (_blend(_pairs, _usual, past, simple, min(length, days)) for length in (days, 7))
    weekly = max(week - long, 0.0) / (1 - 1 / weeks) if weeks > 1 else 0.0
    lasting = max(long - weekly / weeks, 0.0)
    day = float(_pairs(*past.sums(1)).mean()) if len(past.said) else 0.0
    daily = min(max(day - lasting - weekly, 0.0), LARGEST)
    groups = [past.group == group for group in range(past.group.max(initial=-1) + 1)]
    of = _blend(lambda said, sold: _within(said, sold, groups), np.mean, past, simple, min(14, days)) if groups else 0.0
    return Joint(min(lasting, LARGEST), min(weekly, LARGEST), daily, min(of, LARGEST))


def _usual(found: Float[np.ndarray, " window"]) -> float:
    """Give the variance of a normal factor whose squares lie as often below what four windows of five show.

    So an interval of 80 % is as wide as it should be, and one Christmas does not decide what is usual in June.
    """
    return float(np.quantile(found, WITHIN)) / SQUARE_WITHIN


def _blend(
    see: See, sum_up: Callable[[np.ndarray], float], past: Past, simple: Mapping[int, Sequence[Sums]], days: int
) -> float:
    """Average what past horizons show and what the whole history does."""
    found = np.array([float(see(said[None], sold[None])[0]) for said, sold in simple[days]])
    usual = float(np.clip(sum_up(np.minimum(found, LARGEST)), 0.0, LARGEST)) if len(found) >= FEWEST_WINDOWS else USUAL
    if not len(past.said):
        return usual
    seen, number = max(float(see(*past.sums(days)).mean()), 0.0), len(past.said)
    return (number * seen + PRIOR_WINDOWS * usual) / (number + PRIOR_WINDOWS)


def _pairs(said: Parts, sold: Parts) -> Float[np.ndarray, " part"]:
    """Estimate the shared variance in each part; it may come out below zero."""
    over, under = _squares(_without_whims(sold - said)), _squares(said)
    return np.asarray(np.divide(over, under, out=np.zeros_like(over), where=under > 0))


def _within(said: Parts, sold: Parts, groups: Sequence[Bool[np.ndarray, " product"]]) -> Float[np.ndarray, " part"]:
    """Estimate in each part what products of one group share beyond what all do."""
    total = said.sum(axis=1)
    level = np.divide(sold.sum(axis=1), total, out=np.ones(len(said)), where=total > 0)
    miss = _without_whims(sold - said * level[:, None])
    over = np.sum([_squares(miss[:, own]) for own in groups], axis=0)
    under = np.sum([_squares(said[:, own] * level[:, None]) for own in groups], axis=0)
    return np.asarray(np.divide(over, under, out=np.zeros_like(over), where=under > 0))


def _without_whims(miss: Parts) -> Parts:
    """Let no product of many miss by more than all others together: what one customer wants is not shared."""
    if miss.shape[1] < FEWEST_TO_TELL:
        return miss
    size = np.abs(miss)
    return np.asarray(np.sign(miss) * np.minimum(size, size.sum(axis=1, keepdims=True) - size))


def _squares(values: Parts) -> Float[np.ndarray, " part"]:
    """Give the sum over all pairs of different products."""
    return np.asarray(values.sum(axis=1) ** 2 - (values**2).sum(axis=1))


def _simple(history: Open, days: int) -> Iterator[Sums]:
    """Forecast the days after every week by the level of the four weeks before, and give that and what came."""
    target, is_open = history.target, history.is_open
    upto = np.concatenate([np.zeros((len(target), 1)), np.cumsum(target, axis=1, dtype=np.float64)], axis=1)
    opened = np.concatenate([[0], np.cumsum(is_open)])
    for day in range(FIRST_DAY, target.shape[1] - days + 1, SPACING_DAYS):
        behind, ahead = opened[day] - opened[day - LEVEL_DAYS], opened[day + days] - opened[day]
        if behind < LEVEL_DAYS / 4 or ahead == 0:
            continue
        said = (upto[:, day] - upto[:, day - LEVEL_DAYS]) / behind * ahead
        yield said, (upto[:, day + days] - upto[:, day]) * (said > 0)
