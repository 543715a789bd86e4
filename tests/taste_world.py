"""Shops of customers with two tastes, whose law is known: tea drinkers buy teas, coffee drinkers coffees."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from client.decision.recommendation.purchase import Purchases, number_of
from client.shop.history.history import History
from client.shop.record import schema_of

START, DAYS = date(2024, 1, 1), 200
EACH = 15  # products of a taste
Row = tuple[str, str, date, str]  # customer, product, day, order


def draw_rows(*, customers: int = 120, seed: int = 0) -> list[Row]:
    """Every customer comes on ten days and buys three of the products of one taste."""
    generator = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        kind = "tea" if customer % 2 else "coffee"
        for visit, day in enumerate(sorted(generator.choice(DAYS, 10, replace=False))):
            for product in generator.choice(EACH, 3, replace=False):
                order = f"{customer}-{visit}"
                rows.append((f"c{customer:03}", f"{kind}{product:02}", START + timedelta(int(day)), order))
    return rows


def make_purchases(rows: Sequence[Row]) -> Purchases:
    """Lay rows out as the history would give them."""
    customers, products, baskets = (sorted({row[place] for row in rows if row[place]}) for place in (0, 1, 3))
    return Purchases(
        tuple(products),
        tuple(customers),
        np.array([products.index(row[1]) for row in rows], np.int64),
        np.array([customers.index(row[0]) if row[0] else -1 for row in rows], np.int64),
        np.array([baskets.index(row[3]) for row in rows], np.int64),
        np.array([number_of(row[2]) for row in rows], np.int64),
    )


def make_shop(folder: Path, rows: Sequence[Row], **kinds: pa.Table) -> Path:
    """Write shop.toml and import what was bought."""
    folder.mkdir(parents=True, exist_ok=True)
    text = 'name = "tea and coffee"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n'
    (folder / "shop.toml").write_text(text, encoding="utf-8")
    said = [
        {
            "row": place,
            "order": order,
            "line": str(place),
            "day": day,
            "product": product,
            "customer": customer,
            "quantity": 1.0,
            "amount": 3.0,
            "currency": "EUR",
            "state": "sold",
        }
        for place, (customer, product, day, order) in enumerate(rows)
    ]
    with History.open(folder).begin("till") as one:
        one.append("sales", pa.Table.from_pylist(said, schema=schema_of("sales")))
        for kind, table in kinds.items():
            one.append(kind, table)  # type: ignore[arg-type]
        one.finish()
    return folder
