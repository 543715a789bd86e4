"""The history of an invented shop, as if its sources had been imported."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from client.shop.history.history import History
from client.shop.invented.invention import Size, invent_shop
from client.shop.invented.shop import InventedShop
from client.shop.record import Kind, schema_of
from client.shop.settings import Shop


@pytest.fixture(scope="session")
def invented() -> InventedShop:
    return invent_shop(5, Size(date(2024, 1, 1), date(2024, 5, 31), num_products=8, num_people=12, orders_a_day=3.0))


@pytest.fixture
def shop() -> Shop:
    return Shop(name="Tee & mehr", time_zone="Europe/Berlin", currency="EUR", rates={"CHF": 1.05})


def rows_of(kind: Kind, rows: Sequence[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist([{"row": place, **row} for place, row in enumerate(rows)], schema=schema_of(kind))


@pytest.fixture
def history(tmp_path: Path, invented: InventedShop) -> History:
    sales = [
        {
            "order": str(order.number),
            "line": str(place),
            "day": order.at.date(),
            "second": 0,
            "product": line.product.code,
            "customer": order.person.email,
            "quantity": float(line.quantity),
            "amount": line.amount,
            "currency": order.currency,
            "state": order.state,
        }
        for order in invented.orders
        for place, line in enumerate(order.lines)
    ]
    history = History.open(tmp_path)
    with history.begin("orders") as importing:
        importing.append("sales", rows_of("sales", sales))
        importing.finish()
    return history


@pytest.fixture
def with_offers(history: History, invented: InventedShop) -> History:
    offers = [
        {"first_day": each.first_day, "last_day": each.last_day, "product": each.code, "category": "", "name": "offer"}
        for each in invented.promotions
    ]
    views = [{"day": day, "product": code, "quantity": float(count)} for (code, day), count in invented.views.items()]
    with history.begin("more") as importing:
        importing.append("promotions", rows_of("promotions", offers))
        importing.append("views", rows_of("views", views))
        importing.finish()
    return history
