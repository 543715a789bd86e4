"""The shop's orders as a workbook that somebody keeps by hand: a title above the header, real dates and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from client.shop.invented.german import STATUS
from client.shop.invented.shop import InventedShop, Line, Order
from client.shop.invented.workbook import Cell, write_xlsx

ORDERS, STOCK = "Verkäufe", "Bestand"
COLUMNS = (
    "Auftrag",
    "Pos.",
    "Datum",
    "Kunde",
    "E-Mail",
    "Telefon",
    "Anschrift",
    "Artikelnr.",
    "Artikel",
    "Warengruppe",
    "Menge",
    "Preis",
    "Betrag",
    "Währung",
    "Status",
)


def write_workbook(shop: InventedShop) -> bytes:
    """Write a workbook with a sheet of orders and one of stock levels."""
    rows: list[Sequence[Cell]] = [["Teekontor am Krähenpfuhl, alle Verkäufe"], [], list(COLUMNS)]
    rows += [_cells(order, line, place + 1) for order in shop.orders for place, line in enumerate(order.lines)]
    stock: list[Sequence[Cell]] = [["Datum", "Artikelnr.", "Bestand"]]
    stock += [[day, code, count] for (code, day), count in shop.on_hand.items()]
    return write_xlsx({ORDERS: rows, STOCK: stock})


def _cells(order: Order, line: Line, place: int) -> list[Cell]:
    person = order.person
    return [
        order.number,
        place,
        order.at.replace(tzinfo=None),
        person.name,
        person.email,
        person.telephone,
        f"{person.street}, {person.postcode} {person.city}",
        line.product.code,
        line.product.name,
        line.product.category,
        line.quantity,
        line.price,
        line.amount,
        order.currency,
        STATUS[order.state],
    ]
