"""Exports of shops and marketplaces, as the platforms write them; what becomes of each line is worked out by hand."""

from datetime import date

import pytest

from client.shop.settings import Dialect
from common.errors import ConfigError, DataError

WOO = (
    "Order Number,Order Status,Order Date,Email (Billing),Item #,SKU,Item Name,Quantity,Quantity (- Refund),Item Cost,"
    "Order Line Total,Order Line Total Refunded,Order Currency,Bundled By\n"
    "501,Completed,2026-01-15 12:00:00,a@b.co,1,M-1,Mug,3,1,10.00,30.00,20.00,EUR,\n"  # two of three came back
    "501,Completed,2026-01-15 12:00:00,a@b.co,2,T-1,Tea,1,1,5.00,5.00,0,EUR,\n"
    "502,Cancelled,2026-01-16 12:00:00,c@d.co,1,M-1,Mug,1,1,10.00,10.00,0,EUR,\n"
    "503,Zahlung ausstehend,2026-01-17 12:00:00,c@d.co,1,M-1,Mug,1,1,10.00,10.00,0,EUR,\n"
    "504,Refunded,2026-01-18 12:00:00,e@f.co,1,M-1,Mug,1,1,10.00,10.00,0,USD,\n"  # whole order; 1 USD is 0.9 EUR
    "505,Processing,2026-01-19 12:00:00,g@h.co,1,SET,Tea set,1,1,12.00,12.00,0,EUR,\n"  # a bundle of mug and tea
    "505,Processing,2026-01-19 12:00:00,g@h.co,2,M-1,Mug,1,1,0.00,0.00,0,EUR,SET\n"
    "505,Processing,2026-01-19 12:00:00,g@h.co,3,T-1,Tea,2,2,0.00,0.00,0,EUR,SET\n"
    "506,Processing,2026-01-20 12:00:00,i@j.co,1,,Shipping,1,1,4.00,4.00,0,EUR,\n"
)


def test_woocommerce_counts_as_ordered_and_takes_back_what_came_back(convert, facts):
    converted = convert(WOO, "woocommerce")
    assert facts(converted, "sales", "order", "product", "quantity", "amount", "state")[:5] == [
        ("501", "M-1", 3.0, 30.0, "sold"),
        ("501", "T-1", 1.0, 5.0, "sold"),
        ("502", "M-1", 1.0, 10.0, "cancelled"),
        ("503", "M-1", 1.0, 10.0, "unpaid"),
        ("504", "M-1", 1.0, 9.0, "sold"),
    ]
    assert facts(converted, "returns", "order", "line", "product", "quantity", "amount") == [
        ("501", "M-1", "M-1", 2.0, 20.0),
        ("504", "", "", None, None),
    ]


def test_a_bundle_counts_as_its_parts_once(convert, facts):
    converted = convert(WOO, "woocommerce")
    parts = [each for each in facts(converted, "sales", "order", "product", "quantity", "amount") if each[0] == "505"]
    assert parts == [("505", "M-1", 1.0, None), ("505", "T-1", 2.0, None)]  # money stood on the bundle
    reasons = {each.reason: (each.count, each.is_fault) for each in converted.left_out}
    assert reasons["the line is a bundle, and its parts are counted"] == (1, False)
    assert reasons["the line is no product (shipping, a tip, a discount, a gift card)"] == (1, False)


def test_woocommerce_analytics_has_a_line_for_each_product_of_its_cell(convert, facts):
    text = (
        "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Coupon(s),N. Revenue\n"
        '2026-01-15 12:00:00,501,"€ 35.00",completed,Ann Lee,new,"2× Mug, blue, 1× Tea",3,,35\n'
    )
    converted = convert(text, "woocommerce")
    assert facts(converted, "sales", "order", "line", "product", "quantity", "amount", "customer") == [
        ("501", "Mug, blue", "Mug, blue", 2.0, None, ""),
        ("501", "Tea", "Tea", 1.0, None, ""),
    ]


