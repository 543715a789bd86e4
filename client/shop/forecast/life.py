"""Where a product stands in its life on the day of the forecast: what its own past can carry."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

from common.data.panel import Panel

State = Literal["sold", "newborn", "new", "rare", "gone", "never sold"]
NEWBORN_DAYS, NEW_DAYS, RARE_DAYS = 8, 28, 2  # younger is new; so few days with a sale are rare
GONE_DAYS, GONE_CHANCE = 56, 1e-4  # silent for so long, and less probable than that by its own rhythm
YEAR_DAYS, SEASON_DAYS = 364, 21  # a product of the season is silent for most of the year
SAY: dict[State, str] = {
    "sold": "",
    "newborn": "new: first sold in the week before",
    "new": "new: first sold in the four weeks before",
    "rare": "sold on one or two days only",
    "gone": "not sold for long against its own rhythm: taken as discontinued, and forecast zero",
    "never sold": "not sold before this day: nothing to forecast from",
}


def tell_states(panel: Panel, origin: int, horizon: int, first_sale: int) -> list[State]:
    """Tell the state of each product from its own days before the origin.

    Parameters
    ----------
    first_sale
        Of the whole shop: a product of its first days may be as old as you like.
    """
    sold = (panel.target[:, :origin] > 0) & panel.open[:, :origin]
    count = sold.sum(axis=1)
    last = np.where(sold, np.arange(origin), -1).max(axis=1, initial=-1)
    gone = _is_gone(panel, sold, last) & ~_has_season(sold, origin, horizon)
    came = panel.first_day >= first_sale + NEWBORN_DAYS
    age = origin - panel.first_day
    conditions = [count == 0, gone, came & (age < NEWBORN_DAYS), count <= RARE_DAYS, came & (age < NEW_DAYS)]
    names: list[State] = ["never sold", "gone", "newborn", "rare", "new"]
    return [str(state) for state in np.select(conditions, names, "sold")]  # type: ignore[misc]


def _is_gone(panel: Panel, sold: Bool[np.ndarray, "product day"], last: Int[np.ndarray, " product"]) -> np.ndarray:
    """Whether the open days since the last sale are more than chance leaves, had it gone on as before.

    The rate has one more day without a sale than was seen, so that a product of one day is never certain to go on.
    """
    origin = sold.shape[1]
    day, is_open = np.arange(origin), panel.open[:, :origin]
    silent = (is_open & (day > last[:, None])).sum(axis=1)
    lived = (is_open & (day <= last[:, None])).sum(axis=1)
    rate = np.minimum(sold.sum(axis=1) / (lived + GONE_DAYS / 2), 0.999)
    return (last >= 0) & (silent >= GONE_DAYS) & (silent * np.log1p(-rate) < np.log(GONE_CHANCE))


def _has_season(sold: Bool[np.ndarray, "product day"], origin: int, horizon: int) -> np.ndarray:
    """Whether it was sold a year before the horizon, or around it."""
    first = origin - YEAR_DAYS
    season = sold[:, max(first - SEASON_DAYS, 0) : max(min(first + horizon + SEASON_DAYS, origin), 0)]
    return np.asarray(season.any(axis=1))
