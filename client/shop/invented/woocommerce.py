"""The shop's orders as WooCommerce's usual order export writes them: every cell in every line, times without a zone."""

from __future__ import annotations

import csv
import io

from client.shop.invented.shop import Line, Order

COLUMNS = (
    "Order Number",
    "Order Status",
    "Order Date",
    "Customer Note",
    "First Name (Billing)",
    "Last Name (Billing)",
    "Company (Billing)",
    "Address 1&2 (Billing)",
    "City (Billing)",
    "State Code (Billing)",
    "Postcode (Billing)",
    "Country Code (Billing)",
    "Email (Billing)",
    "Phone (Billing)",
    "First Name (Shipping)",
    "Last Name (Shipping)",
    "Address 1&2 (Shipping)",
    "City (Shipping)",
    "State Code (Shipping)",
    "Postcode (Shipping)",
    "Country Code (Shipping)",
    "Payment Method Title",
    "Cart Discount Amount",
    "Order Subtotal Amount",
    "Shipping Method Title",
    "Order Shipping Amount",
    "Order Refund Amount",
    "Order Total Amount",
    "Order Total Tax Amount",
    "Order Currency",
    "SKU",
    "Item #",
    "Item Name",
    "Quantity (- Refund)",
    "Quantity",
    "Item Cost",
    "Order Line Total",
    "Coupon Code",
    "Discount Amount",
    "Discount Amount Tax",
)
# The platform knows no test orders: the owner cancels them by hand.
_STATUS = {"sold": "Completed", "cancelled": "Cancelled", "test": "Cancelled", "unpaid": "Pending payment"}


def write_woocommerce(orders: tuple[Order, ...]) -> bytes:
    """Write an export with the mark of a byte order in front, as spreadsheet programs like it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for order in orders:
        for place, line in enumerate(order.lines):
            writer.writerow(_cells(order, line, place + 1))
    return text.getvalue().encode("utf-8-sig")


def _cells(order: Order, line: Line, place: int) -> dict[str, object]:
    person = order.person
    where = {"City": person.city, "Postcode": person.postcode, "Country Code": "DE", "Address 1&2": person.street}
    named = {"First Name": person.first_name, "Last Name": person.last_name}
    sides = {f"{what} ({side})": cell for side in ("Billing", "Shipping") for what, cell in (where | named).items()}
    is_refunded = order.refunded > 0 and order.refunded >= order.total
    return {
        "Order Number": order.number,
        "Order Status": "Refunded" if is_refunded else _STATUS[order.state],
        "Order Date": order.at.strftime("%Y-%m-%d %H:%M"),
        "Customer Note": order.note,
        "Email (Billing)": person.email,
        "Phone (Billing)": person.telephone,
        **sides,
        "Payment Method Title": "PayPal",
        "Cart Discount Amount": "0.00",
        "Order Subtotal Amount": f"{order.total:.2f}",
        "Shipping Method Title": "Flat rate",
        "Order Shipping Amount": "0.00",
        "Order Refund Amount": f"{order.refunded:.2f}",
        "Order Total Amount": f"{order.total:.2f}",
        "Order Total Tax Amount": "0.00",
        "Order Currency": order.currency,
        "SKU": line.product.code,
        "Item #": place,
        "Item Name": line.product.name,
        "Quantity (- Refund)": line.quantity - line.returned,
        "Quantity": line.quantity,
        "Item Cost": f"{line.price:.2f}",
        "Order Line Total": f"{line.amount:.2f}",
    }
