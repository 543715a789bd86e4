"""What the owner accepts changes what is read, is in the journal, and can be taken back."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from client.shop.history.history import History
from client.shop.history.view import resolve
from client.shop.readiness.inspection import inspect_shop
from client.shop.readiness.late import find_late
from client.shop.record import Kind, schema_of
from client.shop.settings import Shop
from common.command.program import run_program

FIRST = date(2024, 1, 1)
NAMED = {"order": "", "customer": "", "product": "", "currency": "", "session": "", "line": ""}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Give the folder of a shop with a year of sales, one wild day, a number that changed, a robot and a closure."""
    (tmp_path / "shop.toml").write_text('name = "Kiosk"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n')
    sales = [
        {"day": FIRST + timedelta(days=day), "product": product, "quantity": 2.0 + day % 3, "state": "sold"}
        for day in range(400)
        for product in ("SOAP-1" if day < 200 else "soap1", *(f"p{number}" for number in range(12)))
        if not 300 <= day < 309
    ]
    for row in sales:
        if row["day"] == FIRST + timedelta(days=100) and row["product"] == "p3":
            row["quantity"] = 900.0
    visits = [{"day": FIRST, "product": "p3", "session": "robot", "quantity": 5000.0}]
    with History.open(tmp_path).begin("till") as one:
        for kind, rows in (("sales", sales), ("views", visits)):
            one.append(kind, records(kind, rows))
        one.finish()
    return tmp_path


