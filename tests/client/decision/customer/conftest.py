"""Invented shops whose customers' law is known."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from client.decision.customer.purchase import Purchases, make_purchases
from client.shop.history.history import History
from client.shop.record import schema_of

START = date(2023, 1, 2)
World = Callable[..., Purchases]
Bought = tuple[str, date, float]
MakeShop = Callable[..., Path]


def draw_world(
    *,
    customers: int = 2000,
    days: int = 500,
    shape: float = 0.8,
    scale: float = 50.0,
    leave: float = 0.3,
    stay: float = 2.0,
    seed: int = 1,
    regular: int = 1,
    spend: float = 50.0,
) -> Purchases:
    """Draw a BG/NBD world; with `leave` 0 nobody ever leaves, and `regular` k makes gaps Erlang of that order.

    As the model has it, nobody leaves after the first purchase.
    """
    generator = np.random.default_rng(seed)
    who, day = [], []
    for customer in range(customers):
        rate = generator.gamma(shape) / scale
        share = generator.beta(leave, stay) if leave else 0.0
        when, is_first = generator.uniform(0, days), True
        while when < days:
            who.append(customer)
            day.append(int(when))
            if not is_first and generator.random() < share:
                break
            is_first = False
            when += generator.gamma(regular) / regular / max(rate, 1e-9)
    amount = generator.gamma(4.0, spend / 4, len(who))
    names = np.array([f"{customer:06d}" for customer in who])
    return make_purchases(names, np.array(day), amount, start=START, num_days=days)


@pytest.fixture(scope="session")
def world() -> World:
    return draw_world


@pytest.fixture
def make_shop(tmp_path: Path) -> MakeShop:
    """Write a shop and import what was bought: customer, day, money; and what went back."""

    def make(bought: list[Bought], back: list[Bought] | None = None, name: str = "shop") -> Path:
        return write_shop(tmp_path / name, bought, back or [])

    return make


def write_shop(folder: Path, bought: list[Bought], back: list[Bought]) -> Path:
    folder.mkdir()
    text = 'name = "corner shop"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n'
    (folder / "shop.toml").write_text(text, encoding="utf-8")
    with History.open(folder).begin("till") as one:
        one.append("sales", _records("sales", bought))
        if back:
            one.append("returns", _records("returns", back))
        one.finish()
    return folder


def _records(kind: str, rows: list[Bought]) -> pa.Table:
    schema, number = schema_of(kind), len(rows)  # type: ignore[arg-type]
    columns = {field.name: pa.nulls(number, field.type) for field in schema} | {
        "row": pa.array(range(number), pa.int64()),
        "order": pa.array([f"{kind}{place}" for place in range(number)]),
        "line": pa.array([""] * number),
        "day": pa.array([day for _, day, _ in rows], pa.date32()),
        "product": pa.array(["tea"] * number),
        "customer": pa.array([who for who, _, _ in rows], pa.string()),
        "quantity": pa.array([1.0] * number),
        "amount": pa.array([money for _, _, money in rows], pa.float64()),
        "currency": pa.array(["EUR"] * number),
    }
    if kind == "sales":
        columns["state"] = pa.array(["sold"] * number)
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def list_bought(purchases: Purchases) -> list[Bought]:
    """Turn a world into what a shop's till saw."""
    return [
        (str(purchases.customers[who]), START + timedelta(days=int(day)), float(money))
        for who, day, money in zip(purchases.customer, purchases.day, purchases.amount, strict=True)
    ]


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with 60 customers, a guest, and money that went back."""
    bought = list_bought(draw_world(customers=60, days=240, scale=20.0, leave=0.3, seed=5))
    bought += [("", START + timedelta(days=day), 9.0) for day in range(0, 240, 3)]
    return write_shop(tmp_path_factory.mktemp("customers") / "shop", bought, [(bought[0][0], bought[0][1], 5.0)])
