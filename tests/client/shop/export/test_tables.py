"""Tables that are no known export, as `shop.toml` describes them."""

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from client.shop.export.conversion import Converter, merge
from client.shop.settings import Dialect, SourceSettings
from client.shop.source.source import Batch
from common.errors import DataError

SALES = {"day": "day", "product": "sku", "quantity": "qty", "order": "order", "amount": "amount", "currency": "money"}


def test_a_negative_quantity_is_a_return_and_zero_is_nothing(convert, facts):
    converted = convert(
        "day,sku,qty,order,amount,money\n2026-01-05,A,3,1,30,EUR\n2026-01-07,A,-1,1,-10,EUR\n2026-01-08,A,0,2,0,EUR\n",
        columns=SALES,
    )
    assert facts(converted, "sales", "order", "line", "day", "quantity", "amount") == [
        ("1", "A", date(2026, 1, 5), 3.0, 30.0)
    ]
    assert facts(converted, "returns", "order", "line", "day", "product", "quantity", "amount") == [
        ("1", "A", date(2026, 1, 7), "A", 1.0, 10.0)
    ]
    assert [(each.count, each.is_fault) for each in converted.left_out] == [(1, False)]


def test_amounts_are_in_the_shops_money_and_unknown_money_leaves_units_alone(convert, facts):
    converted = convert(
        "day,sku,qty,order,amount,money\n2026-01-05,A,1,1,10,usd\n2026-01-05,A,2,2,10,EUR\n2026-01-05,A,4,3,10,GBP\n",
        columns=SALES,
    )
    assert facts(converted, "sales", "quantity", "amount", "currency") == [
        (1.0, 9.0, "EUR"),
        (2.0, 10.0, "EUR"),
        (4.0, None, "GBP"),
    ]
    assert [(each.reason, each.count) for each in converted.notes] == [("amounts in GBP are not known in EUR", 1)]
    assert converted.left_out == ()


def test_each_row_that_cannot_be_used_is_left_out_by_itself_and_counted(convert, facts):
    converted = convert(
        "day,sku,qty,order,amount,money\n2026-01-05,A,1,1,10,EUR\n31.31.2026,A,1,2,10,EUR\n2026-01-05,,1,3,10,EUR\n"
        "2026-01-05,A,two,4,10,EUR\n2026-01-05,A,two,5,10,EUR\n2026-01-06,A,1,6,x,EUR\n",
        columns=SALES,
    )
    assert facts(converted, "sales", "order", "amount") == [("1", 10.0), ("6", None)]
    assert [(each.reason, each.count, each.example) for each in converted.left_out] == [
        ("no product stands in the line", 1, "the first in row 4"),
        ("the day cannot be read", 1, "the first in row 3"),
        ("the quantity is no number", 2, "the first in row 5"),
    ]


def test_one_product_twice_in_an_order_is_two_lines_whatever_their_order(convert, facts):
    rows = ["2026-01-05,A,1,7,10,EUR", "2026-01-05,B,1,7,10,EUR", "2026-01-05,A,4,7,40,EUR"]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        text = "\n".join(["day,sku,qty,order,amount,money", *(rows[place] for place in order)])
        lines = dict(facts(convert(text, columns=SALES), "sales", "line", "quantity"))
        assert lines == {"A": 4.0, "A#2": 1.0, "B": 1.0}


def test_rows_without_an_order_have_no_line(convert, facts):
    columns = {"day": "day", "product": "sku", "quantity": "qty"}
    converted = convert("day,sku,qty\n2026-01-05,A,1\n2026-01-05,A,1\n", columns=columns)
    assert facts(converted, "sales", "order", "line", "quantity", "amount") == [("", "", 1.0, None)] * 2


def test_days_of_the_two_offsets_of_summer_time_are_the_shops_own(convert, facts):
    columns = {"day": "at", "product": "sku", "quantity": "qty"}
    converted = convert(
        "at,sku,qty\n2026-03-29 00:30:00 +0100,A,1\n2026-03-29 03:30:00 +0200,A,1\n2026-10-25T00:30:00+02:00,A,1\n"
        "2026-10-25T23:30:00Z,A,1\n",
        columns=columns,
    )
    assert facts(converted, "sales", "day", "second") == [
        (date(2026, 3, 29), 1800),
        (date(2026, 3, 29), 12600),
        (date(2026, 10, 25), 1800),
        (date(2026, 10, 26), 1800),  # 23:30 in Greenwich, an hour ahead
    ]


