"""Make a shop ready to answer: read it, and learn it anew only where it changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import pyarrow.compute as pc

from client.decision.recommendation.learned import OnStep, keep, learn, recall
from client.decision.recommendation.past import make_past
from client.decision.recommendation.purchase import Purchases, read_purchases
from client.decision.recommendation.recommender import Recommender
from client.decision.recommendation.shelf import read_shelf
from client.shop.calendar.day_after import day_after
from client.shop.history.history import History
from client.shop.settings import Shop
from common.errors import DataError

HORIZON_DAYS = 28  # in which an offer should come true
DELIVERY_DAYS = 14
YEAR_DAYS = 365


def open_recommender(
    history: History, shop: Shop, *, delivery_days: int = DELIVERY_DAYS, on_step: OnStep = lambda what, share: None
) -> Recommender:
    """Read a shop and what was learned of it; learn it, and keep that in its folder, where the purchases changed.

    Raises
    ------
    DataError
        Nothing was ever sold.
    """
    purchases = read_purchases(history)
    if purchases.last is None:
        raise DataError("Nothing was ever sold, so there is nothing to recommend; import sales first.")
    day = day_after(purchases.last)
    past = make_past(purchases, day)
    learned = recall(history.folder, purchases, day, HORIZON_DAYS)
    if learned is None:
        learned = learn(purchases, past, HORIZON_DAYS, on_step)
        keep(history.folder, learned, purchases, day, HORIZON_DAYS)
    shelf = read_shelf(history, shop, purchases.products, today=day, delivery_days=delivery_days)
    described = history.products()
    names = dict(zip(described["product"].to_pylist(), described["name"].to_pylist(), strict=True))
    return Recommender(purchases, past, learned, shelf, names)


def most_valuable(
    history: History, purchases: Purchases, number: int, *, currency: str, rates: Mapping[str, float]
) -> np.ndarray:
    """Give the places of the customers that spent most in the last year; without amounts, that came most often."""
    last = purchases.last or date.min
    sales = history.ask("SELECT customer, day, amount, currency FROM sales WHERE state = 'sold' AND customer <> ''")
    sales = sales.filter(pc.greater(sales["day"], last - timedelta(YEAR_DAYS)))
    sums = sales.group_by(["customer", "currency"]).aggregate([("amount", "sum"), ("day", "count_distinct")])
    worth = {"": 1.0, currency: 1.0, **rates}
    spent: dict[str, tuple[float, int]] = {}
    for row in sums.to_pylist():
        money, days = spent.get(row["customer"], (0.0, 0))
        money += (row["amount_sum"] or 0.0) * worth.get(row["currency"] or "", 0.0)
        spent[row["customer"]] = (money, days + row["day_count_distinct"])
    place = {customer: number for number, customer in enumerate(purchases.customers)}
    best = sorted((name for name in spent if name in place), key=lambda name: (*(-each for each in spent[name]), name))
    return np.array([place[name] for name in best[:number]], np.int64)