AMAZON = (
    "amazon-order-id\tpurchase-date\tlast-updated-date\torder-status\tsales-channel\tproduct-name\tsku\tasin\t"
    "item-status\tquantity\tcurrency\titem-price\titem-promotion-discount\tship-city\n"
    "302-1\t2026-03-28T23:30:00+00:00\t2026-03-30T08:00:00+00:00\tShipped\tAmazon.de\tMug\tM-1\tB01\tShipped\t2\tEUR\t20.00\t1.50\tBonn\n"
    "302-2\t2026-03-29T22:30:00+00:00\t2026-03-30T08:00:00+00:00\tPending\tAmazon.de\tMug\tM-1\tB01\tUnshipped\t1\t\t\t\tBonn\n"
    "302-3\t2026-03-30T10:00:00+00:00\t2026-03-30T12:00:00+00:00\tCancelled\tAmazon.de\tMug\tM-1\tB01\tCancelled\t1\t\t\t\tBonn\n"
    "S01-4\t2026-03-30T10:00:00+00:00\t2026-03-30T12:00:00+00:00\tShipped\tNon-Amazon\tMug\tM-1\tB01\tShipped\t1\tEUR\t0\t\tBonn\n"
)


def test_amazon_days_are_those_of_the_shops_clock_on_both_sides_of_summer_time(convert, facts):
    converted = convert(AMAZON, "amazon", separator="\t")
    assert facts(converted, "sales", "order", "day", "second", "quantity", "amount", "state") == [
        ("302-1", date(2026, 3, 29), 1800, 2.0, 18.5, "sold"),  # 23:30 in Greenwich is 0:30 in Berlin, an hour ahead
        ("302-2", date(2026, 3, 30), 1800, 1.0, None, "unpaid"),  # 22:30 is 0:30, two hours ahead since that night
        ("302-3", date(2026, 3, 30), 43200, 1.0, None, "cancelled"),
    ]
    updated = [str(moment) for (moment,) in facts(converted, "sales", "updated")]
    assert updated[0] == "2026-03-30 08:00:00"
    assert [each.reason for each in converted.left_out] == ["the order is of another channel, and counts there"]


def test_amazon_lines_of_the_report_to_fulfil_have_their_own_numbers(convert, facts):
    text = (
        "order-id\torder-item-id\tpurchase-date\tpayments-date\tbuyer-email\tsku\tproduct-name\tquantity-purchased\titem-price\n"
        "305-1\t771\t2026-01-05T10:00:00+01:00\t2026-01-05T10:00:00+01:00\tX@marketplace.amazon.de\tM-1\tMug\t2\t20.00\n"
        "305-1\t772\t2026-01-05T10:00:00+01:00\t\tX@marketplace.amazon.de\tM-1\tMug\t1\t10.00\n"
    )
    converted = convert(text, "amazon", separator="\t")
    assert facts(converted, "sales", "order", "line", "quantity", "state", "customer") == [
        ("305-1", "771", 2.0, "sold", "x@marketplace.amazon.de"),
        ("305-1", "772", 1.0, "sold", "x@marketplace.amazon.de"),  # paid as the order's first line was
    ]


def test_amazon_returns_are_returns(convert, facts):
    text = (
        "return-date\torder-id\tsku\tasin\tproduct-name\tquantity\tdetailed-disposition\tlicense-plate-number\tcustomer-comments\n"
        "2026-02-05T15:31:40+00:00\t302-1\tM-1\tB01\tMug\t1\tSELLABLE\tLPN1\tcall me on 0171 2345678\n"
    )
    converted = convert(text, "amazon", separator="\t", kind="returns")
    assert facts(converted, "returns", "order", "line", "day", "product", "quantity", "amount") == [
        ("302-1", "LPN1", date(2026, 2, 5), "M-1", 1.0, None)
    ]
    assert "sales" not in converted.records


