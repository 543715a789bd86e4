"""What a shop's history consists of: kinds of records, and the columns of each.

Raw rows of a source become records of these kinds (`client.shop.export`), and records are what the history keeps
(`client.shop.history`). Everything downstream reads records and knows no export.

| kind       | one record is                                                                                   |
|------------|-------------------------------------------------------------------------------------------------|
| sales      | one line of one order: so many of one product, to one customer                                  |
| returns    | goods or money that went back; the sale stays a sale, for it was demand                         |
| views      | a product's page, looked at so many times on a day                                              |
| carts      | so many of a product put into a cart                                                            |
| searches   | words searched for so many times on a day                                                       |
| reviews    | a rating and what was written                                                                   |
| stock      | how many of a product there were on a day, or that it ran out                                   |
| prices     | what a product costs from a day on                                                              |
| promotions | an offer of a product, of a category or of everything, from a day to a day, known since a day   |
| closures   | days on which the shop is closed                                                                |
| events     | days on which something happens that is known ahead: a fair, school holidays, a market          |
| products   | what a product is called, and which category it belongs to                                      |
| terms      | on what terms a product is ordered: supplier, cost, lead time, packs, the service that is asked      |
| on_order   | so many of a product that were ordered from a supplier, and when they are expected or came      |
| corrections| what the owner says to count on a day instead of what the sources say                           |
| aliases    | a product that goes on under another number                                                     |
| ignored    | visitors whose views and carts are left out                                                     |

Days are the shop's own (its time zone). Text that is not known is "", a number or a day that is not known is null.
`customer` is whatever tells customers apart in the source, as it was written: it exists in memory only, and the
history puts a keyed hash in its place before anything is stored.
"""

from __future__ import annotations

from typing import Literal, get_args

import pyarrow as pa

Kind = Literal[
    "sales",
    "returns",
    "views",
    "carts",
    "searches",
    "reviews",
    "stock",
    "prices",
    "promotions",
    "closures",
    "events",
    "products",
    "terms",
    "on_order",
    "corrections",
    "aliases",
    "ignored",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
State = Literal["sold", "cancelled", "test", "unpaid"]  # of a sale; demand is what is sold

TEXT, NUMBER, DAY, MOMENT, COUNT = pa.string(), pa.float64(), pa.date32(), pa.timestamp("us"), pa.int64()

# `row` is where the record stands in its source; `updated` is when the source last changed it, in UTC.
_EVERY = {"row": COUNT, "updated": MOMENT}
COLUMNS: dict[Kind, dict[str, pa.DataType]] = {
    "sales": {
        "order": TEXT,  # the order's number; "" where the source has none
        "line": TEXT,  # tells the lines of one order apart; "" where the source does not
        "day": DAY,
        "second": COUNT,  # of the day by the clock on the wall, 0 to 86,399; null where only the day is known
        "product": TEXT,
        "customer": TEXT,
        "quantity": NUMBER,
        "amount": NUMBER,  # of the whole line, discounts taken off
        "currency": TEXT,  # ISO 4217
        "state": TEXT,
    },
    "returns": {
        "order": TEXT,
        "line": TEXT,
        "day": DAY,  # on which it went back; null where the source does not say
        "product": TEXT,  # "" where money of a whole order went back
        "customer": TEXT,
        "quantity": NUMBER,
        "amount": NUMBER,
        "currency": TEXT,
    },
    "views": {"day": DAY, "product": TEXT, "customer": TEXT, "session": TEXT, "quantity": NUMBER},
    "carts": {"day": DAY, "product": TEXT, "customer": TEXT, "session": TEXT, "quantity": NUMBER},
    "searches": {"day": DAY, "words": TEXT, "customer": TEXT, "quantity": NUMBER},
    "reviews": {"day": DAY, "product": TEXT, "customer": TEXT, "rating": NUMBER, "text": TEXT},
    "stock": {"day": DAY, "product": TEXT, "on_hand": NUMBER, "out": pa.bool_()},
    "prices": {"first_day": DAY, "last_day": DAY, "product": TEXT, "price": NUMBER, "currency": TEXT},
    "promotions": {
        "first_day": DAY,
        "last_day": DAY,
        "product": TEXT,  # "" where it is not of one product
        "category": TEXT,  # "" where it is not of one category; both "": of everything
        "name": TEXT,
        "discount": NUMBER,  # share of the price, 0 to 1
        "known_from": DAY,
    },
    "closures": {"first_day": DAY, "last_day": DAY, "name": TEXT},
    "events": {"first_day": DAY, "last_day": DAY, "name": TEXT, "known_from": DAY},
    "products": {"product": TEXT, "name": TEXT, "category": TEXT},
    "terms": {
        "product": TEXT,
        "supplier": TEXT,
        "unit_cost": NUMBER,  # of one piece, in `currency`
        "currency": TEXT,
        "lead_days": NUMBER,  # from the order until it can be sold
        "lead_spread_days": NUMBER,  # standard deviation of that
        "review_days": NUMBER,  # from one chance to order to the next
        "minimum_quantity": NUMBER,
        "pack_size": NUMBER,
        "shelf_life_days": NUMBER,
        "service_level": NUMBER,  # 0 to 1
        "out_cost": NUMBER,  # of one piece that is asked for and not there, in `currency`
    },
    "on_order": {
        "order": TEXT,  # the number of the purchase order
        "product": TEXT,
        "supplier": TEXT,
        "quantity": NUMBER,  # that is still to come; of what has come, what came
        "ordered_day": DAY,
        "expected_day": DAY,
        "arrived_day": DAY,  # null for what is still on its way
    },
    "corrections": {
        "product": TEXT,
        "day": DAY,
        "was": NUMBER,  # units sold when it was accepted: where the sources say otherwise by now, it no longer holds
        "quantity": NUMBER,
        "reason": TEXT,
    },
    "aliases": {"product": TEXT, "stands_for": TEXT},  # the older number, and the one that counts
    "ignored": {"column": TEXT, "value": TEXT},  # a customer, as the history stores it, or a session
}

# What makes two records the same one: the later version of it counts. A kind whose records have no number of their own
# tells them apart by all that they say, and by how many of them one source holds.
IDENTITY: dict[Kind, tuple[str, ...]] = {
    "sales": ("order", "line"),
    "returns": ("order", "line", "day"),
    "stock": ("product", "day"),
    "prices": ("product", "first_day"),
    "products": ("product",),
    "corrections": ("product", "day"),
    "aliases": ("product",),
}

# Kinds that are lists of what holds now: of each source the newest counts, and what it no longer has is gone.
LISTS: tuple[Kind, ...] = ("terms", "on_order")


def schema_of(kind: Kind) -> pa.Schema:
    """Give the columns of a kind of record as an Arrow schema, `row` and `updated` first."""
    return pa.schema({**_EVERY, **COLUMNS[kind]})
