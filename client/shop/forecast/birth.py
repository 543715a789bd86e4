"""Serve products of few days by their own days and by how others sold in the same days after their first sale.

A product that came last week has told little of itself, but its category has brought out others before. From them:

1. **the curve**: pieces an open day by age since the first sale, of all products that the shop brought out in the year
   before; the first day stands alone, since nobody is born without a sale;
2. **the category**: how much more or less its births sold than that, held near the shop's by `PRIOR_CATEGORY_BIRTHS`;
3. **the product**: a gamma prior at the category's curve, worth `PRIOR_SALES` sales of usual size, and its own days as
   Poisson pieces on it. So a product of one day stands where its category does, and one of four weeks by itself.

What follows from it has a share in what is served that falls with what the own days can carry; `SHARES` were chosen on
origins of a real shop that are earlier than those it was judged on. Every origin has its own curve, of days before it.

References
----------
Bühlmann & Gisler, "A Course in Credibility Theory and its Applications", 2005, ch. 2 (gamma-Poisson) and ch. 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from client.shop.calendar.sold import EPOCH
from client.shop.forecast.category import Categories
from client.shop.forecast.life import State
from client.shop.forecast.panel import Days
from client.shop.forecast.sales import Sales
from common.data.panel import Panel

AGES = np.array([0, 1, 7, 14, 21, 28, 56, 84])  # first ages, in days, of the parts of the curve
SETTLED_DAYS, WINDOW_DAYS = 28, 364  # after the shop's first sale nobody tells births from old products; older is past
FEWEST_BIRTHS = 5
PRIOR_CATEGORY_BIRTHS = 3.0  # that the shop's curve is worth beside those of a category
PRIOR_BIRTHS = 10.0  # that what is served otherwise is worth beside those of a shop
PRIOR_SALES = 2.0  # of usual size
SHARES: Mapping[State, float] = {"newborn": 1.0, "new": 0.5, "rare": 0.5}
YOUNG_DAYS = 84  # a rare product that is older stands for itself
TOP = 0.99  # of births: what exceeds it is one order's whim
BLOCK_DAYS = 7


@dataclass(frozen=True)
class Curve:
    """How products of a shop sold after their first sale, as known on one day.

    Attributes
    ----------
    rate, top
        Pieces an open day by part of `AGES`: on average, and at most of one product.
    ratio
        Of each category's births to that.
    sale
        Pieces of a usual sale.
    births
        Their number.
    """

    rate: Float[np.ndarray, " part"]
    top: Float[np.ndarray, " part"]
    ratio: Float[np.ndarray, " category"]
    sale: float
    births: int


@dataclass(frozen=True)
class Births:
    """The curve of each origin, None where too little was born before it."""

    categories: Categories
    curves: tuple[Curve | None, ...]


def find_births(sales: Sales, days: Days, first_sale: int, origins: Sequence[int], categories: Categories) -> Births:
    """Find the curve that was known at each origin."""
    group = categories.groups(sales.products)
    found = [_find_curve(sales, days, first_sale, day, group, len(categories.names)) for day in origins]
    return Births(categories, tuple(found))


def _find_curve(
    sales: Sales, days: Days, first_sale: int, until: int, group: Int[np.ndarray, " product"], num_groups: int
) -> Curve | None:
    number = len(sales.products)
    place = np.repeat(np.arange(number), np.diff(np.concatenate([[0], sales.ends])))
    day = sales.day.astype(np.int64) - (days.start - EPOCH).days
    sold = (day < until) & (sales.units > 0)
    place, day, units = place[sold], day[sold], sales.units[sold].astype(np.float64)
    first = np.full(number, until)
    np.minimum.at(first, place, day)
    born = (first >= max(first_sale + SETTLED_DAYS, until - WINDOW_DAYS)) & (first < until)
    if born.sum() < FEWEST_BIRTHS:
        return None
    own = born[place]
    place, day, units = (np.cumsum(born) - 1)[place[own]], day[own], units[own]
    first, group = first[born], group[born]
    pieces = np.zeros((len(first), len(AGES)))
    np.add.at(pieces, (place, _part(day - first[place])), units)
    lived = _open_days(first, days.closed[:until])
    rate, top = _rates(pieces, lived)
    pieces = np.minimum(pieces, top * lived)
    sale = float(np.minimum(units, np.quantile(units, TOP)).mean())
    return Curve(rate, top, _ratios(pieces.sum(axis=1), lived @ rate, group, num_groups, sale), sale, len(first))


def _part(age: np.ndarray) -> np.ndarray:
    return np.searchsorted(AGES, age, side="right") - 1


def _open_days(
    first: Int[np.ndarray, " product"], closed: Bool[np.ndarray, " day"]
) -> Float[np.ndarray, "product part"]:
    """Count the open days that each product lived in each part of the curve."""
    until = len(closed)
    before = np.concatenate([[0], np.cumsum(~closed)])
    edges = np.append(first[:, None] + AGES, np.full((len(first), 1), until), axis=1)
    return np.diff(before[np.minimum(edges, until)], axis=1).astype(np.float64)


def _rates(
    pieces: Float[np.ndarray, "product part"], lived: Float[np.ndarray, "product part"]
) -> tuple[Float[np.ndarray, " part"], Float[np.ndarray, " part"]]:
    """Give the curve and the most of one product; a part that nobody has reached goes on as the one before."""
    rate, top = np.zeros(len(AGES)), np.zeros(len(AGES))
    for part in range(len(AGES)):
        there = lived[:, part] > 0
        if not there.any():
            rate[part], top[part] = rate[max(part - 1, 0)], top[max(part - 1, 0)]
            continue
        own, open_days = pieces[there, part], lived[there, part]
        top[part] = np.quantile(own / open_days, TOP)
        rate[part] = np.minimum(own, top[part] * open_days).sum() / open_days.sum()
    return rate, top


def _ratios(
    pieces: Float[np.ndarray, " product"],
    usual: Float[np.ndarray, " product"],
    group: np.ndarray,
    number: int,
    sale: float,
) -> Float[np.ndarray, " category"]:
    """Give each category's ratio, held near 1 on the scale of logarithms, so that quiet ones are as near theirs."""
    of = group >= 0
    births = np.bincount(group[of], minlength=number)
    sold = np.bincount(group[of], pieces[of], minlength=number) + sale
    expected = np.bincount(group[of], usual[of], minlength=number) + sale
    ratio: np.ndarray = (sold / expected) ** (births / (births + PRIOR_CATEGORY_BIRTHS))
    return ratio


