"""Small real shops: a folder with settings and a store, made of what was sold."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from client.shop.history.history import History
from client.shop.record import schema_of

START = date(2023, 1, 2)  # a Monday
Sold = tuple[str, date, float]


def make_shop(folder: Path, sold: Sequence[Sold], settings: str = "", **kinds: pa.Table) -> Path:
    """Write shop.toml and import what was sold: product, day, quantity."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f'name = "corner shop"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n{settings}'
    (folder / "shop.toml").write_text(text, encoding="utf-8")
    schema, number = schema_of("sales"), len(sold)
    columns = {field.name: pa.nulls(number, field.type) for field in schema} | {
        "row": pa.array(range(number), pa.int64()),
        "order": pa.array([str(place) for place in range(number)]),
        "line": pa.array([""] * number),
        "day": pa.array([day for _, day, _ in sold], pa.date32()),
        "product": pa.array([product for product, _, _ in sold], pa.string()),
        "customer": pa.array([""] * number),
        "quantity": pa.array([quantity for _, _, quantity in sold], pa.float64()),
        "currency": pa.array(["EUR"] * number),
        "state": pa.array(["sold"] * number),
    }
    with History.open(folder).begin("till") as one:
        one.append("sales", pa.table(columns, schema=schema))
        for kind, table in kinds.items():
            one.append(kind, table)  # type: ignore[arg-type]
        one.finish()
    return folder


def draw_sales(
    *, days: int, products: int = 5, mean: float = 3.0, seed: int = 0, start: date = START, weekly: bool = True
) -> list[Sold]:
    """Draw Poisson demand with a week in it, from `start` on."""
    generator = np.random.default_rng(seed)
    shape = np.array([1.0, 0.8, 0.9, 1.0, 1.4, 1.6, 0.3]) if weekly else np.ones(7)
    sold = []
    for product in range(products):
        for day, units in enumerate(generator.poisson(mean * shape[np.arange(days) % 7] * (1 + product / 2))):
            if units:
                sold.append((f"P{product}", start + timedelta(days=day), float(units)))
    return sold
