"""WooCommerce: its own table of orders, and what the common export plugins write, one row a line.

Read: the plugins' sources and files that shops exported with them. The own table (Analytics, Orders) has one row an
order, its products in one cell as "2× Mug, 1× Plate". The plugins write states in the shop's language or as slugs.
"""

from client.shop.export.description import Export
from client.shop.record import State

_STATES: dict[State, tuple[str, ...]] = {
    "sold": (
        "completed", "processing", "refunded", "shipped", "partially refunded", "wc-completed", "wc-processing",
        "wc-refunded", "abgeschlossen", "fertiggestellt", "in bearbeitung", "rückerstattet", "erstattet", "已完成",
        "处理中", "正在处理", "已退款",
    ),
    "unpaid": (
        "pending", "pending payment", "on-hold", "on hold", "failed", "draft", "checkout-draft", "wc-pending",
        "wc-on-hold", "wc-failed", "wc-checkout-draft", "zahlung ausstehend", "ausstehende zahlung",
        "in wartestellung", "wartend", "fehlgeschlagen", "entwurf",
        "待付款", "等待付款", "待处理", "保留", "失败", "草稿",
    ),
    "cancelled": ("cancelled", "canceled", "trash", "wc-cancelled", "storniert", "papierkorb", "已取消"),
}  # fmt: skip
_REFUNDED = ("refunded", "wc-refunded", "rückerstattet", "erstattet", "已退款")

EXPORTS = (
    Export(
        format="woocommerce",
        title="WooCommerce orders, a row a line",
        columns={
            "order": ("Order Number", "order_number", "Order ID", "order_id", "Bestellnummer", "订单号", "订单编号"),
            "line": ("item_id", "Item ID", "Order Item ID", "line_item_id", "Order Line ID"),
            "day": (
                "Order Date", "order_date", "date", "Order Created Date", "Bestelldatum", "订单日期", "下单日期",
            ),
            "updated": ("Modified Date", "date_modified", "order_modified_date", "Order Modified Date"),
            "paid": ("Paid Date", "date_paid", "paid_date"),
            "sku": ("SKU", "item_sku", "Item SKU", "Artikelnummer"),
            "variation": ("Variation Id", "variation_id", "Variation ID", "item_variation_id"),
            "product": ("Product Id", "item_product_id", "product_id", "Item Product ID"),
            "variant": ("Product Variation", "variation"),
            "title": ("Item Name", "item_name", "Product Name", "Artikelname", "Produktname", "商品名称"),
            "category": ("Category", "Categories", "Product Categories"),
            "customer": ("Customer User ID", "customer_id", "Customer ID", "customer_user", "User ID"),
            "email": (
                "Email (Billing)", "billing_email", "Billing Email", "Billing Email Address", "customer_email",
                "E-Mail (Rechnung)",
            ),
            "phone": ("Phone (Billing)", "billing_phone", "Billing Phone"),
            "quantity": ("Quantity", "item_quantity", "Item Quantity", "Qty", "Menge", "数量"),
            "net_quantity": ("Quantity (- Refund)",),
            "returned": ("item_refunded_qty", "Item Refunded Quantity", "Quantity Refunded"),
            "line_refund": ("item_refunded", "Item Refunded", "Order Line Total Refunded"),
            "amount": ("Order Line Total", "item_total", "Item Total", "Order Line (w/o tax)", "Line Total"),
            "price": ("Item Cost", "Item Price", "item_price"),
            "currency": ("Order Currency", "order_currency", "Currency"),
            "state": ("Order Status", "status", "order_status", "Bestellstatus", "订单状态"),
            "payment": ("Payment Method Title", "Payment Method", "payment_method"),
            "refund": ("Order Refund Amount", "refunded_total", "Order Refunded Amount", "Refund Amount"),
            "parent": ("Bundled By", "bundled_by", "_bundled_by", "item_bundled_by", "Composite Parent"),
        },
        needed=("order", "day", "title"),
        marks=(
            "Quantity (- Refund)", "Item #", "Item Cost", "item_product_id", "Item Product ID", "item_refunded_qty",
            "Email (Billing)", "billing_email", "Billing Email", "Order Line Total", "Payment Method Title",
            "order_number_formatted",
        ),
        states=_STATES,
        refunded=_REFUNDED,
    ),
    Export(
        format="woocommerce",
        title="WooCommerce Analytics, orders",
        columns={
            "order": ("Order #", "Bestellung #", "Bestellung Nr.", "订单 #", "订单号"),
            "day": ("Date", "Datum", "日期"),
            "items": ("Product(s)", "Produkt(e)", "商品", "产品"),
            "state": ("Status", "状态"),
        },
        needed=("order", "day", "items"),
        marks=("N. Revenue", "N. Revenue (formatted)", "Items sold", "N. Umsatz", "Verkaufte Artikel", "Customer type"),
        states=_STATES,
        refunded=_REFUNDED,
        advice=("it has no product numbers, amounts of lines or customers; a plugin's export, a row a line, has",),
    ),
)  # fmt: skip
