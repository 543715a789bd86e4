"""What a recognised export is: the headers its platform writes, and what the words in its cells mean.

Fields of an order line, as all descriptions name them:

| field                             | meaning                                                                      |
|-----------------------------------|------------------------------------------------------------------------------|
| order, line                       | number of the order; what tells its lines apart, where the export says so    |
| day, updated                      | when it was ordered; when the source last changed it                         |
| sku, variation, product, title    | what was sold: the first of these that is filled names it                    |
| variant                           | of a product or title that has several: "blue"                               |
| customer, email, phone, user      | who bought it: the first of these that is filled tells customers apart       |
| quantity, net_quantity            | as ordered; what is left of it after returns                                 |
| amount, price, discount           | of the whole line; of one piece; off the whole line                          |
| currency, state, paid, cancelled  | of the order; `paid` and `cancelled` are moments                             |
| payment, tags, test               | what may say that an order is a test                                         |
| refund                            | money that went back, of the whole order                                     |
| returned, line_refund             | pieces and money of this line that went back                                 |
| refund_state, line_state          | words for what became of this line                                           |
| parent                            | the line of a bundle that this one is a part of                              |
| category, channel                 | of the product; through which the order came                                 |
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from client.shop.record import State
from client.shop.settings import Format

TEXTS = frozenset({
    "order", "line", "sku", "variation", "product", "variant", "title", "customer", "email", "phone", "user",
    "currency", "state", "line_state", "refund_state", "payment", "tags", "test", "parent", "category", "channel",
    "items",
})  # fmt: skip
# Filled in the first line of an order alone by some exports: a later line without them has those of the first.
PER_ORDER = (
    "day", "second", "customer", "email", "phone", "user", "currency", "state", "paid", "cancelled", "payment", "tags",
    "test", "updated", "channel",
)  # fmt: skip
IDENTIFYING = ("customer", "email", "phone", "user")  # the first that is filled tells customers apart
NAMING = ("sku", "variation", "product", "title")  # the first that is filled names the product


@dataclass(frozen=True)
class Export:
    """One recognised export.

    Attributes
    ----------
    title
        What a person calls it.
    columns
        For each field the headers that stand for it, in every language the platform writes; the first that is there.
    needed
        Fields without which it is not this export.
    marks
        Headers of which one must be there: no other table has them.
    states
        The platform's words for the state of an order.
    refunded
        Words of `state` or `refund_state` that say that all money went back.
    zone
        Of times without an offset; "" is the shop's own.
    currency
        Of amounts where no column says it; "" is the shop's own.
    advice
        What to say of this export to whoever sees it proposed.
    """

    format: Format
    title: str
    columns: dict[str, tuple[str, ...]]
    needed: tuple[str, ...]
    marks: tuple[str, ...]
    kind: Literal["sales", "returns"] = "sales"
    states: dict[State, tuple[str, ...]] = field(default_factory=dict)
    refunded: tuple[str, ...] = ()
    zone: str = ""
    currency: str = ""
    advice: tuple[str, ...] = ()


@lru_cache(maxsize=1 << 16)
def header_key(header: str) -> str:
    """Write a header so that spelling does not matter: case, blanks, underscores, a byte order mark."""
    return re.sub(r"[\s_\-./:]+", " ", header.replace("\ufeff", "").strip().strip("\"'=").lower()).strip()


def find_columns(export: Export, header: Iterable[str]) -> dict[str, str]:
    """Find the column of each field of an export; fields that have none are left out."""
    by_key: dict[str, str] = {}
    for column in header:
        by_key.setdefault(header_key(column), column)
    found = {
        name: next((by_key[header_key(word)] for word in words if header_key(word) in by_key), "")
        for name, words in export.columns.items()
    }
    return {name: column for name, column in found.items() if column}
