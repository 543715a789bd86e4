"""One order with a name, an address, an e-mail address and a telephone number in every column that could hold one."""

import pytest

from client.shop.export.proposal import propose

NAME, STREET, TOWN = "Zacharias Canarybird", "Goldfinch Lane 17", "Featherton"
EMAIL, PHONE, NOTE = "canary@birdcage.example", "+49 171 5550199", "please ring Zacharias at +49 171 5550199"
SECRETS = ("Canarybird", "Goldfinch", "Featherton", "canary@birdcage", "5550199", "171 555")
P = {"name": NAME, "street": STREET, "town": TOWN, "mail": EMAIL, "phone": PHONE, "note": NOTE}

SHOPIFY = {
    "Name": "#1", "Email": EMAIL, "Financial Status": "paid", "Created at": "2026-03-01 10:00:00 +0100",
    "Currency": "EUR", "Lineitem quantity": "1", "Lineitem name": "Mug", "Lineitem price": "10",
    "Billing Name": NAME, "Billing Street": STREET, "Billing Address1": STREET, "Billing City": TOWN,
    "Billing Phone": PHONE,
    "Shipping Name": NAME, "Shipping Street": STREET, "Shipping City": TOWN, "Shipping Phone": PHONE, "Notes": NOTE,
    "Note Attributes": NOTE, "Phone": PHONE, "Billing Company": NAME, "Employee": NAME, "Payment Reference": EMAIL,
}  # fmt: skip
WOO = {
    "Order Number": "1", "Order Status": "Completed", "Order Date": "2026-03-01 10:00:00", "Customer Note": NOTE,
    "First Name (Billing)": NAME, "Last Name (Billing)": NAME, "Company (Billing)": NAME,
    "Address 1&2 (Billing)": STREET, "City (Billing)": TOWN, "Email (Billing)": EMAIL,
    "Phone (Billing)": PHONE, "First Name (Shipping)": NAME,
    "Address 1&2 (Shipping)": STREET, "Item #": "1", "SKU": "M-1", "Item Name": "Mug", "Quantity": "1",
    "Quantity (- Refund)": "1", "Item Cost": "10", "Payment Method Title": "PayPal " + EMAIL,
}  # fmt: skip
AMAZON = {
    "order-id": "1", "order-item-id": "7", "purchase-date": "2026-03-01T10:00:00+00:00",
    "payments-date": "2026-03-01T10:00:00+00:00", "buyer-email": EMAIL, "buyer-name": NAME, "buyer-phone-number": PHONE,
    "sku": "M-1", "product-name": "Mug", "quantity-purchased": "1", "currency": "EUR", "item-price": "10",
    "recipient-name": NAME, "ship-address-1": STREET, "ship-city": TOWN, "ship-phone-number": PHONE,
    "bill-address-1": STREET, "gift-message-text": NOTE,
}  # fmt: skip
EBAY = {
    "Sales Record Number": "1", "Order Number": "10-1", "Buyer Username": EMAIL, "Buyer Name": NAME,
    "Buyer Email": EMAIL, "Buyer Note": NOTE, "Buyer Address 1": STREET, "Buyer City": TOWN, "Ship To Name": NAME,
    "Ship To Phone": PHONE, "Ship To Address 1": STREET, "Item Number": "4", "Item Title": "Mug", "Custom Label": "M-1",
    "Quantity": "1", "Sold For": "$10.00", "Sale Date": "2026-03-01", "Paid On Date": "2026-03-01",
    "Transaction ID": "9",
}  # fmt: skip
TAOBAO = {
    "主订单编号": "1", "子订单编号": "11", "买家会员名": EMAIL, "买家支付宝账号": EMAIL, "标题": "Mug", "价格": "10",
    "购买数量": "1", "备注": NOTE, "买家留言": NOTE, "收货人姓名": NAME, "收货地址": STREET, "联系电话": PHONE,
    "联系手机": PHONE, "订单状态": "交易成功", "商家编码": "M-1", "订单创建时间": "2026-03-01 10:00:00",
    "发票抬头": NAME, "修改后的收货地址": STREET,
}  # fmt: skip
JD = {
    "订单号": "1", "商品ID": "7", "商品名称": "Mug", "订购数量": "1", "下单时间": "2026-03-01 10:00:00", "京东价": "10",
    "订单状态": "完成", "下单帐号": EMAIL, "客户姓名": NAME, "客户地址": STREET, "联系电话": PHONE, "订单备注": NOTE,
    "商家备注": NOTE, "发票抬头": NAME, "货号": "M-1",
}  # fmt: skip
TABLES = {
    "english": {
        "order id": "1", "order date": "2026-03-01", "sku": "M-1", "qty": "1", "customer name": NAME, "email": EMAIL,
        "phone": PHONE, "street": STREET, "city": TOWN, "comment": NOTE, "contact": EMAIL, "delivery address": STREET,
        "recipient": NAME, "status": "paid",
    },
    "german": {
        "Bestellnummer": "1", "Bestelldatum": "2026-03-01", "Artikelnummer": "M-1", "Menge": "1", "Vorname": NAME,
        "Nachname": NAME, "Kunde": NAME, "E-Mail-Adresse": EMAIL, "Telefonnummer": PHONE, "Straße": STREET,
        "Ort": TOWN, "Bemerkung": NOTE, "Empfänger": NAME, "Lieferadresse": STREET,
    },
    "chinese": {
        "订单号": "1", "下单时间": "2026-03-01", "商品编码": "M-1", "数量": "1", "姓名": NAME, "收货人": NAME,
        "手机": PHONE, "邮箱": EMAIL, "地址": STREET, "城市": TOWN, "备注": NOTE, "客户名称": NAME,
    },
}  # fmt: skip
ALL = {"shopify": SHOPIFY, "woocommerce": WOO, "amazon": AMAZON, "ebay": EBAY, "taobao": TAOBAO, "jd": JD, **TABLES}


