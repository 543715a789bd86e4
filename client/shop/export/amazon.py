"""Amazon: the report of all orders, the report of orders to fulfil, and what customers sent back.

Read: Seller Central's description of the fields, and headers of such reports in public code. Reports are separated by
tabs, headers are English in every country, times are of UTC unless they say another offset. `item-price` is of the
whole line. Orders of another channel that Amazon only ships ("Non-Amazon") are that channel's sales.
"""

from client.shop.export.description import Export

_PRODUCT = {
    "sku": ("sku", "seller-sku", "merchant-sku", "Merchant SKU", "MSKU"),
    "product": ("asin", "ASIN"),
    "title": ("product-name", "title", "Item Name"),
}
_SOLD = ("shipped", "unshipped", "partiallyshipped", "partially shipped", "complete", "completed", "shipping",
         "shipped - delivered to buyer", "shipped - picked up", "shipped - returned to seller", "invoiced",
         "shipped - returning to seller", "shipped - out for delivery")  # fmt: skip

EXPORTS = (
    Export(
        format="amazon",
        title="Amazon, all orders",
        columns={
            **_PRODUCT,
            "order": ("amazon-order-id",),
            "line": ("order-item-id", "amazon-order-item-id"),
            "day": ("purchase-date",),
            "updated": ("last-updated-date",),
            "quantity": ("quantity", "quantity-purchased", "quantity-shipped"),
            "amount": ("item-price", "item price"),
            "discount": ("item-promotion-discount",),
            "currency": ("currency",),
            "state": ("order-status",),
            "line_state": ("item-status",),
            "channel": ("sales-channel",),
            "email": ("buyer-email",),
            "phone": ("buyer-phone-number",),
        },
        needed=("order", "day", "quantity", "sku"),
        marks=("amazon-order-id",),
        states={"sold": _SOLD, "cancelled": ("cancelled", "canceled"), "unpaid": ("pending", "pendingavailability")},
        zone="UTC",
    ),
    Export(
        format="amazon",
        title="Amazon, orders to fulfil",
        columns={
            **_PRODUCT,
            "order": ("order-id",),
            "line": ("order-item-id",),
            "day": ("purchase-date",),
            "paid": ("payments-date",),
            "quantity": ("quantity-purchased",),
            "amount": ("item-price",),
            "discount": ("item-promotion-discount",),
            "currency": ("currency",),
            "email": ("buyer-email",),
            "phone": ("buyer-phone-number",),
            "channel": ("sales-channel",),
        },
        needed=("order", "day", "quantity", "sku"),
        marks=("order-item-id", "payments-date", "quantity-purchased"),
        zone="UTC",
    ),
    Export(
        format="amazon",
        title="Amazon, returns",
        kind="returns",
        columns={
            **_PRODUCT,
            "order": ("order-id", "Order ID"),
            "line": ("license-plate-number", "Amazon RMA ID"),
            "day": ("return-date", "Return request date"),
            "quantity": ("quantity", "Return quantity"),
            "amount": ("Refunded Amount", "refunded-amount"),
            "currency": ("Currency code",),
        },
        needed=("order", "day", "quantity"),
        marks=("return-date", "license-plate-number", "detailed-disposition", "Return request date"),
        zone="UTC",
    ),
)