def borrow(
    mean: Float[np.ndarray, "product day"],
    panel: Panel,
    states: Sequence[State],
    origin: int,
    births: Births,
    curve: Curve | None,
) -> Float[np.ndarray, "product day"]:
    """Move the means of products of few days towards what the curve and their own days say, week by week.

    Parameters
    ----------
    mean
        Of the days from the origin on.
    curve
        Of that origin.
    """
    share = np.array([SHARES.get(state, 0.0) for state in states])
    share[(np.array(states) == "rare") & (origin - panel.first_day >= YOUNG_DAYS)] = 0.0
    some = np.flatnonzero(share > 0)
    if curve is None or len(some) == 0:
        return mean
    share = share[some, None] * curve.births / (curve.births + PRIOR_BIRTHS)
    said = _foretell(curve, panel.select(some), births.categories, origin, mean.shape[1])
    moved: np.ndarray = mean.copy()
    moved[some] = (1 - share) * mean[some] + share * _in_rhythm(said, mean[some])
    return moved


def _foretell(
    curve: Curve, panel: Panel, categories: Categories, origin: int, horizon: int
) -> Float[np.ndarray, "product day"]:
    """Give the mean of each open day, by the curve, the category and the own days of the product."""
    group = categories.groups(panel.entities)
    ratio = np.where(group >= 0, np.append(curve.ratio, 1.0)[group], 1.0)
    seen = (panel.open & ~panel.censored)[:, : origin + horizon]
    part = _part(np.maximum(np.arange(origin + horizon) - panel.first_day[:, None], 0))
    usual = ratio[:, None] * curve.rate[part] * seen
    sold = _at_most(panel.target[:, :origin] * seen[:, :origin], seen[:, :origin], part[:, :origin], curve.top)
    prior = PRIOR_SALES * curve.sale
    level = (prior + sold) / (prior + usual[:, :origin].sum(axis=1))
    ahead: np.ndarray = level[:, None] * usual[:, origin:]
    return ahead


def _at_most(target: np.ndarray, seen: np.ndarray, part: np.ndarray, top: np.ndarray) -> Float[np.ndarray, " product"]:
    """Add up what was sold, of each part of the curve no more than births have."""
    total = np.zeros(len(target))
    for place, most in enumerate(top):
        own = part == place
        total += np.minimum((target * own).sum(axis=1), most * (seen & own).sum(axis=1))
    return total


def _in_rhythm(
    said: Float[np.ndarray, "product day"], mean: Float[np.ndarray, "product day"]
) -> Float[np.ndarray, "product day"]:
    """Spread each week's sum over its days as the means do, where they say anything."""
    weeks = np.arange(said.shape[1]) // BLOCK_DAYS
    starts = np.flatnonzero(np.diff(weeks, prepend=-1))
    total, shape = (np.add.reduceat(values, starts, axis=1)[:, weeks] for values in (said, mean))
    spread: np.ndarray = np.where(shape > 0, mean * total / np.where(shape > 0, shape, 1.0), said)
    return spread