def as_text(row: dict[str, str]) -> str:
    return "\n".join(",".join(f'"{cell}"' for cell in cells) for cells in (row.keys(), row.values()))


@pytest.mark.parametrize("name", ALL)
def test_no_secret_of_a_customer_is_shown_or_converted(convert, look, name):
    text = as_text(ALL[name])
    proposal = propose(look(text), name="orders")
    assert proposal is not None
    assert proposal.settings.format == (name if name not in TABLES else "table")
    said = f"{proposal.guesses} {proposal.questions} {proposal.settings.states}"
    assert not [secret for secret in SECRETS if secret in said]
    settings = proposal.settings
    converted = convert(
        text, settings.format, columns=settings.columns, states=settings.states, dialect=settings.dialect
    )
    assert converted.records["sales"].num_rows == 1
    for table in converted.records.values():
        kept = str([table[column].to_pylist() for column in table.column_names if column != "customer"])
        assert not [secret for secret in SECRETS if secret in kept]
    assert not [secret for secret in SECRETS if secret in f"{converted.left_out} {converted.notes}"]


@pytest.mark.parametrize("field", ["day", "quantity", "state", "currency", "price"])
@pytest.mark.parametrize("name", ALL)
def test_a_cell_that_has_moved_is_told_without_what_stands_in_it(convert, look, name, field):
    row = dict(ALL[name])
    settings = propose(look(as_text(row)), name="orders").settings
    if field not in settings.columns:
        return
    row[settings.columns[field]] = f"{NAME} {EMAIL}"  # as where a comma too many moves the cells of a row
    text = as_text(row)
    said = propose(look(text), name="orders")
    converted = convert(text, settings.format, columns=settings.columns, states=settings.states)
    kept = [table.drop_columns(["customer"]) for kind, table in converted.records.items() if kind != "products"]
    questions = said.questions if said else ()
    told = f"{converted.left_out} {converted.notes} {questions} {[table.to_pylist() for table in kept]}"
    assert not [secret for secret in SECRETS if secret in told]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("shopify", EMAIL), ("woocommerce", EMAIL), ("amazon", EMAIL), ("ebay", EMAIL), ("taobao", "491715550199")],
)
def test_customers_are_told_apart_by_e_mail_else_telephone(convert, name, expected):
    settings = {"shopify": {}}.get(name, {})
    assert convert(as_text(ALL[name]), name, **settings).records["sales"]["customer"].to_pylist() == [expected]


def test_one_customer_written_in_two_ways_is_one(convert):
    rows = [dict(SHOPIFY, Name="#1"), dict(SHOPIFY, Name="#2", Email=" Canary@BirdCage.example ")]
    rows += [dict(SHOPIFY, Name="#3", Email="", Phone="+49 (171) 555-0199"), dict(SHOPIFY, Name="#4", Email="")]
    rows[3]["Phone"] = "0049 171 5550199"
    text = "\n".join([as_text(rows[0]), *(as_text(row).split("\n")[1] for row in rows[1:])])
    first, second, third, fourth = convert(text, "shopify").records["sales"]["customer"].to_pylist()
    assert first == second == EMAIL
    assert third == fourth == "491715550199"
