"""Shopify's export of orders. What each order must become is worked out by hand beside it."""

from datetime import date

HEADER = (
    "Name,Email,Financial Status,Currency,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    "Lineitem sku,Lineitem discount,Cancelled at,Payment Method,Refunded Amount,Tags\n"
)
# 1001: two lines, paid; the second line holds nothing of the order. 1002: cancelled. 1003: refunded whole.
# 1004: a part went back. 1005: not paid. 1006: a test. 1007: voided.
ORDERS = HEADER + (
    "#1001,Ann@example.com,paid,EUR,2026-03-01 10:00:00 +0100,2,Tea,4.50,T-1,1.00,,Card,0.00,\n"
    "#1001,Ann@example.com,,,,3,Mug,10.00,M-1,0.00,,,,\n"
    "#1002,bob@a.co,paid,EUR,2026-03-02 10:00:00 +0100,1,Mug,10.00,M-1,0.00,2026-03-02 11:00:00 +0100,Card,0.00,\n"
    '#1003,cy@example.com,refunded,EUR,2026-03-03 10:00:00 +0100,1,Mug,10.00,M-1,0.00,,Card,14.90,""\n'
    '#1004,dee@example.com,partially_refunded,EUR,2026-03-04 10:00:00 +0100,4,Mug,10.00,M-1,0.00,,Card,10.00,""\n'
    "#1005,eve@example.com,pending,EUR,2026-03-05 10:00:00 +0100,1,Mug,10.00,M-1,0.00,,Card,0.00,\n"
    '#1006,fay@example.com,paid,EUR,2026-03-06 10:00:00 +0100,1,Mug,10.00,M-1,0.00,,bogus,0.00,""\n'
    "#1007,gus@example.com,voided,EUR,2026-03-07 10:00:00 +0100,1,Mug,10.00,M-1,0.00,,Card,0.00,\n"
)


def test_every_line_of_an_order_has_what_its_first_line_says(convert, facts):
    converted = convert(ORDERS, "shopify")
    sales = facts(converted, "sales", "order", "line", "day", "product", "customer", "quantity", "amount", "state")
    assert sales[:2] == [
        ("#1001", "T-1", date(2026, 3, 1), "T-1", "ann@example.com", 2.0, 8.0, "sold"),  # 2 * 4.50 - 1.00
        ("#1001", "M-1", date(2026, 3, 1), "M-1", "ann@example.com", 3.0, 30.0, "sold"),
    ]
    assert converted.left_out == ()


def test_orders_that_are_no_demand_say_so(convert, facts):
    states = dict(facts(convert(ORDERS, "shopify"), "sales", "order", "state"))
    assert states == {
        "#1001": "sold", "#1002": "cancelled", "#1003": "sold", "#1004": "sold", "#1005": "unpaid", "#1006": "test",
        "#1007": "unpaid",
    }  # fmt: skip


def test_money_that_went_back_is_a_return_of_the_order_and_the_sale_stays(convert, facts):
    converted = convert(ORDERS, "shopify")
    returns = facts(converted, "returns", "order", "line", "day", "product", "quantity", "amount")
    assert returns == [("#1003", "", None, "", None, 14.9), ("#1004", "", None, "", None, 10.0)]
    assert sum(quantity for (quantity,) in facts(converted, "sales", "quantity")) == 14


def test_an_order_that_was_cancelled_is_no_return(convert, facts):
    text = (
        HEADER
        + "#1,a@b.co,refunded,EUR,2026-03-02 10:00:00 +0100,1,Mug,10.00,M,0,2026-03-02 11:00:00 +0100,Card,10.00,\n"
    )
    converted = convert(text, "shopify")
    assert facts(converted, "sales", "state") == [("cancelled",)]
    assert "returns" not in converted.records
