"""The shop's orders as German shop programs export them: `;`, cp1252, `1.200,50`, `31.12.2024`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from client.shop.invented.shop import Line, Order

COLUMNS = (
    "Bestellnummer",
    "Position",
    "Bestelldatum",
    "Kundenname",
    "E-Mail",
    "Telefon",
    "Straße",
    "PLZ",
    "Ort",
    "Artikelnummer",
    "Bezeichnung",
    "Warengruppe",
    "Menge",
    "Einzelpreis",
    "Gesamtpreis",
    "Währung",
    "Status",
    "Bemerkung",
)
STATUS = {"sold": "Versendet", "cancelled": "Storniert", "test": "Testbestellung", "unpaid": "Zahlung offen"}


def write_german(orders: tuple[Order, ...]) -> bytes:
    """Write an export."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for order in orders:
        writer.writerows(_cells(order, line, place + 1) for place, line in enumerate(order.lines))
    return text.getvalue().encode("cp1252")


def _cells(order: Order, line: Line, place: int) -> Iterable[object]:
    person = order.person
    return (
        order.number,
        place,
        order.at.strftime("%d.%m.%Y %H:%M:%S"),
        person.name,
        person.email,
        person.telephone,
        person.street,
        person.postcode,
        person.city,
        line.product.code,
        line.product.name,
        line.product.category,
        german_number(float(line.quantity)),
        german_number(line.price, places=2),
        german_number(line.amount, places=2),
        order.currency,
        STATUS[order.state],
        order.note,
    )


def german_number(value: float, *, places: int = 0) -> str:
    """Write a number as 1.200,50."""
    return f"{value:,.{places}f}".translate(str.maketrans(",.", ".,"))
