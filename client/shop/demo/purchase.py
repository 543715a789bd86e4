"""On what terms the demo shop orders, and every order that it made: most have come, the last are on their way."""

from __future__ import annotations

from collections.abc import Iterator

from client.shop.demo.good import GOODS
from client.shop.demo.law import Law
from client.shop.demo.shelf import Shelf

Row = tuple[object, ...]


def list_terms(law: Law, currency: str) -> Iterator[Row]:
    """Give the terms of each product; what it costs is a share of its price on the last day."""
    for good, price in zip(GOODS, law.price[:, law.days - 1].tolist(), strict=True):
        supplier, keeps = good.supplier, good.shelf_days or ""
        cost = f"{good.cost * price:.2f}"
        yield (
            good.code,
            supplier.name,
            cost,
            currency,
            supplier.lead_days,
            supplier.lead_spread_days,
            supplier.least_pieces,
            good.pack,
            keeps,
        )


def list_purchases(law: Law, shelf: Shelf) -> Iterator[Row]:
    """Give each line that was ordered; all of a day from one supplier are one order."""
    numbers = dict[tuple[int, str], int]()
    for each in shelf.deliveries:
        good = GOODS[each.product]
        number = numbers.setdefault((each.ordered, good.supplier.name), len(numbers) + 1)
        days = (law.day(each.ordered), law.day(each.expected), law.day(each.arrives) if each.arrives < law.days else "")
        yield f"PO-{number:04d}", good.code, good.supplier.name, each.quantity, *days
