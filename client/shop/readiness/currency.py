"""Money in currencies whose worth in the shop's own is not known."""

from __future__ import annotations

from collections.abc import Iterator

from client.shop.readiness.problem import SHOWN, Ask, Problem, count_of
from client.shop.settings import Shop

BY_CURRENCY = """
SELECT currency, count(*) AS n, sum(quantity) AS units FROM sales
WHERE state = 'sold' AND currency <> '' GROUP BY currency ORDER BY n DESC, currency
"""


def find_currencies(ask: Ask, shop: Shop) -> Iterator[Problem]:
    """Look for sales in another currency than the shop's without a rate."""
    rows = ask(BY_CURRENCY).to_pylist()
    total = sum(row["n"] for row in rows)
    others = [row for row in rows if row["currency"] != shop.currency and row["currency"] not in shop.rates]
    if not others:
        return
    count = sum(row["n"] for row in others)
    named = ", ".join(row["currency"] for row in others[:SHOWN])
    yield Problem(
        "warning",
        "currencies",
        f"{count_of(count, 'sale')} ({count / total:.0%}) are in {named}, whose worth in {shop.currency} is not known.",
        count,
        "Their units count, their money does not: turnover, prices and what a customer is worth are too low.",
        f"Say in shop.toml, under [rates], what one unit is worth in {shop.currency}: {others[0]['currency']} = …",
        tuple(f"{row['currency']}: {count_of(row['n'], 'sale')}, {row['units']:,.0f} units" for row in others[:SHOWN]),
    )
