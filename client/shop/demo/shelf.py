"""The demo shop's shelves: what is wanted is sold while there is any, and ordered anew once a week, not very well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from client.shop.demo.good import GOODS, NEW, NEW_DAYS
from client.shop.demo.law import Law

FIRST_WEEKS, LOOKED_BACK_DAYS, COVER = 5.0, 28, 1.5  # weeks in stock at first; days that orders are made by


@dataclass(frozen=True)
class Delivery:
    """So many of a product, ordered on a day and there on another."""

    product: int
    ordered: int
    arrives: int
    expected: int
    quantity: int


@dataclass(frozen=True)
class Shelf:
    """What was sold and what was left; deliveries that arrive after the history are on order.

    Attributes
    ----------
    wanted
        The truth that a shop never sees on a day on which it ran out.
    on_hand
        At the end of each day.
    """

    wanted: Int[np.ndarray, "product day"]
    sold: Int[np.ndarray, "product day"]
    on_hand: Int[np.ndarray, "product day"]
    deliveries: tuple[Delivery, ...]


def run_shelf(law: Law, generator: np.random.Generator) -> Shelf:
    """Draw what is wanted and go through the days."""
    wanted = generator.poisson(law.mean[:, : law.days])
    sold, on_hand = np.zeros_like(wanted), np.zeros_like(wanted)
    arriving = np.zeros((len(GOODS), law.days + 200), dtype=wanted.dtype)
    now = _first_stock(law)
    deliveries = list[Delivery]()
    for day in range(law.days):
        now = now + arriving[:, day]
        sold[:, day] = np.minimum(wanted[:, day], now)
        now = now - sold[:, day]
        on_hand[:, day] = now
        if law.day(day).weekday() == 0 and day >= LOOKED_BACK_DAYS:
            made = list(_order(law, sold, day, now + arriving[:, day + 1 :].sum(axis=1), generator))
            for each in made:
                arriving[each.product, each.arrives] += each.quantity
            deliveries += made
    return Shelf(wanted, sold, on_hand, tuple(deliveries))


def _first_stock(law: Law) -> Int[np.ndarray, " product"]:
    """Fill every shelf; the new product's delivery comes with its first day."""
    weeks = [FIRST_WEEKS + good.supplier.lead_days / 7 for good in GOODS]
    stock = np.ceil(np.array([good.a_day * 7 for good in GOODS]) * weeks).astype(np.int64)
    new = next(place for place, good in enumerate(GOODS) if good.code == NEW)
    stock[new] = int(np.ceil(law.mean[new, law.days - NEW_DAYS : law.days].sum() * 1.5))
    return stock


def _order(
    law: Law,
    sold: Int[np.ndarray, "product day"],
    day: int,
    position: Int[np.ndarray, " product"],
    generator: np.random.Generator,
) -> list[Delivery]:
    """Order what the last four weeks would need until the delivery after the next, in packs."""
    a_day = sold[:, day - LOOKED_BACK_DAYS : day + 1].mean(axis=1)
    made = []
    for place, good in enumerate(GOODS):
        if good.code == NEW and day < law.days - NEW_DAYS:
            continue
        supplier = good.supplier
        missing = COVER * a_day[place] * (supplier.lead_days + 7) + 1 - position[place]
        if missing < 0.5 * a_day[place] * 7 or a_day[place] == 0:
            continue
        pieces = max(int(np.ceil(missing / good.pack)) * good.pack, supplier.least_pieces)
        lead = max(1, round(float(generator.normal(supplier.lead_days, supplier.lead_spread_days))))
        made.append(Delivery(place, day, day + lead, day + supplier.lead_days, pieces))
    return made
