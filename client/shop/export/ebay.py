"""eBay's report of orders: words before the header, an empty row behind it, a footer, amounts with their currency.

Read: files that sellers downloaded, in English and German. An order of several lines has a row of its own, without an
item, before them. There is no state: an order that was not paid has no day of payment. "Sold For" is of one piece.
"""

from client.shop.export.description import Export

EXPORTS = (
    Export(
        format="ebay",
        title="eBay orders",
        columns={
            "order": ("Order Number", "Order ID", "Bestellnummer", "Sales Record Number", "Verkaufsprotokollnummer"),
            "line": ("Transaction ID", "Transaktions-ID", "Transaktionsnummer"),
            "day": ("Sale Date", "Verkauft am", "Verkaufsdatum"),
            "paid": ("Paid On Date", "Paid on Date", "Zahlungsdatum", "Bezahldatum"),
            "sku": (
                "Custom Label", "Custom Label (SKU)", "Custom label", "Bestandseinheit", "Bestandseinheit (SKU)",
            ),
            "product": ("Item Number", "Item number", "Item ID", "Artikelnummer", "Artikelnr."),
            "variant": ("Variation Details", "Variation details", "Variantendetails"),
            "title": ("Item Title", "Item title", "Angebotstitel", "Artikelbezeichnung"),
            "user": (
                "Buyer Username", "Buyer username", "User Id", "Nutzername des Käufers", "Mitgliedsname",
            ),
            "email": ("Buyer Email", "Buyer email", "E-Mail des Käufers", "E-Mail-Adresse des Käufers"),
            "phone": ("Buyer Phone Number", "Ship To Phone", "Post to phone"),
            "quantity": ("Quantity", "Anzahl", "Stückzahl"),
            "price": ("Sold For", "Sold for", "Sale Price", "Verkauft für", "Verkaufspreis"),
        },
        needed=("order", "day", "quantity", "title"),
        marks=(
            "Sales Record Number", "Verkaufsprotokollnummer", "Sold For", "Verkauft für", "Buyer Username",
            "Nutzername des Käufers", "eBay Plus",
        ),
    ),
)  # fmt: skip
