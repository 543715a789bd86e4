"""The shop's orders as Shopify exports them: cells of an order stand in its first line only, times carry an offset."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta

from client.shop.invented.shop import Line, Order

_PERSON = ("Name", "Street", "Address1", "Address2", "Company", "City", "Zip", "Province", "Country", "Phone")
COLUMNS = (
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Fulfillment Status",
    "Fulfilled at",
    "Accepts Marketing",
    "Currency",
    "Subtotal",
    "Shipping",
    "Taxes",
    "Total",
    "Discount Code",
    "Discount Amount",
    "Shipping Method",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem compare at price",
    "Lineitem sku",
    "Lineitem requires shipping",
    "Lineitem taxable",
    "Lineitem fulfillment status",
    *(f"Billing {what}" for what in _PERSON),
    *(f"Shipping {what}" for what in _PERSON),
    "Notes",
    "Note Attributes",
    "Cancelled at",
    "Payment Method",
    "Payment Reference",
    "Refunded Amount",
    "Vendor",
    "Id",
    "Tags",
    "Risk Level",
    "Source",
    "Lineitem discount",
    "Phone",
)


def write_shopify(orders: tuple[Order, ...]) -> bytes:
    """Write an export, the latest order first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for order in reversed(orders):
        for place, line in enumerate(order.lines):
            writer.writerow(_line_cells(order, line) | (_order_cells(order) if place == 0 else {}))
    return text.getvalue().encode()


def _line_cells(order: Order, line: Line) -> dict[str, object]:
    return {
        "Name": f"#{order.number}",
        "Email": order.person.email,
        "Created at": _time(order.at),
        "Lineitem quantity": line.quantity,
        "Lineitem name": line.product.name,
        "Lineitem price": f"{line.price:.2f}",
        "Lineitem sku": line.product.code,
        "Lineitem requires shipping": "true",
        "Lineitem taxable": "true",
        "Lineitem fulfillment status": "fulfilled" if order.state == "sold" else "pending",
        "Vendor": "Teekontor",
        "Lineitem discount": "0.00",
    }


def _order_cells(order: Order) -> dict[str, object]:
    paid = order.state in ("sold", "test")
    person = {
        "Name": order.person.name,
        "Street": order.person.street,
        "Address1": order.person.street,
        "City": order.person.city,
        "Zip": f"'{order.person.postcode}",
        "Country": "DE",
        "Phone": order.person.telephone,
    }
    return {
        "Financial Status": _financial_status(order),
        "Paid at": _time(order.at) if paid else "",
        "Fulfillment Status": "fulfilled" if order.state == "sold" else "unfulfilled",
        "Fulfilled at": _time(order.at + timedelta(days=1)) if order.state == "sold" else "",
        "Accepts Marketing": "no",
        "Currency": order.currency,
        "Subtotal": f"{order.total:.2f}",
        "Shipping": "0.00",
        "Taxes": "0.00",
        "Total": f"{order.total:.2f}",
        "Discount Amount": "0.00",
        "Shipping Method": "Standard",
        "Notes": order.note,
        "Cancelled at": _time(order.at + timedelta(hours=3)) if order.state == "cancelled" else "",
        "Payment Method": "bogus" if order.state == "test" else "Shopify Payments",
        "Refunded Amount": f"{order.refunded:.2f}",
        "Id": 5_400_000_000_000 + order.number,
        "Risk Level": "Low",
        "Source": "web",
        "Phone": order.person.telephone,
        **{f"Billing {what}": cell for what, cell in person.items()},
        **{f"Shipping {what}": cell for what, cell in person.items()},
    }


def _financial_status(order: Order) -> str:
    if order.state == "cancelled":
        return "voided"
    if order.state == "unpaid":
        return "pending"
    if order.refunded:
        return "refunded" if order.refunded >= order.total else "partially_refunded"
    return "paid"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S %z")
