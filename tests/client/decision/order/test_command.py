"""`hansa-client order` on a small real shop, as its owner types it."""

import json
from datetime import date
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from client.cli import app
from client.feedback.kept import FILE_NAME, read_kept
from client.shop.history.history import History
from sheet import read_sheet
from shop_records import make_records
from small_shop import START, draw_sales, make_shop

LAST = date(2023, 6, 18)
SETTINGS = """
[order]
lead_days = 4
lead_spread_days = 1
review_days = 7
[[suppliers]]
name = "Tea Ltd"
minimum_amount = 100000
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stock = make_records(
        "stock", *({"product": f"P{n}", "day": LAST, "on_hand": 20.0 + 400 * (n == 1)} for n in range(2))
    )
    terms = make_records("terms", *({"product": f"P{n}", "pack_size": 6.0, "lead_days": None} for n in range(3)))
    coming = make_records("on_order", {"product": "P0", "quantity": 10.0, "expected_day": date(2023, 6, 20)})
    sold = draw_sales(days=(LAST - START).days + 1, products=3)
    return make_shop(
        tmp_path_factory.mktemp("shop"), sold, SETTINGS, stock=stock, terms=terms, on_order=coming
    )  # fmt: skip


def ask(shop: Path, *more: str) -> dict[str, object]:
    done = CliRunner().invoke(app, ["order", "--folder", str(shop), "--on", "2023-06-19", "--json", *more])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_each_product_is_ordered_as_its_shelf_needs_and_says_why(shop: Path, tmp_path: Path) -> None:
    said = ask(shop, "--purchase-orders", str(tmp_path / "po"), "--out", str(tmp_path / "all.xlsx"))
    rows = {row["product"]: row for row in said["rows"]}  # type: ignore[attr-defined]
    low, full, unknown = rows["P0"], rows["P1"], rows["P2"]
    assert low["quantity"] > 0
    assert unknown["reorder_point"] >= unknown["demand"], (
        "a filled shelf serves what is asked for until goods come, too"
    )
    assert low["quantity"] % 6 == 0
    assert low["on_order"] == 10
    assert "20 there and 10 on the way" in low["why"]
    assert low["why"].endswith("in packs of 6.")
    assert low["risk_out"] < low["risk_out_without"]
    assert low["cash"] == low["quantity"] * 1.5
    assert full["quantity"] == 0
    assert "which is enough" in full["why"]
    assert full["dead_pieces"] > 0
    assert unknown["quantity"] is None
    assert unknown["reorder_point"] > 0
    assert "not known" in unknown["why"]
    assert any("takes orders from 100,000.00 EUR" in each for each in said["said"])  # type: ignore[attr-defined]
    (file,) = (tmp_path / "po").iterdir()
    cells = [[cell.value for cell in row] for row in load_workbook(file).active.iter_rows()]
    assert [row[1:4] for row in cells if row[0] == 1] == [["P0", None, low["quantity"]]]
    name, whole = read_sheet(tmp_path / "all.xlsx")
    assert (name, len(whole)) == ("orders", 4)


def test_a_budget_cuts_and_says_so(shop: Path) -> None:
    whole = ask(shop)["cash"]
    budget = whole / 2  # type: ignore[operator]
    said = ask(shop, "--budget", str(budget))
    assert said["cash"] <= budget < whole  # type: ignore[operator]
    assert any(f"The budget of {budget:.2f} EUR cut 1 line " in each for each in said["said"])  # type: ignore[attr-defined]


def test_what_a_newer_list_no_longer_has_is_gone(shop: Path) -> None:
    history = History.open(shop)
    with history.begin("till", fingerprint="newer") as one:
        one.append("on_order", make_records("on_order", {"product": "P9", "quantity": 1.0}))
        entry = one.finish()
    assert history.records("on_order")["product"].to_pylist() == ["P9"]
    assert history.records("terms").num_rows == 0, "the newest list of the source has none"
    history.undo(entry.number)
    assert history.records("on_order")["product"].to_pylist() == ["P0"]


def test_what_is_wrong_is_said_in_a_sentence(shop: Path) -> None:
    for words, said in (
        (["--on", "soon"], "is no day"),
        (["--out", "a.doc"], "none of .csv"),
        (["--product", "X"], "'X'"),
    ):
        done = CliRunner().invoke(app, ["order", "--folder", str(shop), *words])
        assert done.exit_code != 0
        assert said in str(done.exception)


def test_what_is_proposed_is_kept_once_for_score(shop: Path) -> None:
    (shop / FILE_NAME).unlink(missing_ok=True)
    ask(shop)
    ask(shop)
    (kept,) = read_kept(shop, "order")
    lines = {line["product"]: line for line in kept.payload["lines"]}
    assert lines.keys() == {"P0", "P1"}, "of the third nobody knows how many there are"
    assert lines["P0"]["covered"] == 20 + 10 + lines["P0"]["quantity"]
    assert lines["P0"]["first"] == "2023-06-19" < lines["P0"]["last"]


@pytest.mark.parametrize(("on_hand", "orders_none"), [(8.0, True), (None, True), (0.0, False)])
def test_what_is_sold_no_longer_is_not_ordered_unless_none_is_there(
    on_hand: float | None, orders_none: bool, tmp_path: Path
) -> None:
    """P0 sold on most days and is silent for sixty; with none there its silence says nothing of what is wanted."""
    days = (LAST - START).days + 1
    sold = [row for row in draw_sales(days=days, products=2) if row[0] != "P0" or (LAST - row[1]).days > 60]
    counted = [{"product": name, "day": LAST, "on_hand": 3.0 if name == "P1" else on_hand} for name in ("P0", "P1")]
    stock = make_records("stock", *(row for row in counted if row["on_hand"] is not None))
    folder = make_shop(tmp_path, sold, SETTINGS, stock=stock)
    rows = {row["product"]: row for row in ask(folder)["rows"]}  # type: ignore[attr-defined]
    assert ("seems to be sold no longer" in rows["P0"]["why"]) == orders_none
    assert not orders_none or not rows["P0"]["quantity"]
    assert not orders_none or rows["P0"]["reorder_point"] == 0
    assert rows["P1"]["quantity"] > 0


@pytest.mark.parametrize(("days", "products"), [(1, 1), (3, 5), (100, 2)])
def test_a_young_shop_orders_too(days: int, products: int, tmp_path: Path) -> None:
    """No past horizon of so short a history can be looked back on."""
    folder = make_shop(tmp_path, draw_sales(days=days, products=products))
    rows = ask(folder)["rows"]
    assert len(rows) == products  # type: ignore[arg-type]
