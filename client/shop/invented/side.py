"""Small tables beside the orders: stock levels, page views, reviews, prices, promotions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from client.shop.invented.shop import CURRENCY, InventedShop


@dataclass(frozen=True)
class SideTable:
    """A table by name, with its columns and rows; whatever is a day is a `date`."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


def side_tables(shop: InventedShop) -> tuple[SideTable, ...]:
    """Give the tables beside the orders."""
    return (
        _table("stock_levels", ("date", "sku", "on_hand"), ((d, c, n) for (c, d), n in shop.on_hand.items())),
        _table("page_views", ("date", "sku", "views"), ((d, c, n) for (c, d), n in shop.views.items())),
        _table(
            "reviews",
            ("created_at", "sku", "customer_email", "rating", "review_text"),
            ((r.day, r.code, r.person.email, r.rating, r.text) for r in shop.reviews),
        ),
        _table(
            "prices",
            ("valid_from", "sku", "price", "currency"),
            ((since, code, price, CURRENCY) for code, since, price in shop.prices),
        ),
        _table(
            "promotions",
            ("start_date", "end_date", "sku", "name", "discount", "known_from"),
            (
                (p.first_day, p.last_day, p.code, f"{p.discount:.0%} off", p.discount, p.known_from)
                for p in shop.promotions
            ),
        ),
    )


def _table(name: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> SideTable:
    return SideTable(name, columns, tuple(rows))