def records(kind: Kind, rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist([{**NAMED, **row} for row in rows], schema=schema_of(kind))


def check(shop: Path, *words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the command; give what it printed."""
    monkeypatch.setattr("sys.argv", ["hansa-client", "check", "--folder", str(shop), *words])
    with pytest.raises(SystemExit) as stop:
        run_program("hansa-client", "client.cli")
    said = capsys.readouterr()
    return f"{stop.value.code}\n{said.out}{said.err}"


def units(shop: Path) -> dict[tuple[str, date], float]:
    rows = History.open(shop).daily().to_pylist()
    return {(row["product"], row["day"]): row["units"] for row in rows}


def test_a_report_says_what_is_wrong_and_accepting_changes_what_is_read_until_undone(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = ("p3", FIRST + timedelta(days=100))
    before = units(shop)
    code, _, said = check(shop, "--json", capsys=capsys, monkeypatch=monkeypatch).partition("\n")
    assert code == "0"
    told = {problem["key"]: problem for problem in json.loads(said)["problems"]}
    assert {"outliers", "renamed", "bots", "gaps"} <= told.keys()
    assert told["gaps"]["rows"] == 9

    said = check(shop, "--accept", "outliers", "--json", capsys=capsys, monkeypatch=monkeypatch).partition("\n")[2]
    assert json.loads(said)["accepted"] == [{"import": 2, "what": "check --accept outliers"}]
    assert "outliers" not in {problem["key"] for problem in json.loads(said)["problems"]}
    after = units(shop)
    assert (before[wild], after[wild]) == (900.0, 4.0)
    assert {place for place in before if before[place] != after[place]} == {wild}

    with History.open(shop) as history:
        history.undo(2)
    assert units(shop) == before


def test_a_correction_no_longer_holds_where_the_sources_say_something_new(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    day = FIRST + timedelta(days=100)
    check(shop, "--accept", "outliers", capsys=capsys, monkeypatch=monkeypatch)
    with History.open(shop).begin("late") as one:
        one.append("sales", records("sales", [{"day": day, "product": "p3", "quantity": 1.0, "state": "sold"}]))
        one.finish()
    assert units(shop)["p3", day] == 901.0


def test_days_say_of_units_lines_and_stock_what_the_daily_table_says(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two are read by two statements; corrections, numbers that changed and stock levels are in both."""
    check(shop, "--accept", "all", capsys=capsys, monkeypatch=monkeypatch)
    with History.open(shop) as history:
        with history.begin("shelf") as one:
            one.append("stock", records("stock", [{"day": FIRST, "product": "p3", "on_hand": 0.0}]))
            one.append("stock", records("stock", [{"day": FIRST, "product": "p99", "out": True}]))
            one.append("views", records("views", [{"day": FIRST, "product": "p98", "quantity": 1.0}]))
            one.finish()
        days = pa.Table.from_batches(history.days()).sort_by([("product", "ascending"), ("day", "ascending")])
        daily = history.daily().select(days.column_names)
    assert days.to_pylist() == [row for row in daily.to_pylist() if row["product"] != "p98"]
    assert [row["product"] for row in days.to_pylist() if row["out"]] == ["p3", "p99"]


def test_what_is_not_known_ahead_is_said_once_and_without_lines_that_say_nothing(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence of a finding of the calendar says what is done, and what to do."""
    with History.open(shop).begin("plan") as one:
        one.append("events", records("events", [{"first_day": FIRST, "name": "fair"}]))
        one.finish()
    page = shop / "report.html"
    said = check(shop, "--page", str(page), capsys=capsys, monkeypatch=monkeypatch)
    block = said.partition("note: 1 of 1 events are known of no day ahead")[2].partition("\nnote: ")[0]
    assert block.count("\n  ") == 1, "the rest of its sentence"
    assert "import it." in block
    assert "<dd></dd>" not in page.read_text()


def test_sales_none_of_which_names_a_product_are_a_finding_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop.toml").write_text('name = "Kiosk"\ntime_zone = "Europe/Berlin"\ncurrency = "EUR"\n')
    with History.open(tmp_path).begin("till") as one:
        rows = [{"day": FIRST + timedelta(days=day), "quantity": 2.0, "state": "sold"} for day in range(90)]
        one.append("sales", records("sales", [dict(row) for row in rows]))
        one.finish()
    assert "90 sales of 90 name no product." in check(tmp_path, capsys=capsys, monkeypatch=monkeypatch)
    assert History.open(tmp_path).span() is None


def bring(shop: Path, days: range, *, at: datetime, product: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Import an export of one line a day, as if it were another day."""
    rows: list[dict[str, object]] = [
        {
            "order": f"{product}{day}",
            "line": "1",
            "day": FIRST + timedelta(days=day),
            "product": product,
            "quantity": 2.0,
            "state": "sold",
        }
        for day in days
    ]
    monkeypatch.setattr("client.shop.history.history.now_utc", lambda: at)
    with History.open(shop).begin("web") as one:
        one.append("sales", records("sales", rows))
        one.finish()


def test_sales_that_come_long_after_their_day_are_late_and_a_longer_past_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, may, june = History.open(tmp_path), datetime(2024, 5, 1), datetime(2024, 6, 1)

    def add(days: range, at: datetime, product: str = "tea") -> None:
        bring(tmp_path, days, at=at, product=product, monkeypatch=monkeypatch)

    add(range(60, 120), may)
    add(range(60, 100), may + timedelta(hours=1), "cup")  # another file of the same evening
    add(range(80, 150), june)  # an export that overlaps, and goes on
    add(range(0, 60), june)  # a longer past
    assert list(find_late(history)) == []
    add(range(100, 150), june + timedelta(days=2), "cup")
    shop = Shop(name="Kiosk", time_zone="UTC", currency="EUR")
    (late,) = (each for each in inspect_shop(history, shop).problems if each.key == "late")
    assert late.rows == 149 - 14 - 99, "of days that had been read up to the 149th"
    assert late.examples == ("web: 36 of 140 later lines, up to 49 days late",)
    history.undo(5)
    assert list(find_late(history)) == []


def test_all_proposals_at_once_join_a_product_s_numbers_and_leave_the_robot_out(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = shop / "report.html"
    words = ("--accept", "all", "--page", str(page))
    said = check(shop, *words, capsys=capsys, monkeypatch=monkeypatch)
    assert said.count("Accepted as import") == 3
    with History.open(shop) as history:
        daily, products = history.daily().to_pylist(), history.products()["product"].to_pylist()
    assert "SOAP-1" not in products
    assert sum(row["product"] == "soap1" for row in daily) == 391
    assert {row["views"] for row in daily} == {0.0}
    assert "<h1>Readiness of Kiosk</h1>" in page.read_text()


def test_what_is_not_proposed_cannot_be_accepted(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = check(shop, "--accept", "gaps", capsys=capsys, monkeypatch=monkeypatch)
    assert said == "2\nhansa-client: There is no proposal 'gaps' to accept; there are bots, outliers, renamed.\n"
    said = check(shop, "plan.toml", "--accept", "all", capsys=capsys, monkeypatch=monkeypatch)
    assert said.startswith("2\nhansa-client: --page and --accept are for the shop's own history")


def test_numbers_are_followed_to_the_last_and_a_circle_changes_nothing() -> None:
    assert resolve([("a", "b"), ("b", "c"), ("x", "y"), ("y", "x")]) == {"a": "c", "b": "c"}
