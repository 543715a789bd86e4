"""Live through real days with a shelf for each product: review, order, wait, sell.

A day goes so: what was ordered so many days ago arrives, on a review day what is missing to the order-up-to level is
ordered, customers come, and what is left lies there over night. What is missing counts what is on the shelf and on its
way. An order of a review day covers the days from then on until the next review's order has come: review + lead days.

Where there is too little, the sale is lost, or, with `backorders`, the customer waits and is served by what comes next.
Either way what could not be given at once was not served from the shelf.

References
----------
Silver, Pyke & Thomas, "Inventory and Production Management in Supply Chains", 4th edition (2017), section 6.9: (R, S).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Flow:
    """What came of each shelf between one review and the next, called a cycle.

    Leading axes are those of the order-up-to levels that were tried.

    Attributes
    ----------
    held
        Pieces on the shelf, added up over nights.
    wanted, served
        Pieces; served are those that were there at once.
    orders
        Orders placed.
    short
        Whether anything was missing.
    """

    held: Float[np.ndarray, "*try product cycle"]
    wanted: Float[np.ndarray, "product cycle"]
    served: Float[np.ndarray, "*try product cycle"]
    orders: Float[np.ndarray, "*try product cycle"]
    short: Bool[np.ndarray, "*try product cycle"]

    def after(self, cycles: int) -> Flow:
        """Leave the first cycles out, in which the shelves have still to come from full to usual."""
        parts = {name: part[..., cycles:] for name, part in vars(self).items()}
        return Flow(**parts)


def live(
    demand: Float[np.ndarray, "product day"],
    levels: Float[np.ndarray, "*try product review"],
    reviews: Int[np.ndarray, " review"],
    *,
    lead_days: int,
    backorders: bool = False,
    usual: Float[np.ndarray, "*try product"] | None = None,
    cycles_after: int = 1,
) -> Flow:
    """Live from the first review on.

    Parameters
    ----------
    demand
        What was wanted on each day; a day on which the shop is closed wants nothing.
    levels
        Order-up-to level of each product at each review, from what was known before that day.
    reviews
        Days of the reviews, evenly spaced.
    lead_days
        From the morning of an order to the morning on which it is there.
    usual
        What is usually sold between two reviews: then so much is on its way from each of the last reviews, and the
        rest on the shelf, as if one had always ordered so. All is on the shelf if left out.
    cycles_after
        Cycles from the last review on; at the end of the first there is no review any more.
    """
    every = int(reviews[1] - reviews[0])
    last = int(reviews[-1]) + every * cycles_after
    if (np.diff(reviews) != every).any() or last > demand.shape[1]:
        raise ValueError(f"reviews must be evenly spaced and end {every * cycles_after} days before the demand does")
    shelf = levels[..., 0].astype(np.float64)
    coming = np.zeros((lead_days + 1, *shelf.shape))  # by the day of arrival, modulo its length
    if usual is not None:
        shelf = _send(shelf, coming, usual, every=every, lead_days=lead_days, first=int(reviews[0]))
    cycles = len(reviews) + cycles_after - 1
    totals = {name: np.zeros((*shelf.shape, cycles)) for name in ("held", "served", "orders", "short")}
    for day in range(reviews[0], last):
        cycle, since = divmod(day - int(reviews[0]), every)
        if since == 0 and cycle < len(reviews):
            missing = np.maximum(levels[..., cycle] - shelf - coming.sum(axis=0), 0.0)
            coming[(day + lead_days) % (lead_days + 1)] += missing
            totals["orders"][..., cycle] += missing > 0
        slot = day % (lead_days + 1)
        shelf += coming[slot]
        coming[slot] = 0.0
        today = np.broadcast_to(demand[:, day], shelf.shape)
        served = np.minimum(np.maximum(shelf, 0.0), today)
        shelf = shelf - today if backorders else shelf - served
        totals["served"][..., cycle] += served
        totals["held"][..., cycle] += np.maximum(shelf, 0.0)
        totals["short"][..., cycle] += served < today
    wanted = demand[:, int(reviews[0]) : last].reshape(len(demand), cycles, every).sum(axis=2)
    return Flow(wanted=wanted, short=totals.pop("short") > 0, **totals)


def _send(
    shelf: np.ndarray, coming: np.ndarray, usual: np.ndarray, *, every: int, lead_days: int, first: int
) -> np.ndarray:
    """Put on its way what earlier reviews, and the first one, would have ordered; give what is left on the shelf."""
    for days in range(lead_days, 0, -every):
        sent = np.minimum(usual, shelf)
        coming[(first + days) % (lead_days + 1)] += sent
        shelf = shelf - sent
    return shelf
