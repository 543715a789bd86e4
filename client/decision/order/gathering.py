"""From a shop's history and shop.toml to the terms, the shelf and the orders on their way of every product.

A product's own terms count first, then its supplier's, then `[order]`; where nothing says anything a careful default
is used, and said once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from jaxtyping import Float

from client.decision.order.money import Money, find_money
from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Terms
from client.decision.order.stock import count_shelf, find_on_order
from client.decision.order.supply import Leads, OrderDays, find_leads, find_order_days
from client.decision.order.told import Told
from client.shop.history.history import History
from client.shop.settings import Shop

LOWEST_LEVEL, HIGHEST_LEVEL = 0.5, 0.999


@dataclass(frozen=True)
class Gathered:
    """What is known of each product before any forecast.

    Attributes
    ----------
    on_hand
        As the first day of the draws begins; NaN where nothing tells of it.
    unit_cost, price
        In the shop's money; NaN where not known.
    order_day
        On which its order goes out.
    assumed
        Sentences: what was not known and what was taken for it.
    """

    products: tuple[str, ...]
    supplier: tuple[str, ...]
    terms: Terms
    on_hand: Float[np.ndarray, " product"]
    orders: OnOrder
    unit_cost: Float[np.ndarray, " product"]
    price: Float[np.ndarray, " product"]
    order_day: tuple[date, ...]
    assumed: tuple[str, ...]


def gather(history: History, shop: Shop, products: Sequence[str], *, first: date, today: date) -> Gathered:
    """Gather what orders are made from.

    Parameters
    ----------
    products
        As the draws name them.
    first
        First day of the draws; sales between the count of a stock and this day are taken off it.
    today
        Orders go out on it or on a later day.
    """
    told = Told(history, shop, products)
    leads, days, money = find_leads(history, told), find_order_days(told, today), find_money(history, told)
    terms = _make_terms(told, leads, days, money, first)
    on_hand, unknown = count_shelf(history, products, first)
    orders, late = find_on_order(history, products, terms, first)
    return Gathered(
        products=tuple(products),
        supplier=told.suppliers,
        terms=terms,
        on_hand=on_hand,
        orders=orders,
        unit_cost=money.unit_cost,
        price=money.price,
        order_day=days.first,
        assumed=(*leads.said, *days.said, *money.said, *unknown, *late),
    )


def _make_terms(told: Told, leads: Leads, days: OrderDays, money: Money, first: date) -> Terms:
    order = told.shop.order
    line_cost = [order.line_cost if each.line_cost is None else each.line_cost for each in told.sections]
    life, has_life = told.numbers("shelf_life_days")
    between = [(after - day).days for day, after in zip(days.first, days.following, strict=True)]
    return Terms(
        aim="cost" if order.aim == "cost" else order.service,
        waits=order.missing == "waits",
        service_level=np.clip(told.numbers("service_level")[0], LOWEST_LEVEL, HIGHEST_LEVEL),
        lead=leads.mean,
        lead_spread=leads.spread,
        wait=np.array([(day - first).days for day in days.first], int),
        review=np.array(between, int),
        minimum=told.numbers("minimum_quantity")[0],
        pack=told.numbers("pack_size")[0],
        line_cost=np.array(line_cost),
        held=money.held,
        out=money.out,
        shelf_life=np.where(has_life, life, np.inf),
    )
