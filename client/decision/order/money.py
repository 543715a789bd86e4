"""What each product costs and brings: a piece bought, sold, on the shelf for a day, and missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from client.decision.order.told import Told, say_assumed
from client.language.count import count_products
from client.language.speech import t
from client.shop.history.history import History

DAYS_OF_YEAR = 365.0
LEAST_MARGIN = 0.01  # of the cost, which a missing piece costs at least
_PRICES = """
    SELECT product, sum(amount) / sum(quantity) AS price FROM sales
    WHERE state = 'sold' AND quantity > 0 AND amount > 0 AND (currency = '{currency}' OR currency = '')
        AND day > (SELECT max(day) FROM sales) - 182 GROUP BY product
"""


@dataclass(frozen=True)
class Money:
    """In the shop's money; where neither cost nor price is known, `held` and `out` are in prices.

    Attributes
    ----------
    unit_cost, price
        Of a piece; NaN where not known.
    held
        Of a piece on the shelf for a day.
    out
        Of a piece that is missing: as told, else the margin.
    said
        Sentences: what was not known.
    """

    unit_cost: Float[np.ndarray, " product"]
    price: Float[np.ndarray, " product"]
    held: Float[np.ndarray, " product"]
    out: Float[np.ndarray, " product"]
    said: tuple[str, ...]


def find_money(history: History, told: Told) -> Money:
    """Find what each product costs and brings."""
    share, rate = told.shop.order.cost_share, told.shop.order.holding_rate
    price = _prices(history, told)
    cost, known = told.numbers("unit_cost")
    said = tuple(_say_unknown(known, price, share))
    cost = np.where(known, cost, price * share)
    worth = np.where(np.isfinite(cost), cost, share)
    margin = np.where(np.isfinite(price) & np.isfinite(cost), price - cost, worth / share - worth)
    out, out_known = told.numbers("out_cost")
    out = np.where(out_known, out, np.maximum(margin, LEAST_MARGIN * worth))
    return Money(cost, price, worth * rate / DAYS_OF_YEAR, out, said)


def _prices(history: History, told: Told) -> Float[np.ndarray, " product"]:
    asked = history.ask(_PRICES.format(currency=told.shop.currency))
    by_name = dict(zip(asked["product"].to_pylist(), asked["price"].to_pylist(), strict=True))
    return np.array([by_name.get(name, np.nan) for name in told.products], float)


def _say_unknown(known: np.ndarray, price: np.ndarray, share: float) -> list[str]:
    guessed = ~known & np.isfinite(price)
    taken = t("{cost_share:.0%} of the selling price is taken", cost_share=share)
    said = list(say_assumed(guessed, t("unit cost"), taken, "unit_cost or cost_share"))
    neither = int((~known & ~np.isfinite(price)).sum())
    if neither:
        few = count_products(neither)
        said.append(t("Neither cost nor price of {products} is known; their money is left open.", products=few))
    return said
