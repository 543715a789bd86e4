"""What is there and what is on its way, as stock counts and lists of orders tell it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Terms
from client.language.count import count_lines, count_products
from client.language.speech import t
from client.shop.history.history import History

STALE_DAYS = 8  # after which the age of a count is said
_STOCK = """
    SELECT product, last(day ORDER BY day) AS day, last(on_hand ORDER BY day) AS on_hand
    FROM stock WHERE product <> '' AND on_hand IS NOT NULL AND day IS NOT NULL GROUP BY product
"""


def count_shelf(history: History, products: Sequence[str], first: date) -> tuple[np.ndarray, tuple[str, ...]]:
    """Give what is on hand as the first day begins, the newest count less what was sold since; and what to say."""
    counted = history.ask(_STOCK).to_pylist()
    hand = {row["product"]: float(row["on_hand"]) for row in counted}
    sold = history.ask(
        f"SELECT product, sum(quantity) AS sold FROM sales JOIN ({_STOCK}) counted USING (product) "  # noqa: S608
        f"WHERE state = 'sold' AND sales.day > counted.day AND sales.day < DATE '{first}' GROUP BY product"
    ).to_pylist()
    since = {row["product"]: float(row["sold"] or 0.0) for row in sold}
    on_hand = np.array([max(hand[name] - since.get(name, 0.0), 0.0) if name in hand else np.nan for name in products])
    day = {row["product"]: row["day"] for row in counted}
    ages = [(first - day[name]).days for name in products if name in day]
    return on_hand, (*_say_unknown(on_hand), *_say_stale(ages))


def _say_unknown(on_hand: np.ndarray) -> list[str]:
    unknown = np.isnan(on_hand)
    if unknown.all():
        return [t("Nothing tells how many there are of anything; the list says up to how many to fill up.")]
    if not unknown.any():
        return []
    few = count_products(int(unknown.sum()))
    return [t("Nothing tells how many there are of {products}; the list says up to how many to fill up.", products=few)]


def _say_stale(ages: Sequence[int]) -> list[str]:
    if not ages or max(ages) <= STALE_DAYS:
        return []
    return [
        t(
            "The oldest count of what is there is {ages} days old; what was sold since is taken off, "
            "what came since is not known.",
            ages=max(ages),
        )
    ]


def find_on_order(
    history: History, products: Sequence[str], terms: Terms, first: date
) -> tuple[OnOrder, tuple[str, ...]]:
    """Give what has not come yet, and what to say of it."""
    rows = _open_lines(history, products)
    elapsed = [_elapsed(row, terms.lead[place], first) for place, row in rows]
    order = sorted(range(len(rows)), key=lambda number: (rows[number][0], -elapsed[number]))
    place = np.array([rows[number][0] for number in order], int)
    late = sum(1 for _, row in rows if row["expected_day"] is not None and row["expected_day"] < first)
    said = t(
        "{lines} on order should have come by now, and will soon, it is reckoned. Take out what has come.",
        lines=count_lines(late),
    )
    return (
        OnOrder(
            product=place,
            quantity=np.array([rows[number][1]["quantity"] for number in order], float),
            mean=terms.lead[place],
            spread=terms.lead_spread[place],
            elapsed=np.array([elapsed[number] for number in order], int),
        ),
        (said,) * (late > 0),
    )


def _open_lines(history: History, products: Sequence[str]) -> list[tuple[int, dict[str, Any]]]:
    """Give the lines that have not come, by place of product; of an order's product the newest list counts."""
    places = {name: place for place, name in enumerate(products)}
    rows = [
        (places[row["product"]], row)
        for row in history.records("on_order").to_pylist()
        if row["arrived_day"] is None and row["product"] in places and row["quantity"]
    ]
    latest: dict[tuple[str, str], Any] = {}
    for _, row in rows:
        if row["updated"] is not None:
            key = (row["order"], row["product"])
            latest[key] = max(latest.get(key, row["updated"]), row["updated"])
    return [each for each in rows if each[1]["updated"] == latest.get((each[1]["order"], each[1]["product"]))]


def _elapsed(row: dict[str, date | None], lead: float, first: date) -> int:
    """Tell how many days ago it was ordered, or would have been to come on the day that the supplier named."""
    if row["expected_day"] is not None:
        return round(lead) - (row["expected_day"] - first).days
    return (first - row["ordered_day"]).days if row["ordered_day"] is not None else 0
