"""A history as it was on an earlier day, for a forecast of days that have come since."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from client.shop.calendar.kept import Kept, Tables
from client.shop.record import Kind

TOLD: tuple[Kind, ...] = ("prices", "promotions", "closures", "events")  # each says itself since when it is known


def see_as_of(history: Kept, day: date) -> Kept:
    """Forget what was sold, and what was in stock, from a day on; what was told ahead stays."""
    before = pc.field("day") < pa.scalar(day)
    products = history.products()
    categories = dict(zip(products["product"].to_pylist(), products["category"].to_pylist(), strict=True))
    told = {kind: history.records(kind) for kind in TOLD}
    stock = history.records("stock").filter(before)
    return Tables(history.daily().filter(before), {**told, "stock": stock}, categories)