EBAY = (
    "Sales Record Number,Order Number,Buyer Username,Buyer Email,Ship To Phone,Item Number,Item Title,Custom Label,"
    "Quantity,Sold For,Total Price,Sale Date,Paid On Date,Transaction ID\n"
    ",,,,,,,,,,,,,\n"
    '11,10-1,tea_lover,a@b.co,,40011,Mug,M-1,2,"$10.00","$24.00",Mar-28-26,Mar-28-26,900\n'
    '12,10-2,bob,b@b.co,,,,,3,,"$35.00",Mar-29-26,Mar-29-26,\n'  # an order of two lines: a row of its own first
    '12,10-2,,,,40011,Mug,M-1,1,"$10.00",,Mar-29-26,,901\n'
    '12,10-2,,,,40012,Tea,T-1,2,"$5.00",,Mar-29-26,,902\n'
    '13,10-3,cy,c@b.co,,40011,Mug,M-1,1,"$10.00","$10.00",Mar-30-26,,903\n'
    "3,record(s) downloaded,from Mar-01-26 00:00:00 to Mar-31-26 23:59:59,,,,,,,,,,,\n"
    "Seller ID : tea,,,,,,,,,,,,,\n"
)


def test_ebay_takes_what_belongs_to_the_order_from_its_own_row_and_no_footer(convert, facts):
    converted = convert(EBAY, "ebay", dialect=Dialect(dates="mdy"))
    assert facts(converted, "sales", "order", "line", "day", "product", "customer", "quantity", "amount", "state") == [
        ("10-1", "900", date(2026, 3, 28), "M-1", "a@b.co", 2.0, 18.0, "sold"),  # 2 * 10 USD at 0.9
        ("10-2", "901", date(2026, 3, 29), "M-1", "b@b.co", 1.0, 9.0, "sold"),
        ("10-2", "902", date(2026, 3, 29), "T-1", "b@b.co", 2.0, 9.0, "sold"),
        ("10-3", "903", date(2026, 3, 30), "M-1", "c@b.co", 1.0, 9.0, "unpaid"),
    ]
    assert not any(each.is_fault for each in converted.left_out)


def test_ebay_in_german_is_read_alike(convert, facts):
    text = (
        "Verkaufsprotokollnummer;Bestellnummer;Nutzername des Käufers;Artikelnummer;Angebotstitel;Bestandseinheit;"
        "Anzahl;Verkauft für;Verkauft am;Zahlungsdatum\n"
        "1;23-12345;buyer;40011;Becher;M-1;2;1.116,99 €;10-Dez-25;10-Dez-25\n"
    )
    german = Dialect(separator=";", decimal=",", thousands=".", dates="dmy")
    converted = convert(text, "ebay", separator=";", dialect=german)
    assert facts(converted, "sales", "order", "day", "product", "quantity", "amount", "currency") == [
        ("23-12345", date(2025, 12, 10), "M-1", 2.0, 2233.98, "EUR")
    ]


LINES = (
    "子订单编号,主订单编号,买家会员名,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码,买家实付金额,"
    "退款状态,退款金额,订单创建时间,订单付款时间\n"
    '"=""7001""","=""700""",茶友,杯子,10.00,2,,蓝色,,,交易成功,M-1,20.00,,0,2026-03-01 00:30:00,2026-03-01 00:31:00\n'
    '"=""7002""","=""700""",茶友,茶,5.00,1,,,,,交易成功,T-1,5.00,退款成功,5,2026-03-01 00:30:00,2026-03-01 00:31\n'
    "7101,710,小明,杯子,10.00,1,,,,,交易关闭,M-1,10.00,,,2026-03-02 12:00:00,\n"  # closed, never paid
    "7201,720,小红,杯子,10.00,1,,,,,交易关闭,M-1,10.00,退款成功,10.00,2026-03-03 12:00:00,2026-03-03 12:01:00\n"
    "7301,730,小李,杯子,10.00,1,,,,,等待买家付款,M-1,10.00,,,2026-03-04 12:00:00,\n"
    '7401,740,小王,杯子,10.00,1,,,,,"买家已付款,等待卖家发货",M-1,10.00,,,2026-03-05 12:00:00,2026-03-05 12:01:00\n'
)


