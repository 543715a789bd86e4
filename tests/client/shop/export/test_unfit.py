"""A column that is called like a field is never passed over in silence because its values cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.shop.export.conversion import Converter, merge
from client.shop.export.proposal import propose
from client.shop.settings import Shop
from client.shop.setup.survey import survey
from client.shop.source.opening import look, open_source
from common.errors import DataError

SHOP = Shop(name="shop", time_zone="UTC", currency="EUR")


def sold(folder: Path, content: str) -> tuple[list[tuple[str, str, float]], list[str]]:
    """Give what `init` would import from a file: product, day and quantity of each line, and what is left out."""
    (folder / "sales.csv").write_text(content, encoding="utf-8")
    proposal = propose(look("sales.csv", folder)[0], name="sales")
    assert proposal is not None
    converter = Converter(proposal.settings, SHOP)
    parts = [converter.convert(batch) for batch in open_source(proposal.settings, folder).batches()]
    done = merge((*parts, converter.finish()))
    rows = done.records["sales"].to_pylist() if "sales" in done.records else []
    left_out = [f"{each.count}: {each.reason}" for each in done.left_out]
    return [(row["product"], str(row["day"]), row["quantity"]) for row in rows], left_out


@pytest.mark.parametrize("units", [["五", "三"], ["½", "¼"], ["0x5", "0x3"], ["4 kg", "500 g"]])
def test_a_quantity_that_cannot_be_read_does_not_make_each_row_one_piece(units: list[str], tmp_path: Path) -> None:
    rows = "".join(f"A,2024-01-0{day},{cell}\n" for day, cell in enumerate(units, start=1))
    lines, left_out = sold(tmp_path, f"product,date,units\n{rows}")
    assert lines == []
    assert left_out == ["2: the quantity is no number"]


def test_some_quantities_that_cannot_be_read_cost_their_own_rows_alone(tmp_path: Path) -> None:
    cells = ["5", "NA", "-", "n/a", "null", "", "7"]
    rows = "".join(f"A,2024-01-0{day},{cell}\n" for day, cell in enumerate(cells, start=1))
    lines, left_out = sold(tmp_path, f"product,date,units\n{rows}")
    assert lines == [("A", "2024-01-01", 5.0), ("A", "2024-01-07", 7.0)]
    assert left_out == ["1: the quantity is empty", "4: the quantity is no number"]


def test_a_quantity_that_is_empty_throughout_sells_nothing(tmp_path: Path) -> None:
    lines, left_out = sold(tmp_path, "product,date,units\nA,2024-01-01,\nA,2024-01-02,\n")
    assert (lines, left_out) == ([], ["2: the quantity is empty"])


def test_a_word_in_a_column_called_sold_is_no_quantity(tmp_path: Path) -> None:
    lines, _ = sold(tmp_path, "product,date,sold\nA,2024-01-01,yes\nA,2024-01-02,yes\n")
    assert [quantity for _, _, quantity in lines] == [1.0, 1.0]


@pytest.mark.parametrize(
    "header", ["product,date,units,units", "product,date,units,date", "product,product,date,units"]
)
def test_a_column_that_matters_and_is_there_twice_is_refused(header: str, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(f"{header}\nA,2024-01-01,5,5\nA,2024-01-02,4,4\n")
    with pytest.raises(DataError, match=r"sales.csv has the column '(units|date|product)' twice; rename one of them."):
        propose(look("sales.csv", tmp_path)[0], name="sales")


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("45292", "None of the values .*'45292'; these look like a spreadsheet's numbers of days"),
        ("1704110400", "these look like seconds since 1970"),
        ("2024-W01", "a month or a week is no day"),
        ("1 janvier MMXXIV", "begins with '1 janvier MMXXIV'.; write days as 2026-01-31"),
    ],
)
def test_days_that_cannot_be_read_are_named_with_what_to_do(day: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(f"product,date,units\nA,{day},5\nB,{day},7\n")
    with pytest.raises(DataError, match=said):
        survey([str(file)], tmp_path)


@pytest.mark.parametrize("name", ["Total", "Summe", "Gesamtsumme:", "合计", "Grand total", "Subtotal"])
def test_a_row_of_totals_is_no_product(name: str, tmp_path: Path) -> None:
    lines, left_out = sold(tmp_path, f"product,date,units\nA,2024-01-01,5\nB,2024-01-02,7\n{name},2024-01-02,12\n")
    assert [product for product, _, _ in lines] == ["A", "B"]
    assert left_out == ["1: the line is a total of others, by its name"]


@pytest.mark.parametrize("other", ["A\u00a01", "A\u200b 1", "\ufeffA 1", "Ａ １", "A\u30001"])
def test_names_that_look_alike_are_one_product(other: str, tmp_path: Path) -> None:
    lines, _ = sold(tmp_path, f"product,date,units\nA 1,2024-01-01,5\n{other},2024-01-02,7\n")
    assert {product for product, _, _ in lines} == {"A 1"}


def test_an_accent_is_part_of_its_letter_however_it_is_stored(tmp_path: Path) -> None:
    lines, _ = sold(tmp_path, "product,date,units\nCaf\u00e9,2024-01-01,5\nCafe\u0301,2024-01-02,7\n")
    assert {product for product, _, _ in lines} == {"Caf\u00e9"}


def test_leading_zeros_and_letters_of_another_case_stay_what_they_are(tmp_path: Path) -> None:
    lines, _ = sold(
        tmp_path, "product,date,units\n007,2024-01-01,5\n7,2024-01-02,7\na7,2024-01-02,7\nA7,2024-01-02,7\n"
    )
    assert [product for product, _, _ in lines] == ["007", "7", "a7", "A7"]


@pytest.mark.parametrize("day", ["1970-01-01", "1899-12-30", "1900-01-01T00:00:00"])
def test_a_day_that_stands_for_none_is_left_out(day: str, tmp_path: Path) -> None:
    rows = "".join(f"A,2024-01-0{number},5\n" for number in range(1, 8))
    lines, left_out = sold(tmp_path, f"product,date,units\n{rows}A,{day},3\n")
    assert len(lines) == 7
    assert left_out == ["1: the day is one that programs write where there is none"]


def test_rows_of_more_cells_than_names_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text("product,date,units,price\nA,2024-01-01,5,9,90\nB,2024-01-02,5,9,90\n")
    with pytest.raises(DataError, match=r"has no row that can be read .* product, date, units, price; see that each"):
        survey([str(file)], tmp_path)


def test_a_table_of_sales_in_another_language_is_no_promotion(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("produit,date,quantité\nA,2024-01-01,5\nB,2024-01-02,7\n", encoding="utf-8")
    assert propose(look("sales.csv", tmp_path)[0], name="sales") is None
    (tmp_path / "sale.csv").write_text("date,offer\n2024-01-01,all\n2024-01-02,all\n")
    found = propose(look("sale.csv", tmp_path)[0], name="sale")
    assert found is not None
    assert found.settings.kind == "promotions"


def test_two_marks_of_utf_8_are_no_part_of_a_name(tmp_path: Path) -> None:
    lines, _ = sold(tmp_path, "\ufeff\ufeffproduct,date,units\nA,2024-01-01,5\nA,2024-01-02,7\n")
    assert len(lines) == 2