def test_states_in_a_shops_own_words_say_what_is_demand(convert, facts):
    converted = convert(
        "day,sku,qty,state\n2026-01-05,A,1,Storniert\n2026-01-05,A,1,weg\n2026-01-05,A,1,erstattet\n2026-01-05,A,1,hmm\n",
        columns={"day": "day", "product": "sku", "quantity": "qty", "state": "state"},
        states={"cancelled": ("weg",)},
    )
    assert [state for (state,) in facts(converted, "sales", "state")] == ["cancelled", "cancelled", "sold", "sold"]
    assert facts(converted, "returns", "row", "quantity") == [(4, 1.0)]
    assert [each.reason for each in converted.notes] == ["the order's state is not known, and it counts as sold"]


def test_cells_that_an_orders_first_row_alone_fills_hold_for_its_other_rows(convert, facts):
    converted = convert(
        "day,sku,qty,order,who,state\n2026-01-05,A,1,1,K1,cancelled\n,B,2,1,,\n2026-01-06,A,3,2,K2,paid\n",
        columns={
            "day": "day",
            "product": "sku",
            "quantity": "qty",
            "order": "order",
            "customer": "who",
            "state": "state",
        },
    )
    assert facts(converted, "sales", "order", "day", "customer", "state") == [
        ("1", date(2026, 1, 5), "k1", "cancelled"),
        ("1", date(2026, 1, 5), "k1", "cancelled"),
        ("2", date(2026, 1, 6), "k2", "sold"),
    ]


def test_german_numbers_and_days_are_read_under_their_dialect(convert, facts):
    converted = convert(
        "day;sku;qty;price\n03.02.2026;100.0;1.200;1.000,50\n",
        separator=";",
        columns={"day": "day", "product": "sku", "quantity": "qty", "price": "price"},
        dialect=Dialect(separator=";", decimal=",", thousands=".", dates="dmy"),
    )
    assert facts(converted, "sales", "day", "product", "quantity", "amount") == [
        (date(2026, 2, 3), "100", 1200.0, 1200600.0)
    ]


def test_a_column_that_is_not_there_is_one_sentence(convert):
    with pytest.raises(DataError, match=r"names 'qty', which orders\.csv lacks"):
        convert("day,sku\n2026-01-05,A\n", columns={"day": "day", "product": "sku", "quantity": "qty"})


