"""Money in currencies whose worth in the shop's own is not known."""

from __future__ import annotations

from collections.abc import Iterator

from client.language.speech import t
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
        t(
            "{sales} ({share:.0%}) are in {named}, whose worth in {currency} is not known.",
            sales=count_of(count, "sale"),
            share=count / total,
            named=named,
            currency=shop.currency,
        ),
        count,
        t("Their units count, their money does not: turnover, prices and what a customer is worth are too low."),
        t(
            "Say in shop.toml, under [rates], what one unit is worth in {currency}: {other} = …",
            currency=shop.currency,
            other=others[0]["currency"],
        ),
        tuple(
            t(
                "{currency}: {n}, {units:,.0f} units",
                currency=row["currency"],
                n=count_of(row["n"], "sale"),
                units=row["units"],
            )
            for row in others[:SHOWN]
        ),
    )
