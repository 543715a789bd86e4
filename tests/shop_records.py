"""Records of every kind that differ in what a test wants to be different."""

from datetime import date
from typing import Any

import pyarrow as pa

from client.shop.record import Kind, schema_of

FIRST = date(2024, 1, 1)
PLAIN: dict[Kind, dict[str, Any]] = {
    "sales": {
        "order": "1001",
        "line": "1",
        "day": FIRST,
        "product": "tea",
        "customer": "anna@example.com",
        "quantity": 1.0,
        "amount": 2.5,
        "currency": "",
        "state": "sold",
    },
    "returns": {"order": "1001", "line": "1", "day": FIRST, "product": "tea", "customer": "", "quantity": 1.0},
    "views": {"day": FIRST, "product": "tea", "customer": "", "session": "", "quantity": 1.0},
    "carts": {"day": FIRST, "product": "tea", "customer": "", "session": "", "quantity": 1.0},
    "searches": {"day": FIRST, "words": "green tea", "customer": "", "quantity": 1.0},
    "reviews": {"day": FIRST, "product": "tea", "customer": "anna@example.com", "rating": 5.0, "text": "Good."},
    "stock": {"day": FIRST, "product": "tea", "on_hand": 3.0, "out": False},
    "prices": {"first_day": FIRST, "product": "tea", "price": 2.5, "currency": ""},
    "promotions": {
        "first_day": FIRST,
        "last_day": FIRST,
        "product": "tea",
        "category": "",
        "name": "",
        "discount": 0.1,
    },
    "closures": {"first_day": FIRST, "last_day": FIRST, "name": "stocktaking"},
    "events": {"first_day": FIRST, "last_day": FIRST, "name": "fair"},
    "products": {"product": "tea", "name": "Green tea", "category": "tea"},
    "aliases": {"product": "tea-old", "stands_for": "tea"},
    "terms": {"product": "tea", "supplier": "Tea Ltd", "unit_cost": 1.5, "currency": "EUR", "lead_days": 7.0},
    "on_order": {"order": "P1", "product": "tea", "supplier": "Tea Ltd", "quantity": 12.0, "expected_day": FIRST},
}


def make_records(kind: Kind, *rows: dict[str, Any]) -> pa.Table:
    filled = [{"row": place, **PLAIN[kind], **row} for place, row in enumerate(rows, start=1)]
    return pa.Table.from_pylist(filled, schema=schema_of(kind))
