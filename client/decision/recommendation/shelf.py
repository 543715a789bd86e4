"""Whether a product can be offered, and how gladly: what is out of stock or gone is not, what is short less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from client.language.speech import mark
from client.shop.calendar.day_kind import find_ended
from client.shop.history.history import History
from client.shop.settings import Shop

OUT, SHORT, USUAL, AMPLE = 0.0, 0.5, 1.0, 1.2  # factors on the odds
DEMAND_DAYS, AMPLE_DAYS = 28, 180
SAY = {
    "out": mark("out of stock"),
    "gone": mark("not sold any more"),
    "short": mark("runs out before the next delivery"),
    "ample": mark("more than enough in stock"),
    "": "",
}
FACTORS = {"out": OUT, "gone": OUT, "short": SHORT, "ample": AMPLE, "": USUAL}


@dataclass(frozen=True)
class Shelf:
    """What stands on the shelf, product by product.

    Attributes
    ----------
    state
        "out", "gone", "short", "ample" or "".
    known
        Whether any stock level is known.
    """

    state: tuple[str, ...]
    known: bool

    @property
    def factor(self) -> Float[np.ndarray, " product"]:
        """What the odds of each product are multiplied by."""
        return np.array([FACTORS[state] for state in self.state])


def read_shelf(history: History, shop: Shop, products: Sequence[str], *, today: date, delivery_days: int) -> Shelf:
    """Read the last stock level of each product up to today, and which are sold no longer.

    Parameters
    ----------
    delivery_days
        Until the next delivery: what lasts shorter, at its pace of the last `DEMAND_DAYS`, is short.
    """
    place = {product: number for number, product in enumerate(products)}
    on_hand, out = np.full(len(products), np.nan), np.zeros(len(products), bool)
    stock = history.ask("SELECT product, day, on_hand, out FROM stock ORDER BY day")  # the last one of a product stays
    for row in stock.filter(pc.less_equal(stock["day"], pa.scalar(today))).to_pylist():
        if row["product"] in place:
            number = place[row["product"]]
            on_hand[number] = np.nan if row["on_hand"] is None else row["on_hand"]
            out[number] = bool(row["out"]) or on_hand[number] <= 0
    states = tell_states(on_hand, out, _daily_demand(history, place, today), delivery_days)
    gone = find_ended(history, shop)
    state = tuple(
        "gone" if name in gone and said != "ample" else said for name, said in zip(products, states, strict=True)
    )
    return Shelf(state, stock.num_rows > 0)


def tell_states(on_hand: np.ndarray, out: np.ndarray, demand: np.ndarray, delivery_days: int) -> list[str]:
    """Tell the state of each product from what is there (NaN where unknown) and what sells a day."""
    with np.errstate(invalid="ignore"):
        conditions = [out, on_hand < demand * delivery_days, (on_hand > demand * AMPLE_DAYS) & (demand > 0)]
    return [str(state) for state in np.select(conditions, ["out", "short", "ample"], "")]


def _daily_demand(history: History, place: dict[str, int], today: date) -> np.ndarray:
    found = np.zeros(len(place))
    first = today - timedelta(DEMAND_DAYS)
    units = history.ask("SELECT product, day, quantity FROM sales WHERE state = 'sold' AND quantity > 0")
    inside = pc.and_(pc.greater_equal(units["day"], pa.scalar(first)), pc.less_equal(units["day"], pa.scalar(today)))
    for row in units.filter(inside).group_by("product").aggregate([("quantity", "sum")]).to_pylist():
        if row["product"] in place:
            found[place[row["product"]]] = row["quantity_sum"] / DEMAND_DAYS
    return found
