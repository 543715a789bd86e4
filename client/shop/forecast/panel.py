"""From a shop's sales to a panel: a row per product, a column per day, built in one pass without a loop.

A day is open for a product from its first sale on, where the shop is open. Where the product was out of stock that day,
demand was at least what was sold, and such a day is censored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Bool, Float, Int

from client.shop.calendar.sold import EPOCH
from client.shop.forecast.sales import Sales
from common.data.panel import Panel


@dataclass(frozen=True)
class Days:
    """The days of a shop from the first of its history to the last of the horizon.

    Attributes
    ----------
    origin
        Index of the first day that is forecast.
    closed
        On which nothing can be sold, the same for all products.
    names, known
        What is known ahead of each day, the same for all products.
    """

    start: date
    origin: int
    closed: Bool[np.ndarray, " day"]
    names: tuple[str, ...]
    known: Float[np.ndarray, "day covariate"]

    @property
    def number(self) -> int:
        """Days of the span."""
        return len(self.closed)


def build_panel(
    sales: Sales,
    chosen: Int[np.ndarray, " product"],
    days: Days,
    *,
    is_out: Bool[np.ndarray, "product day"] | None = None,
    own: Float[np.ndarray, "product day covariate"] | None = None,
    own_names: tuple[str, ...] = (),
) -> Panel:
    """Lay the history of some products out by day; what lies after the origin is not looked at.

    Parameters
    ----------
    chosen
        Places of the products among the sales'.
    is_out
        When each was out of stock; as the sales say if left out.
    own, own_names
        What is known ahead of each product by itself, as its price.
    """
    rows, place = sales.rows_of(chosen)
    day = sales.day[rows].astype(np.int64) - (days.start - EPOCH).days
    there = (day >= 0) & (day < days.origin)
    rows, place, day = rows[there], place[there], day[there]
    shape = (len(chosen), days.number)
    target = np.zeros(shape, np.float32)
    target[place, day] = sales.units[rows]
    if is_out is None:
        is_out = np.zeros(shape, bool)
        is_out[place, day] = sales.out[rows]
    first_day = np.full(len(chosen), days.number)
    sold = sales.units[rows] > 0
    np.minimum.at(first_day, place[sold], day[sold])
    day_now = np.arange(days.number)
    is_open = ~days.closed & (day_now >= first_day[:, None])
    shared = np.broadcast_to(days.known.astype(np.float32), (len(chosen), *days.known.shape))
    return Panel(
        start=days.start,
        channels=(),
        covariates=(*days.names, *own_names),
        entities=np.array(sales.products, dtype=object)[chosen],
        merchants=np.full(len(chosen), "shop", dtype=object),
        target=target * is_open,
        observed=np.zeros((*shape, 0), np.float32),
        known=shared if own is None else np.concatenate([shared, own.astype(np.float32)], axis=2),
        static=np.zeros((len(chosen), 0), np.float32),
        open=is_open,
        first_day=first_day,
        censored=is_out & is_open & (day_now < days.origin),
    )