def test_taobao_lines_have_beijing_times_states_and_refunds(convert, facts):
    converted = convert(LINES, "taobao")
    assert facts(converted, "sales", "order", "line", "day", "product", "quantity", "amount", "state") == [
        (
            "700",
            "7001",
            date(2026, 2, 28),
            "M-1",
            2.0,
            2.6,
            "sold",
        ),  # 0:30 in Beijing is 17:30 in Berlin
        ("700", "7002", date(2026, 2, 28), "T-1", 1.0, 0.65, "sold"),
        ("710", "7101", date(2026, 3, 2), "M-1", 1.0, 1.3, "cancelled"),
        ("720", "7201", date(2026, 3, 3), "M-1", 1.0, 1.3, "sold"),
        ("730", "7301", date(2026, 3, 4), "M-1", 1.0, 1.3, "unpaid"),
        ("740", "7401", date(2026, 3, 5), "M-1", 1.0, 1.3, "sold"),
    ]
    assert facts(converted, "returns", "order", "line", "quantity", "amount") == [
        ("700", "7002", 1.0, 0.65),
        ("720", "7201", 1.0, 1.3),
    ]
    assert facts(converted, "sales", "customer")[0] == ("茶友",)


ORDERS = (
    "订单编号,买家会员名,买家支付宝账号,总金额,买家实际支付金额,订单状态,收货人姓名,订单创建时间,订单付款时间,宝贝标题,宝贝种类,宝贝总数量\n"
    "800,茶友,x@y.cn,25,25,交易成功,王,2026-03-01 12:00:00,2026-03-01 12:01:00,杯子，茶,2,3\n"
    "801,小明,z@y.cn,10,10,交易成功,李,2026-03-02 12:00:00,2026-03-02 12:01:00,杯子,1,4\n"
)
OLD_LINES = (
    "订单编号,标题,价格,购买数量,外部系统编号,商品属性,套餐信息,备注,订单状态,商家编码\n"
    "800,杯子,10.00,2,,,,,交易成功,M-1\n800,茶,5.00,1,,,,,交易成功,T-1\n801,杯子,2.50,4,,,,,交易成功,M-1\n"
)


@pytest.mark.parametrize("first", ["orders", "lines"])
def test_both_taobao_reports_together_give_each_line_the_day_of_its_order(convert, facts, first):
    converted = convert([ORDERS, OLD_LINES] if first == "orders" else [OLD_LINES, ORDERS], "taobao")
    assert sorted(facts(converted, "sales", "order", "line", "day", "quantity", "customer")) == [
        ("800", "M-1", date(2026, 3, 1), 2.0, "茶友"),
        ("800", "T-1", date(2026, 3, 1), 1.0, "茶友"),
        ("801", "M-1", date(2026, 3, 2), 4.0, "小明"),
    ]
    assert converted.left_out == ()


def test_the_report_of_taobao_orders_alone_counts_orders_of_one_product(convert, facts):
    converted = convert(ORDERS, "taobao")
    assert facts(converted, "sales", "order", "product", "quantity", "amount") == [("801", "杯子", 4.0, 1.3)]
    assert [(each.count, each.is_fault) for each in converted.left_out] == [(1, True)]


def test_old_taobao_lines_alone_have_no_day_and_say_so(convert):
    converted = convert(OLD_LINES, "taobao")
    assert converted.records == {}
    assert [(each.reason, each.count) for each in converted.left_out] == [("no line of the order says its day", 3)]
    assert "宝贝报表" in converted.left_out[0].advice


