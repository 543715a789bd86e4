"""Where a product stands in its life on the day of the forecast: what its own past can carry."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool

from client.language.speech import mark
from client.shop.calendar.life import Days, find_gone
from common.data.panel import Panel

State = Literal["sold", "newborn", "new", "rare", "gone", "never sold"]
NEWBORN_DAYS, NEW_DAYS, RARE_DAYS = 8, 28, 2  # younger is new; so few days with a sale are rare
SAY: dict[State, str] = {
    "sold": "",
    "newborn": mark("new: first sold in the week before"),
    "new": mark("new: first sold in the four weeks before"),
    "rare": mark("sold on one or two days only"),
    "gone": mark("not sold for long against its own rhythm: taken as discontinued, and forecast zero"),
    "never sold": mark("not sold before this day: nothing to forecast from"),
}


def tell_states(panel: Panel, origin: int, first_sale: int) -> list[State]:
    """Tell the state of each product from its own days before the origin.

    Parameters
    ----------
    first_sale
        Of the whole shop: a product of its first days may be as old as you like.
    """
    sold = (panel.target[:, :origin] > 0) & panel.open[:, :origin]
    count = sold.sum(axis=1)
    gone = _is_gone(panel, sold)
    came = panel.first_day >= first_sale + NEWBORN_DAYS
    age = origin - panel.first_day
    conditions = [count == 0, gone, came & (age < NEWBORN_DAYS), count <= RARE_DAYS, came & (age < NEW_DAYS)]
    names: list[State] = ["never sold", "gone", "newborn", "rare", "new"]
    return [str(state) for state in np.select(conditions, names, "sold")]  # type: ignore[misc]


def _is_gone(panel: Panel, sold: Bool[np.ndarray, "product day"]) -> Bool[np.ndarray, " product"]:
    """Ask the law of the shop's calendar, on the days before the origin."""
    origin = sold.shape[1]
    product, day = np.nonzero(sold)
    out_product, out_day = np.nonzero(panel.censored[:, :origin] & ~sold)
    is_open = np.asarray(panel.open[:, :origin].any(axis=0))
    return find_gone(Days(len(sold), product, day, out_product, out_day), is_open)
