"""Orders on the page: by supplier, as the owner changes them."""

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from client.page.chosen import Chosen, forget_chosen, read_chosen, write_chosen
from client.page.route.order import harmless
from client.page.view.order import PAGE, show_orders
from client.page.view.today import show_today
from client.serving.folder import ServedFolder
from common.errors import DataError

DAY = date(2026, 11, 30)


def line(
    product: str, quantity: float | None, supplier: str = "Tea Ltd", unit_cost: float | None = 2.0
) -> dict[str, Any]:
    return {
        "product": product, "name": "", "class": "AX", "supplier": supplier, "quantity": quantity, "order_day": DAY,
        "arrives": date(2026, 12, 5), "next_arrives": date(2026, 12, 12), "on_hand": 3.0, "unit_cost": unit_cost,
        "why": "because",
    }  # fmt: skip


def document(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"day": str(DAY), "said": [], "assumed": [], "rows": list(rows)}


def test_lines_are_grouped_by_supplier_and_added_up() -> None:
    shown = show_orders(document(line("A", 5.0), line("B", 1.0, "Pots"), line("C", 0.0), line("D", 2.0)), {})
    assert [(each["name"], each["cash"]) for each in shown["suppliers"]] == [("Pots", 2.0), ("Tea Ltd", 14.0)]
    assert [row["product"] for row in shown["enough"]] == ["C"]


def test_what_the_owner_chose_counts_and_what_was_proposed_stays_in_sight() -> None:
    shown = show_orders(document(line("A", 5.0), line("B", 0.0)), {"A": 0.0, "B": 4.0}, kept_at="now")
    (supplier,) = shown["suppliers"]
    assert [(row["product"], row["chosen"], row["quantity"]) for row in supplier["rows"]] == [
        ("A", 0.0, 5.0),
        ("B", 4.0, 0.0),
    ]
    assert supplier["cash"] == 8.0


def test_a_form_of_many_lines_comes_in_pages_whose_sums_are_whole() -> None:
    shown = show_orders(document(*(line(f"P{n}", 1.0) for n in range(PAGE + 1))), {}, page=2)
    (supplier,) = shown["suppliers"]
    assert (shown["last_page"], len(supplier["rows"]), supplier["cash"]) == (2, 1, 2.0 * (PAGE + 1))


def test_what_was_chosen_holds_for_its_day_alone(tmp_path: Path) -> None:
    home = ServedFolder(tmp_path)
    home.prepare()
    assert read_chosen(home, DAY) == Chosen(DAY)
    write_chosen(home, DAY, {"A": 3.0})
    assert read_chosen(home, DAY).pieces == {"A": 3.0}
    assert read_chosen(home, date(2026, 12, 1)).pieces == {}
    forget_chosen(home)
    forget_chosen(home)
    assert read_chosen(home, DAY).pieces == {}


@pytest.mark.parametrize("content", ["", "{}", '{"day": "2026-11-30", "pieces": {"A": "x"}, "at": ""}', "[1]"])
def test_a_damaged_file_is_said_and_not_taken_for_no_choice(tmp_path: Path, content: str) -> None:
    home = ServedFolder(tmp_path)
    home.prepare()
    (home.folder / "chosen.json").write_text(content)
    with pytest.raises(DataError, match="damaged; remove it"):
        read_chosen(home, DAY)


def test_a_csv_holds_no_formula() -> None:
    table = pa.table({"product": ["=1+1", "@x", "A", None], "quantity": [1.0, 2.0, 3.0, 4.0]})
    assert harmless(table)["product"].to_pylist() == ["'=1+1", "'@x", "A", None]
    assert harmless(table)["quantity"].to_pylist() == [1.0, 2.0, 3.0, 4.0]


def test_where_nothing_tells_how_many_there_are_the_page_says_how_many_there_should_be() -> None:
    unknown = line("A", None) | {"reorder_point": 30.0, "demand": 20.0, "risk_out": None, "cash": None}
    gone = line("B", None) | {"reorder_point": 0.0, "risk_out": None, "cash": None}
    enough = line("C", 0.0) | {"reorder_point": 3.0, "risk_out": 0.1, "cash": 0.0}
    assert show_orders(document(unknown, gone), {})["is_unknown"]
    assert not show_orders(document(enough), {})["is_unknown"]

    def today(*rows: dict[str, Any]) -> dict[str, Any]:
        sums = {"cash_on_hand": None, "dead_cash": None, "dead_days": 90}
        return show_today(day=DAY, order=document(*rows) | sums, customer=None, changed=(), problems=(), warnings=())

    more = unknown | {"product": "M", "demand": 25.0}
    assert [row["product"] for row in today(unknown, more)["fills"]] == ["M", "A"]
    shown = today(unknown, gone)
    assert [row["product"] for row in shown["fills"]] == ["A"]
    assert (shown["none_is_counted"], shown["lines"]) == (True, [])
    assert (today(unknown, enough)["none_is_counted"], today(enough)["fills"]) == (False, [])
