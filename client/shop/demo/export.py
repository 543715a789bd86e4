"""Write the demo shop's exports, a CSV file of each kind, and the settings that read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Int

from client.shop.demo.good import GOODS
from client.shop.demo.invention import DemoShop
from client.shop.demo.law import COUNTRY, FAIR_DAYS, FAIR_NAME, SUBDIVISION, Law
from client.shop.demo.purchase import list_purchases, list_terms
from client.shop.record import Kind
from client.shop.settings import OrderSettings, Shop, SourceSettings
from common.disk.file import write_whole

FOLDER = "exports"
NAME, CURRENCY, TIME_ZONE = "Teehaus am Kanal", "EUR", "Europe/Berlin"
REVIEW_DAYS = 7  # it orders once a week
SEARCHES = ("matcha", "green tea", "teapot", "gift", "earl grey", "decaf", "oolong")  # the last is not sold here
CODES = [good.code for good in GOODS]

# field → column of each kind's file, sales first
_LINE = {"order": "order", "line": "line", "product": "sku", "customer": "email", "quantity": "quantity"}
_MONEY = {"amount": "amount", "currency": "currency"}
_SPAN, _COUNTED = {"first_day": "starts_on", "last_day": "ends_on"}, {"day": "day", "product": "sku"}
COLUMNS: dict[Kind, dict[str, str]] = {
    "sales": {**_LINE, "day": "created_at", **_MONEY},
    "returns": {**_LINE, "day": "returned_on", **_MONEY},
    "products": {"product": "sku", "name": "title", "category": "category"},
    "stock": {**_COUNTED, "on_hand": "on_hand"},
    "views": {**_COUNTED, "quantity": "views"},
    "carts": {**_COUNTED, "quantity": "carts"},
    "searches": {"day": "day", "words": "words", "quantity": "times"},
    "reviews": {"day": "written_on", "product": "sku", "customer": "email", "rating": "stars", "text": "text"},
    "prices": {"first_day": "starts_on", "product": "sku", "price": "price", "currency": "currency"},
    "promotions": {**_SPAN, "product": "sku", "name": "title", "discount": "discount", "known_from": "planned_on"},
    "events": {**_SPAN, "name": "title", "known_from": "planned_on"},
    "terms": {
        "product": "sku",
        "supplier": "supplier",
        "unit_cost": "unit_cost",
        "currency": "currency",
        "lead_days": "lead_days",
        "lead_spread_days": "lead_spread_days",
        "minimum_quantity": "least_pieces",
        "pack_size": "pieces_a_pack",
        "shelf_life_days": "keeps_days",
    },
    "on_order": {
        "order": "purchase_order",
        "product": "sku",
        "supplier": "supplier",
        "quantity": "pieces",
        "ordered_day": "ordered_on",
        "expected_day": "expected_on",
        "arrived_day": "arrived_on",
    },
}

Row = tuple[object, ...]


def make_settings() -> Shop:
    """Give the shop's settings, which read every export."""
    return Shop(
        name=NAME,
        time_zone=TIME_ZONE,
        currency=CURRENCY,
        country=COUNTRY,
        subdivision=SUBDIVISION,
        closed_weekdays=("sunday",),
        closed_holidays=True,
        order=OrderSettings(review_days=REVIEW_DAYS),
        sources=tuple(
            SourceSettings(name=kind, location=_place(kind), kind=kind, columns=columns)
            for kind, columns in COLUMNS.items()
        ),
    )


def write_exports(shop: DemoShop, folder: Path) -> None:
    """Write every file."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for kind, rows in _list_rows(shop).items():
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS[kind].values())
        writer.writerows(rows)
        write_whole(folder / _place(kind), text.getvalue().encode())


def _place(kind: Kind) -> str:
    return f"{FOLDER}/{'orders' if kind == 'sales' else kind}.csv"


def _list_rows(shop: DemoShop) -> dict[Kind, Iterable[Row]]:
    law = shop.law
    return {
        "sales": _sell(shop),
        "returns": _take_back(shop),
        "products": ((good.code, good.name, good.category) for good in GOODS),
        "stock": _count(law, shop.shelf.on_hand, law.mean[:, : law.days].cumsum(axis=1) > 0),
        "views": _count(law, shop.views, shop.views > 0),
        "carts": _count(law, shop.carts, shop.carts > 0),
        "searches": _search(shop),
        "reviews": (
            (law.day(each.day), CODES[each.product], email_of(each.customer), each.rating, each.words)
            for each in shop.reviews
        ),
        "prices": _price(law),
        "promotions": _promote(law),
        "terms": list_terms(law, CURRENCY),
        "on_order": list_purchases(law, shop.shelf),
        "events": ((law.day(fair), law.day(fair + FAIR_DAYS - 1), FAIR_NAME, law.day(fair - 90)) for fair in law.fairs),
    }


def email_of(customer: int) -> str:
    """Give a customer's address; a guest has none."""
    return f"customer{customer:04d}@mail.example" if customer >= 0 else ""


def paid_prices(law: Law) -> np.ndarray:
    """Give what one of each product costs on each day, a promotion's discount taken off."""
    paid = law.price[:, : law.days].copy()
    for offer in law.offers:
        paid[CODES.index(offer.code), offer.first : offer.last + 1] *= 1 - offer.discount
    return np.round(paid, 2)


def _sell(shop: DemoShop) -> Iterator[Row]:
    lines, paid, place, last = shop.lines, paid_prices(shop.law), 0, 0
    days = [shop.law.day(number).isoformat() for number in range(shop.law.days)]
    columns = (lines.order, lines.day, lines.second, lines.customer, lines.product, lines.quantity)
    for order, day, second, customer, product, quantity in zip(*(each.tolist() for each in columns), strict=True):
        place, last = place + 1 if order == last else 1, order
        time = f"{days[day]} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        amount = round(quantity * float(paid[product, day]), 2)
        yield 10_000 + order, place, CODES[product], email_of(customer), quantity, time, amount, CURRENCY


def _take_back(shop: DemoShop) -> Iterator[Row]:
    sold, when = list(_sell(shop)), dict(shop.returned)
    for line, day in sorted(when.items()):
        order, place, code, email, quantity, _, amount, currency = sold[line]
        yield order, place, code, email, quantity, shop.law.day(day), amount, currency


def _count(law: Law, values: Int[np.ndarray, "product day"], there: np.ndarray) -> Iterator[Row]:
    days = [law.day(number).isoformat() for number in range(law.days)]
    for product, day in np.argwhere(there).tolist():
        yield days[day], CODES[product], int(values[product, day])


def _search(shop: DemoShop) -> Iterator[Row]:
    """Count a search for every so many views of the shop, more of them for what is not sold here."""
    views = shop.views.sum(axis=0)
    for day in range(shop.law.days):
        for place, words in enumerate(SEARCHES):
            yield shop.law.day(day), words, int(views[day]) // (40 + 7 * place) + 1


def _price(law: Law) -> Iterator[Row]:
    """Give a row for each price that begins."""
    prices = law.price[:, : law.days]
    begins = np.diff(prices, axis=1, prepend=-1.0) != 0
    for product, day in np.argwhere(begins).tolist():
        yield law.day(day), CODES[product], f"{prices[product, day]:.2f}", CURRENCY


def _promote(law: Law) -> Iterator[Row]:
    for offer in law.offers:
        first, last, known = law.day(offer.first), law.day(offer.last), law.day(offer.known_from)
        yield first, last, offer.code, f"{offer.discount:.0%} off", offer.discount, known
