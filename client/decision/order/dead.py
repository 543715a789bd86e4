"""What will not sell within so many days: what lies there beyond all that is expected to be sold.

An order looks as far ahead as its goods take, dead stock looks months ahead, and paths so long would cost ten times as
much. What a product sells in months is the mean of two views, which err differently:

1. **it goes on** after the days that are forecast as in them, by open days, times its category's season: how much more
   or less that sold on an open day a year before, held near what the whole shop did;
2. **it comes again**: what the product itself sold on the same days a year before, times how the shop has grown since.
   A product that was not there yet, or is sold no longer, has the first alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from jaxtyping import Float, Int

from client.shop.calendar.sold import EPOCH
from client.shop.forecast.category import Categories
from client.shop.forecast.setting import Setting

YEAR_DAYS = 364  # the same weekday a year before
GROWTH_DAYS = 84  # by which the shop is held against itself a year before
PRIOR_PIECES = 50.0  # that the shop's season is worth beside a category's, and an even year beside the shop's


@dataclass(frozen=True)
class Outlasting:
    """How the days after those that are forecast go on, up to as many as dead stock looks ahead.

    Attributes
    ----------
    days
        So many in all.
    open_ahead, open_later
        Open days that are forecast, and of those after them.
    season
        By category, last of what has none: sales of an open day later over those of one that is forecast.
    again
        Product → what comes if the year before comes again; of products that were sold before that year.
    """

    days: int
    open_ahead: int
    open_later: int
    categories: Categories
    season: Float[np.ndarray, " group"]
    again: Mapping[str, float]

    def expect(self, products: Sequence[str], mean: Float[np.ndarray, "product day"]) -> Float[np.ndarray, " product"]:
        """Give what is expected to be sold in all these days; infinite where no day that is forecast is open.

        Parameters
        ----------
        mean
            Of the days that are forecast.
        """
        ahead = mean[:, : self.days].sum(axis=1)
        if self.open_later == 0:
            return ahead
        if self.open_ahead == 0:  # of a shop that is closed for weeks nothing tells how it goes on
            return np.full(len(ahead), np.inf)
        goes_on = ahead * (1.0 + self.open_later / self.open_ahead * self.season[self.categories.groups(products)])
        again = np.array([self.again.get(name, np.nan) for name in products])
        return np.where(np.isnan(again) | (ahead <= 0), goes_on, (goes_on + again) / 2)


@dataclass(frozen=True)
class _Sold:
    """What was sold, by place of product and by day from the forecast's first one a year before on."""

    product: Int[np.ndarray, " row"]
    day: Int[np.ndarray, " row"]
    units: Float[np.ndarray, " row"]
    products: int

    def between(self, first: int, end: int) -> Float[np.ndarray, " product"]:
        """Add up what each product sold from a day to before another."""
        inside = (self.day >= first) & (self.day < end)
        return np.bincount(self.product[inside], self.units[inside], minlength=self.products)


def look_beyond(setting: Setting, days: int) -> Outlasting:
    """Find how the days after the forecast's go on, up to `days` from its first one."""
    horizon, first, sales = setting.plan.model.horizon_days, setting.known.origin, setting.sales
    open_ahead, open_later = _count_open(setting, days, back=0)
    year_before = first - timedelta(days=YEAR_DAYS)
    product = np.arange(len(sales.products)).repeat(np.diff(np.concatenate([[0], sales.ends])))
    sold = _Sold(product, sales.day.astype(np.int64) - (year_before - EPOCH).days, sales.units, len(sales.products))
    group = setting.categories.groups(sales.products)
    if days <= horizon or not len(sold.day) or sold.day.min() > 0:
        season, again = np.ones(len(setting.categories.names) + 1), dict[str, float]()
    else:
        season, again = _find_season(setting, sold, group, days), _find_again(sales.products, sold, days)
    return Outlasting(days, open_ahead, open_later, setting.categories, season, again)


def _count_open(setting: Setting, days: int, *, back: int) -> tuple[int, int]:
    """Count the open days that are forecast and those after them, so many days before."""
    horizon, first = setting.plan.model.horizon_days, setting.known.origin - timedelta(days=back)
    opened = setting.known.kinds.is_open(first, first + timedelta(days=max(days, horizon) - 1))
    return int(opened[:horizon].sum()), int(opened[horizon:].sum())


def _find_season(
    setting: Setting, sold: _Sold, group: Int[np.ndarray, " product"], days: int
) -> Float[np.ndarray, " group"]:
    """Hold the days after as many as the forecast's against those, of a year before."""
    groups, horizon = len(setting.categories.names) + 1, setting.plan.model.horizon_days
    open_ahead, open_later = _count_open(setting, days, back=YEAR_DAYS)
    if open_ahead == 0:
        return np.ones(groups)
    ahead, later = (
        np.bincount(group % groups, sold.between(*part), minlength=groups) for part in ((0, horizon), (horizon, days))
    )
    even = ahead / open_ahead * open_later
    shop = (later.sum() + PRIOR_PIECES) / (even.sum() + PRIOR_PIECES)
    return np.asarray((later + PRIOR_PIECES * shop) / (even + PRIOR_PIECES))


def _find_again(products: Sequence[str], sold: _Sold, days: int) -> dict[str, float]:
    """Give what each product sold on the same days a year before, times the growth of the shop since."""
    lately = sold.between(YEAR_DAYS - GROWTH_DAYS, YEAR_DAYS).sum()
    before = sold.between(-GROWTH_DAYS, 0).sum()
    growth = (lately + PRIOR_PIECES) / (before + PRIOR_PIECES) if sold.day.min() <= -GROWTH_DAYS else 1.0
    pieces, there = sold.between(0, days) * growth, sold.between(-YEAR_DAYS, 0) > 0
    return {products[place]: float(pieces[place]) for place in np.flatnonzero(there).tolist()}
