"""Seconds from sample paths, and from a shop's history, to what to order of every product of an invented shop.

Half of the products come in packs of 12, with a lead time of 5 days, give or take 2, and a review every week.
"""

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from client.decision.order.ordering import order_shop
from client.decision.order.pipeline import OnOrder
from client.decision.order.proposal import Terms, propose
from client.shop.history.history import History
from client.shop.record import Kind, schema_of
from client.shop.settings import FILE_NAME, read_shop
from simulation.bench.path import PAST_DAYS, PRODUCTS, QUICK_PRODUCTS, START, invent_shop

BATCH, NUM_DRAWS, PACK = 1000, 200, 12.0
LEAD_DAYS, SPREAD_DAYS, REVIEW_DAYS = 5.0, 2.0, 7
PATIENCE_SECONDS = 60.0  # of a shop owner, from the history on
CPU_SECONDS = 8.0  # from the paths on
_SETTINGS = f"\n[order]\nlead_days = {LEAD_DAYS}\nlead_spread_days = {SPREAD_DAYS}\nreview_days = {REVIEW_DAYS}\n"


def time_orders(*, quick: bool, num_threads: int) -> dict[str, Any]:
    """Time each once."""
    products = QUICK_PRODUCTS if quick else PRODUCTS
    given, (whole, spent, lines, reached) = _time_given(products), _time_whole(products)
    return {
        "products": products,
        "draws": NUM_DRAWS,
        "threads": num_threads,
        "cpu_seconds_from_paths": given,
        "seconds_from_history": whole,
        "cpu_seconds_from_history": spent,
        "reached_after_seconds": reached,
        "lines": lines,
        "comparisons": [
            {"of": "orders from paths", "to": "eight seconds of CPU", "ratio": given / CPU_SECONDS},
            {"of": "orders", "to": "a shop owner's patience", "ratio": whole / PATIENCE_SECONDS},
        ],
    }


def _time_given(products: int) -> float:
    """Give the CPU seconds of all orders, paths being given."""
    generator, spent = np.random.default_rng(0), 0.0
    nothing = OnOrder(np.zeros(0, int), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, int))
    for first in range(0, products, BATCH):
        number = min(BATCH, products - first)
        rate = np.minimum(generator.lognormal(-1.5, 1.3, number), 20.0)
        terms = _terms(number)
        draws = generator.poisson(rate[:, None], (NUM_DRAWS, number, terms.days())).astype(np.float32)
        on_hand = generator.poisson(rate * 8.0).astype(float)
        began = time.process_time()
        propose(draws, on_hand, nothing, terms, generator)
        spent += time.process_time() - began
    return spent


def _terms(number: int) -> Terms:
    def of(value: float) -> np.ndarray:
        return np.full(number, value)

    return Terms(
        aim="pieces",
        waits=False,
        service_level=of(0.95),
        lead=of(LEAD_DAYS),
        lead_spread=of(SPREAD_DAYS),
        wait=np.zeros(number, int),
        review=np.full(number, REVIEW_DAYS),
        minimum=of(1.0),
        pack=np.where(np.arange(number) % 2, PACK, 1.0),
        line_cost=of(0.0),
        held=of(0.01),
        out=of(1.0),
        shelf_life=of(np.inf),
    )


def _time_whole(products: int) -> tuple[float, float, int, dict[str, float]]:
    """Give seconds from a history to orders, by the clock and of CPU, their lines, and when each step was reached."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        invent_shop(folder, products)
        with (folder / FILE_NAME).open("a", encoding="utf-8") as file:
            file.write(_SETTINGS)
        _stock(folder, products)
        history, shop = History.open(folder), read_shop(folder)
        began, at, reached = time.perf_counter(), time.process_time(), dict[str, float]()

        def tell(what: str, share: float) -> None:
            reached[what] = time.perf_counter() - began

        orders = order_shop(history, shop, today=START + timedelta(days=PAST_DAYS), on_step=tell)
        seconds, spent = time.perf_counter() - began, time.process_time() - at
    quantity = orders.table["quantity"].to_numpy()
    return seconds, spent, int((quantity > 0).sum()), reached


def _stock(folder: Path, products: int) -> None:
    names = np.char.add("p", np.arange(products).astype(str))
    day = np.datetime64(START + timedelta(days=PAST_DAYS - 1))
    with History(folder).begin("till") as one:
        one.append(
            "stock", _table("stock", {"day": np.full(products, day), "product": names, "on_hand": _few(products)})
        )
        one.append("terms", _table("terms", {"product": names[::2], "pack_size": np.full(len(names[::2]), PACK)}))
        one.finish()


def _few(products: int) -> np.ndarray:
    return np.random.default_rng(1).poisson(3.0, products).astype(float)


def _table(name: Kind, columns: dict[str, np.ndarray]) -> pa.Table:
    schema, number = schema_of(name), len(columns["product"])
    own = {"row": np.arange(number), **columns}
    filled = [
        pa.array(own[field.name]).cast(field.type)
        if field.name in own
        else pa.array([""] * number)
        if field.type == pa.string()
        else pa.nulls(number, field.type)
        for field in schema
    ]
    return pa.table(filled, schema=schema)