KINDS = {
    "views": ("day,sku,n\n2026-01-05,A,7\n2026-01-06,A,\n", {"day": "day", "product": "sku", "quantity": "n"},
              ("day", "product", "quantity"), [(date(2026, 1, 5), "A", 7.0), (date(2026, 1, 6), "A", 1.0)]),
    "carts": ("day,sku,n\n2026-01-05,A,7\n", {"day": "day", "product": "sku", "quantity": "n"},
              ("day", "product", "quantity"), [(date(2026, 1, 5), "A", 7.0)]),
    "searches": ("day,q\n2026-01-05,tea for ann@b.co\n", {"day": "day", "words": "q"},
                 ("day", "words", "quantity"), [(date(2026, 1, 5), "tea for ‹e-mail›", 1.0)]),
    "reviews": ("day,sku,stars,said\n2026-01-05,A,5,good; call +49 171 2345678\n",
                {"day": "day", "product": "sku", "rating": "stars", "text": "said"},
                ("product", "rating", "text"), [("A", 5.0, "good; call ‹telephone›")]),
    "stock": ("day,sku,n,gone\n2026-01-05,A,3,\n2026-01-05,B,0,\n2026-01-05,C,,sold out\n2026-01-05,D,,In stock\n",
              {"day": "day", "product": "sku", "on_hand": "n", "out": "gone"}, ("product", "on_hand", "out"),
              [("A", 3.0, False), ("B", 0.0, True), ("C", None, True), ("D", None, False)]),
    "prices": ("since,sku,p\n2026-01-05,A,3.50\n", {"first_day": "since", "product": "sku", "price": "p"},
               ("first_day", "last_day", "product", "price", "currency"),
               [(date(2026, 1, 5), None, "A", 3.5, "EUR")]),
    "promotions": ("a,b,sku,off\n2026-01-05,2026-01-07,A,20 %\n2026-01-09,,,15\n",
                   {"first_day": "a", "last_day": "b", "product": "sku", "discount": "off"},
                   ("first_day", "last_day", "product", "discount"),
                   [(date(2026, 1, 5), date(2026, 1, 7), "A", 0.2), (date(2026, 1, 9), date(2026, 1, 9), "", 0.15)]),
    "closures": ("a,b,why\n2026-12-24,2026-12-26,Christmas\n", {"first_day": "a", "last_day": "b", "name": "why"},
                 ("first_day", "last_day", "name"), [(date(2026, 12, 24), date(2026, 12, 26), "Christmas")]),
    "events": ("a,what\n2026-05-01,Fair\n", {"first_day": "a", "name": "what"},
               ("first_day", "last_day", "name"), [(date(2026, 5, 1), date(2026, 5, 1), "Fair")]),
    "products": ("sku,title,group\nA,Mug,Cups\n", {"product": "sku", "name": "title", "category": "group"},
                 ("product", "name", "category"), [("A", "Mug", "Cups")]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_record_is_read_from_its_table(convert, facts, kind):
    text, columns, wanted, expected = KINDS[kind]
    assert facts(convert(text, kind=kind, columns=columns), kind, *wanted) == expected


def test_returns_of_their_own_table_may_lack_a_day_or_a_product(convert, facts):
    converted = convert(
        "order,sku,n,at\n1,A,2,2026-02-01\n2,,1,\n3,B,,2026-02-01\n",
        kind="returns",
        columns={"order": "order", "product": "sku", "quantity": "n", "day": "at"},
    )
    assert facts(converted, "returns", "order", "day", "product", "quantity") == [
        ("1", date(2026, 2, 1), "A", 2.0),
        ("2", None, "", 1.0),
    ]
    assert [each.count for each in converted.left_out] == [1]


def test_typed_columns_of_a_database_are_read_as_their_types_say(shop, facts):
    rows = pa.table({
        "id": pa.array([12345, None, 12347]),
        "at": pa.array([datetime(2026, 3, 28, 23, 30), datetime(2026, 3, 29, 12), None], pa.timestamp("us", "UTC")),
        "sku": pa.array([7.0, 8.0, 9.0]),
        "n": pa.array([2, 3, 4], pa.int32()),
        "sum": pa.array([Decimal("10.50"), None, Decimal("1.00")], pa.decimal128(10, 2)),
        "state": pa.array(["paid", None, "paid"]).dictionary_encode(),
    })  # fmt: skip
    columns = {"order": "id", "day": "at", "product": "sku", "quantity": "n", "amount": "sum", "state": "state"}
    converter = Converter(SourceSettings(name="db", location="sqlite:///x", columns=columns), shop)
    converted = merge((converter.convert(Batch(rows, np.array([1, 2, 3]), unreadable=(9, 4))), converter.finish()))
    assert facts(converted, "sales", "order", "day", "second", "product", "quantity", "amount") == [
        ("12345", date(2026, 3, 29), 1800, "7", 2.0, 10.5),
        ("", date(2026, 3, 29), 50400, "8", 3.0, None),
    ]
    assert [(each.reason, each.count, each.example) for each in converted.left_out] == [
        ("the row cannot be read", 2, "the first in row 4"),
        ("no line of the order says its day", 1, "the first in row 3"),
    ]


def test_what_is_no_product_is_told_from_what_only_sounds_so(convert, facts):
    no_product = ["Shipping", "Versandkosten", "运费", "Tip", "Trinkgeld", "Rabatt", "Gift Card - $25", "Gift card",
                  "E-Gift Card", "Geschenkgutschein 50 €", "礼品卡 100元", "优惠", "gift wrapping"]  # fmt: skip
    product = ["Gift card holder", "Shipping box, small", "Tippy mug", "Discount Dave's tea", "Versandkarton",
               "优惠装茶叶", "Gutscheinbuch", "Gift cards and envelopes set"]  # fmt: skip
    text = "day,sku,qty\n" + "".join(f'2026-01-05,"{name}",1\n' for name in no_product + product)
    converted = convert(text, columns={"day": "day", "product": "sku", "quantity": "qty"})
    assert [name for (name,) in facts(converted, "sales", "product")] == product
    assert [(each.count, each.is_fault) for each in converted.left_out] == [(len(no_product), False)]


def test_a_table_of_products_says_each_name_once(convert, facts):
    text = "sku,title\nA,Mug\nA,Mug\nB,Tea\nA,Cup\n"
    converted = convert(text, kind="products", columns={"product": "sku", "name": "title"})
    assert facts(converted, "products", "row", "product", "name") == [(2, "A", "Mug"), (4, "B", "Tea"), (5, "A", "Cup")]
