"""Seconds from a shop's history to the sample paths of every product, on a shop that is invented."""

from __future__ import annotations

import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from client.shop.forecast.path import draw_paths
from client.shop.history.history import History
from client.shop.record import schema_of
from client.shop.settings import FILE_NAME, read_shop

PRODUCTS, QUICK_PRODUCTS, PAST_DAYS, AHEAD_DAYS, NUM_DRAWS = 10_000, 200, 730, 28, 200
START = date(2023, 1, 2)
PATIENCE_SECONDS = 30.0  # of a shop owner who wants orders for so many products


def time_paths(*, quick: bool, num_threads: int) -> dict[str, Any]:
    """Time it once, reading and learning included; the history is there before the clock starts."""
    products = QUICK_PRODUCTS if quick else PRODUCTS
    with tempfile.TemporaryDirectory() as folder:
        invent_shop(Path(folder), products)
        history, shop = History.open(Path(folder)), read_shop(Path(folder))
        began, reached = time.perf_counter(), dict[str, float]()

        def tell(what: str, share: float) -> None:
            reached[what] = time.perf_counter() - began

        drawn = 0
        for paths in draw_paths(
            history, shop, days=AHEAD_DAYS, num_draws=NUM_DRAWS, today=START + timedelta(days=PAST_DAYS), on_step=tell
        ):
            drawn += len(paths.products)
        seconds = time.perf_counter() - began
    return {
        "products": drawn,
        "days": AHEAD_DAYS,
        "draws": NUM_DRAWS,
        "threads": num_threads,
        "seconds": seconds,
        "reached_after_seconds": reached,
        "comparisons": [{"of": "paths", "to": "a shop owner's patience", "ratio": seconds / PATIENCE_SECONDS}],
    }


def invent_shop(folder: Path, products: int) -> None:
    """Invent a shop in which few products sell every day and most now and then."""
    generator = np.random.default_rng(0)
    rate = np.minimum(generator.lognormal(-1.5, 1.3, products), 20.0)
    week = np.array([1.0, 0.9, 0.9, 1.0, 1.3, 1.6, 0.0])[np.arange(PAST_DAYS) % 7]
    shared = generator.gamma(20.0, 1 / 20.0, PAST_DAYS // 7 + 1).repeat(7)[:PAST_DAYS]
    sold = generator.poisson(rate[:, None] * (week * shared)[None] * generator.gamma(2.0, 0.5, (products, PAST_DAYS)))
    product, day = np.nonzero(sold)
    (folder / FILE_NAME).write_text('name = "invented"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n', "utf-8")
    columns = {
        "row": np.arange(len(day)),
        "order": np.arange(len(day)).astype(str),
        "line": np.full(len(day), ""),
        "day": np.datetime64(START) + day,
        "product": np.char.add("p", product.astype(str)),
        "customer": np.full(len(day), ""),
        "quantity": sold[product, day].astype(float),
        "state": np.full(len(day), "sold"),
    }
    schema = schema_of("sales")
    filled = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(len(day), field.type)
        for field in schema
    ]
    with History(folder).begin("till") as one:
        one.append("sales", pa.table(filled, schema=schema))
        one.finish()
