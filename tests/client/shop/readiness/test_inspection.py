"""Every problem is found where it was put, with its rows, and a clean history has none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from client.shop.readiness.clock import skipped_hours
from client.shop.readiness.inspection import inspect_history
from client.shop.readiness.problem import Problem
from client.shop.readiness.report import Readiness
from client.shop.record import KINDS, Kind, schema_of
from client.shop.settings import Shop
from common.data.usable import LeftOut

FIRST = date(2024, 1, 1)
SHOP = Shop(name="Kiosk <b>", time_zone="Europe/Berlin", currency="EUR", closed_weekdays=("sunday",))
Rows = list[dict[str, object]]
EMPTY = {"order": "", "customer": "", "product": "", "currency": "", "session": "", "name": "", "category": ""}


def sale(day: int, product: str = "soap", quantity: float = 2.0, **more: object) -> dict[str, object]:
    """Give a sale, so many days after the first of January 2024."""
    base = {"day": FIRST + timedelta(days=day), "product": product, "quantity": quantity, "state": "sold"}
    return {**EMPTY, "currency": "EUR", "second": 36_000, "customer": f"c{day % 50}", **base, **more}


def year(product: str = "soap") -> Rows:
    """Give a sale on each of 400 days that is no Sunday."""
    return [sale(day, product) for day in range(400) if (FIRST + timedelta(days=day)).weekday() < 6]


@pytest.fixture
def inspect() -> Callable[..., Readiness]:
    """Give what looks over records that are put into an empty store."""

    def run(left_out: tuple[LeftOut, ...] = (), shop: Shop = SHOP, **records: Rows) -> Readiness:
        with duckdb.connect() as connection:
            for kind in KINDS:
                rows: list[Mapping[str, object]] = [*records.get(kind, [])]
                table = pa.Table.from_pylist([{**EMPTY, **row} for row in rows], schema=schema_of(kind))
                connection.register(kind, table)
            return inspect_history(lambda sql: connection.sql(sql).to_arrow_table(), shop, left_out)

    return run


def only(report: Readiness, key: str) -> Problem:
    """Give the one problem of a kind."""
    (found,) = (problem for problem in report.problems if problem.key == key)
    return found


def test_a_year_of_ordinary_sales_has_no_problem(inspect: Callable[..., Readiness]) -> None:
    report = inspect(sales=year())
    assert report.problems == ()
    assert report.facts["order lines"] == 343
    assert "Nothing to complain of." in report.as_text()
    assert not report.fails


def test_no_sale_at_all_is_a_fault(inspect: Callable[..., Readiness]) -> None:
    report = inspect()
    assert report.fails
    assert only(report, "no_sales").severity == "fault"


def test_the_same_second_under_two_order_numbers_is_counted(inspect: Callable[..., Readiness]) -> None:
    rows = [{**row, "order": f"A{number}"} for number, row in enumerate(year())]
    again = [{**row, "order": f"B{number}"} for number, row in enumerate(rows[10:15])]
    assert only(inspect(sales=rows + again), "duplicates").rows == 5
    assert inspect(sales=rows + [{**row, "second": 36_001} for row in again]).problems == ()


def test_a_wild_day_is_found_and_its_correction_is_the_product_s_usual_best(inspect: Callable[..., Readiness]) -> None:
    rows = [{**row, "quantity": 2.0 + place % 3} for place, row in enumerate(year())]
    found = only(inspect(sales=[*rows, sale(100, quantity=500.0)]), "outliers")
    assert found.correction is not None
    assert found.correction.kind == "corrections"
    (record,) = found.correction.records
    assert record["was"] == 500.0 + rows[86]["quantity"]  # type: ignore[operator]  # 100 days, 14 Sundays among them
    assert record["quantity"] == 4.0
    assert record["day"] == FIRST + timedelta(days=100)


def test_a_steady_large_buyer_is_no_outlier(inspect: Callable[..., Readiness]) -> None:
    rows = [sale(day, quantity=100.0 if day % 10 == 0 else 2.0) for day in range(400)]
    assert not [problem for problem in inspect(sales=rows).problems if problem.key == "outliers"]


def test_a_sale_in_the_hour_that_was_skipped_is_of_another_clock(inspect: Callable[..., Readiness]) -> None:
    day = (date(2024, 3, 31) - FIRST).days
    found = only(inspect(sales=[*year(), sale(day, second=9_000)]), "skipped_hour")
    assert found.rows == 1
    assert inspect(sales=[*year(), sale(day, second=10_800)]).problems == ()


@pytest.mark.parametrize(
    ("zone", "skips"),
    [
        ("Europe/Berlin", [(date(2024, 3, 31), 7200, 10_800)]),
        ("America/New_York", [(date(2024, 3, 10), 7200, 10_800)]),
        ("America/Sao_Paulo", []),
        ("Africa/Cairo", [(date(2024, 4, 26), 0, 3600)]),
        ("Australia/Lord_Howe", [(date(2024, 10, 6), 7200, 9000)]),
        ("Asia/Shanghai", []),
    ],
)
def test_skipped_hours_are_those_of_the_clocks(zone: str, skips: list[tuple[date, int, int]]) -> None:
    assert list(skipped_hours(date(2024, 1, 1), date(2024, 12, 31), ZoneInfo(zone))) == skips


def test_a_shop_that_sells_at_night_is_in_another_time_zone(inspect: Callable[..., Readiness]) -> None:
    rows = [{**row, "second": 3600 * (22 + place % 7) % 86_400} for place, row in enumerate(year())]
    assert only(inspect(sales=rows), "night_sales").rows > 100


def test_money_without_a_rate_is_named_with_its_share(inspect: Callable[..., Readiness]) -> None:
    rows = year()
    mixed = [{**row, "currency": "USD"} if place % 2 else row for place, row in enumerate(rows)]
    found = only(inspect(sales=mixed), "currencies")
    assert found.rows == 171
    assert "USD" in found.what
    assert inspect(sales=mixed, shop=SHOP.model_copy(update={"rates": {"USD": 0.9}})).problems == ()


def test_a_visitor_of_thousands_of_pages_is_left_out_unless_it_buys(inspect: Callable[..., Readiness]) -> None:
    def views(visitor: str) -> Rows:
        return [{"day": FIRST, "product": "soap", "customer": visitor, "quantity": 900.0}]

    found = only(inspect(sales=year(), views=views("robot")), "bots")
    assert found.correction is not None
    assert found.correction.records == ({"column": "customer", "value": "robot"},)
    assert inspect(sales=year(), views=views("c1")).problems == ()


def test_one_number_written_differently_goes_on_as_one_product(inspect: Callable[..., Readiness]) -> None:
    rows = [{**row, "product": "SOAP-1" if place < 200 else "soap1"} for place, row in enumerate(year())]
    found = only(inspect(sales=rows), "renamed")
    assert found.correction is not None
    assert found.correction.records == ({"product": "SOAP-1", "stands_for": "soap1"},)


def test_products_of_one_name_side_by_side_are_two(inspect: Callable[..., Readiness]) -> None:
    names = [{"product": "a", "name": "Soap"}, {"product": "b", "name": "Soap"}]
    assert inspect(sales=year("a") + year("b"), products=names).problems == ()


def test_what_imports_left_out_is_told_with_its_advice(inspect: Callable[..., Readiness]) -> None:
    left = (LeftOut("column 'Menge' is no number", 3, True, "the first in row 7", "mend them"),)
    found = only(inspect(left, sales=year()), "left_out")
    assert found.rows == 3
    assert found.advice == "Mend them, and import the file again."


def test_the_page_escapes_what_others_chose_and_json_is_json(inspect: Callable[..., Readiness]) -> None:
    rows = [sale(day, product="<script>") for day in range(400)] + [sale(9, product="<script>", quantity=900.0)]
    report = inspect(sales=rows)
    assert "<script>" not in report.as_page()
    assert "&lt;script&gt;" in report.as_page()
    assert "Kiosk &lt;b&gt;" in report.as_page()
    told = json.loads(json.dumps(report.as_json()))
    assert [problem["key"] for problem in told["problems"]] == ["outliers"]
    assert told["problems"][0]["correction"]["records"] == 1


def test_every_kind_has_a_table_to_ask(inspect: Callable[..., Readiness]) -> None:
    kinds: tuple[Kind, ...] = KINDS
    assert set(kinds) >= {"corrections", "aliases", "ignored"}


def test_names_that_look_alike_are_one_product_if_the_owner_says_so(inspect: Callable[..., Readiness]) -> None:
    rows = year("SKU-1") + [sale(day, "sku-1", 5.0) for day in range(0, 390, 2)] + year("other")
    found = only(inspect(sales=rows), "alike")
    assert found.correction is not None
    assert found.correction.records == ({"product": "SKU-1", "stands_for": "sku-1"},)
    followed = [*year("SKU-1"), *(sale(day, "sku-1") for day in range(401, 700)), *year("other")]
    assert "alike" not in {problem.key for problem in inspect(sales=followed).problems}


def test_shortened_numbers_and_totals_are_found(inspect: Callable[..., Readiness]) -> None:
    rows = year("4.00638E+12") + year("b") + [{**row, "product": "Alles", "quantity": 4.0} for row in year()]
    report = inspect(sales=rows)
    assert only(report, "shortened").examples == ("4.00638E+12",)
    assert only(report, "totals").examples == ("Alles",)


def test_few_sales_years_away_from_all_others_are_found(inspect: Callable[..., Readiness]) -> None:
    found = only(inspect(sales=[*year(), sale(36_500), sale(36_501)]), "far_days")
    assert (found.rows, found.examples[0]) == (2, "2123-12-08: 1 sale")
    two = [*year(), *(sale(day) for day in range(1500, 1900))]  # a shop that paused
    assert "far_days" not in {problem.key for problem in inspect(sales=two).problems}