JD = (
    "订单号,商品ID,商品名称,订购数量,支付方式,下单时间,京东价,订单金额,应付金额,订单状态,下单帐号,客户姓名,客户地址,联系电话,货号,套装ID\n"
    "9001,1001,杯子,2,在线支付,2026-03-01 12:00:00,10.00,25.00,25.00,完成,jd_tea,王小明,北京,13800138000,M-1,\n"
    "9001,1002,茶,1,,,5.00,,,,,,,,T-1,\n"  # what belongs to the order stands in its first row
    "9002,1001,杯子,1,在线支付,2026-03-02 12:00:00,10.00,10.00,10.00,(删除)等待出库,jd_bob,李,上海,,M-1,\n"
    "9003,1001,杯子,1,货到付款,2026-03-03 12:00:00,10.00,10.00,10.00,等待付款,jd_cy,张,广州,,M-1,\n"
    "9004,2001,茶具套装,1,在线支付,2026-03-04 12:00:00,12.00,12.00,12.00,完成,jd_di,赵,深圳,,SET,\n"
    "9004,1001,杯子,1,,,0,,,,,,,,M-1,SET\n9004,1002,茶,2,,,0,,,,,,,,T-1,SET\n"
)


def test_jd_lines_states_and_sets(convert, facts):
    converted = convert(JD, "jd")
    assert facts(converted, "sales", "order", "product", "customer", "quantity", "amount", "state") == [
        ("9001", "M-1", "13800138000", 2.0, 2.6, "sold"),
        ("9001", "T-1", "13800138000", 1.0, 0.65, "sold"),
        ("9002", "M-1", "jd_bob", 1.0, 1.3, "cancelled"),
        ("9003", "M-1", "jd_cy", 1.0, 1.3, "unpaid"),
        ("9004", "M-1", "jd_di", 1.0, None, "sold"),
        ("9004", "T-1", "jd_di", 2.0, None, "sold"),
    ]


def test_a_table_that_is_not_the_export_it_is_said_to_be_is_refused(convert):
    with pytest.raises(DataError, match="lacks columns that every known export of shopify has"):
        convert("a,b\n1,2\n", "shopify")


def test_a_line_without_a_number_is_named_by_the_next_best_that_it_has(convert, facts):
    text = (
        "order_id,date,status,item_id,item_sku,variation_id,item_product_id,variation,item_name,item_quantity,billing_email\n"
        "1,2026-01-05,completed,1,M-1,0,70,,Mug,1,a@b.co\n1,2026-01-05,completed,2,,801,80,blue,Cup,1,a@b.co\n"
        "1,2026-01-05,completed,3,,0,80,red,Cup,1,a@b.co\n1,2026-01-05,completed,4,,,,,Plate,1,a@b.co\n"
        "1,2026-01-05,completed,5,,,,large,Plate,1,a@b.co\n"
    )
    converted = convert(text, "woocommerce")
    names = [name for (name,) in facts(converted, "sales", "product")]
    assert names == ["M-1", "801", "80 / red", "Plate", "Plate / large"]
    assert facts(converted, "products", "product", "name")[:2] == [("M-1", "Mug"), ("801", "Cup")]


def test_rows_without_an_orders_number_belong_to_nobody_and_are_counted(convert, facts):
    text = (
        "Order Number,Order Status,Order Date,SKU,Item Name,Quantity (- Refund),Item Cost\n"
        "501,completed,2026-01-15 12:00:00,M-1,Mug,1,10\n,,,T-1,Tea,2,5\n"
        "502,completed,2026-01-16 12:00:00,M-1,Mug,1,10\n"
    )
    converted = convert(text, "woocommerce")
    assert [order for (order,) in facts(converted, "sales", "order")] == ["501", "502"]
    assert [(each.count, each.is_fault) for each in converted.left_out] == [(1, True)]


def test_a_table_that_lacks_what_its_kind_needs_is_refused(convert):
    with pytest.raises(ConfigError, match=r"does not say which column holds the day; add columns\.day in shop\.toml"):
        convert("sku,qty\nA,1\n", columns={"product": "sku", "quantity": "qty"})
