"""What will not sell within so many days: what lies there beyond all that is expected to be sold.

An order looks as far ahead as its goods take, dead stock looks months ahead, and paths so long would cost ten times as
much. After the days that are forecast each product is taken to go on as in them, by open days, times its season: how
much more or less its category sold on an open day a year before, held near what the whole shop did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from jaxtyping import Float

from client.shop.calendar.sold import EPOCH
from client.shop.forecast.category import Categories
from client.shop.forecast.setting import Setting

YEAR = timedelta(days=364)  # the same weekday a year before
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
    """

    days: int
    open_ahead: int
    open_later: int
    categories: Categories
    season: Float[np.ndarray, " group"]

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
        later = self.open_later / self.open_ahead * self.season[self.categories.groups(products)]
        return np.asarray(ahead * (1.0 + later))


def look_beyond(setting: Setting, days: int) -> Outlasting:
    """Find how the days after the forecast's go on, up to `days` from its first one."""
    horizon, first = setting.plan.model.horizon_days, setting.known.origin
    opened = setting.known.kinds.is_open(first, first + timedelta(days=max(days, horizon) - 1))
    return Outlasting(
        days,
        int(opened[:horizon].sum()),
        int(opened[horizon:].sum()),
        setting.categories,
        _find_season(setting, days),
    )


def _find_season(setting: Setting, days: int) -> Float[np.ndarray, " group"]:
    """Hold the days after as many as the forecast's against those, of a year before; 1 where there is no such year."""
    horizon, first, sales = setting.plan.model.horizon_days, setting.known.origin - YEAR, setting.sales
    groups = len(setting.categories.names) + 1
    day = sales.day.astype(np.int64) - (first - EPOCH).days
    if days <= horizon or not len(day) or day.min() > 0:
        return np.ones(groups)
    opened = setting.known.kinds.is_open(first, first + timedelta(days=days - 1))
    open_ahead, open_later = opened[:horizon].sum(), opened[horizon:].sum()
    if open_ahead == 0 or open_later == 0:
        return np.ones(groups)
    group = setting.categories.groups(sales.products).repeat(np.diff(np.concatenate([[0], sales.ends]))) % groups
    ahead, later = (
        np.bincount(group[inside], sales.units[inside], minlength=groups)
        for inside in ((day >= 0) & (day < horizon), (day >= horizon) & (day < days))
    )
    even = ahead / open_ahead * open_later
    shop = (later.sum() + PRIOR_PIECES) / (even.sum() + PRIOR_PIECES)
    return np.asarray((later + PRIOR_PIECES * shop) / (even + PRIOR_PIECES))
