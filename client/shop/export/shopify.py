"""Shopify's export of orders: one row a line, what belongs to the order in its first row only.

Read: headers and cells of orders exported by hand, the app's help on exporting orders. Names are written in English
whatever the language of the shop. "Refunded Amount" belongs to the order; which lines went back is not said.
"""

from client.shop.export.description import Export

EXPORTS = (
    Export(
        format="shopify",
        title="Shopify orders",
        columns={
            "order": ("Name",),
            "day": ("Created at",),
            "sku": ("Lineitem sku",),
            "title": ("Lineitem name",),
            "customer": ("Customer ID", "Customer Id"),
            "email": ("Email",),
            "phone": ("Phone", "Billing Phone"),
            "quantity": ("Lineitem quantity",),
            "price": ("Lineitem price",),
            "discount": ("Lineitem discount",),
            "currency": ("Currency",),
            "state": ("Financial Status",),
            "cancelled": ("Cancelled at",),
            "payment": ("Payment Method",),
            "tags": ("Tags",),
            "refund": ("Refunded Amount",),
            "updated": ("Updated at",),
        },
        needed=("order", "day", "quantity", "title"),
        marks=("Lineitem quantity", "Lineitem name"),
        states={
            "sold": ("paid", "authorized", "partially_paid", "partially_refunded", "refunded"),
            "unpaid": ("pending", "voided", "expired", "unpaid"),
        },
        refunded=("refunded",),
        advice=("a bundle counts as the lines that the export writes for it",),
    ),
)
