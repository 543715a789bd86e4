import csv
import io
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from client.shop.invented.export import write_exports, write_side_tables
from client.shop.invented.german import german_number
from client.shop.invented.invention import Size, invent_shop
from client.shop.invented.shop import InventedShop

QUARTER = Size(first_day=date(2024, 3, 1), last_day=date(2024, 4, 30))


@pytest.fixture(scope="module")
def shop() -> InventedShop:
    return invent_shop(3, QUARTER)


def test_the_same_seed_gives_the_same_shop_and_another_one_another(shop: InventedShop) -> None:
    assert invent_shop(3, QUARTER) == shop
    assert invent_shop(4, QUARTER).orders != shop.orders


def test_the_truth_counts_what_was_ordered_in_orders_that_are_sold(shop: InventedShop) -> None:
    sold = [line for order in shop.orders if order.state == "sold" for line in order.lines]
    assert sum(shop.daily_demand().values()) == sum(line.quantity for line in sold)
    assert any(line.returned for line in sold)


def test_the_shop_has_every_oddity_that_a_reader_must_stand(shop: InventedShop) -> None:
    assert {order.state for order in shop.orders} == {"sold", "cancelled", "test", "unpaid"}
    assert {order.currency for order in shop.orders} == {"EUR", "CHF"}
    assert any(order.at.strftime("%H:%M") >= "23:30" for order in shop.orders)
    assert any(len({line.product for line in order.lines}) < len(order.lines) for order in shop.orders)
    assert "NA" in {product.name for product in shop.products}
    assert {order.at.utcoffset() for order in shop.orders if order.at.date() == date(2024, 3, 31)} == {
        datetime.fromisoformat(f"2024-03-31T12:00+0{hours}:00").utcoffset() for hours in (1, 2)
    }


def test_nothing_is_sold_on_sundays_but_in_the_night_of_the_hour_change(shop: InventedShop) -> None:
    sundays = {order.at.date() for order in shop.orders if order.at.weekday() == 6}
    assert sundays == {date(2024, 3, 31)}


def test_a_product_that_is_out_of_stock_sells_nothing(shop: InventedShop) -> None:
    empty = {key for key, count in shop.on_hand.items() if count == 0}
    assert empty
    assert not empty & shop.daily_demand().keys()


def test_no_two_customers_can_be_taken_for_each_other() -> None:
    people = invent_shop(0, Size(last_day=date(2024, 1, 2), num_people=900)).people
    assert len({text for person in people for text in person.private}) == 4 * 900


def test_bundles_come_by_a_flag_alone(shop: InventedShop) -> None:
    assert not any(product.parts for product in shop.products)
    assert any(product.parts for product in invent_shop(3, Size(last_day=date(2024, 1, 2), bundles=True)).products)


def test_shopify_writes_what_belongs_to_an_order_in_its_first_line_alone(shop: InventedShop, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(write_exports(shop, tmp_path)["shopify"].read_text())))
    firsts = Counter(row["Name"] for row in rows if row["Financial Status"])
    assert set(firsts.values()) == {1}
    assert len(firsts) == len(shop.orders) < len(rows)


def test_every_export_holds_every_line(shop: InventedShop, tmp_path: Path) -> None:
    lines = sum(len(order.lines) for order in shop.orders)
    paths = write_exports(shop, tmp_path)
    text = {
        "shopify": paths["shopify"].read_text(),
        "woocommerce": paths["woocommerce"].read_text("utf-8-sig"),
        "german": paths["german"].read_text("cp1252"),
        "taobao": paths["taobao"].read_text("gbk"),
    }
    for name, written in text.items():
        assert len(list(csv.reader(io.StringIO(written), delimiter=";" if name == "german" else ","))) == lines + 1, (
            name
        )
    sheet = CalamineWorkbook.from_path(paths["sheet"]).get_sheet_by_name("Verkäufe").to_python()
    assert len([row for row in sheet if isinstance(row[0], float)]) == lines
    with closing(sqlite3.connect(paths["sqlite"])) as database:
        assert database.execute("SELECT count(*) FROM order_lines").fetchone() == (lines,)


def test_side_tables_have_a_file_each(shop: InventedShop, tmp_path: Path) -> None:
    paths = write_side_tables(shop, tmp_path)
    assert set(paths) == {"stock_levels", "page_views", "reviews", "prices", "promotions"}
    assert all(len(path.read_text().splitlines()) > 1 for path in paths.values())


def test_the_workbook_says_the_same_to_another_reader(shop: InventedShop, tmp_path: Path) -> None:
    book = load_workbook(write_exports(shop, tmp_path)["sheet"], read_only=True)
    first, order = next(book["Verkäufe"].iter_rows(min_row=4, values_only=True)), shop.orders[0]
    book.close()
    assert first[0] == order.number
    assert abs((first[2] - order.at.replace(tzinfo=None)).total_seconds()) < 1
    assert first[3] == order.person.name


def test_german_numbers_have_points_for_thousands_and_a_decimal_comma() -> None:
    assert german_number(1200.0) == "1.200"
    assert german_number(1200.5, places=2) == "1.200,50"
