"""Names and numbers of a plan's rows that are hardly what they seem."""

import json
from typing import Any

import pandas as pd
import pytest

from client.data.check.inspection import inspect_reading
from client.data.check.name import find_totals, group_alike
from client.data.rows import read_frame
from common.plan.schema import Plan

PLAN: dict[str, Any] = {
    "name": "small",
    "data": {
        "path": "rows.csv",
        "rows": "events",
        "entity": "product",
        "time": "date",
        "target": {"aggregate": "sum", "column": "units"},
        "start": "2024-01-01",
        "end": "2024-03-31",
    },
    "model": {"step": "day", "horizon_days": 7, "likelihood": "negative_binomial"},
    "privacy": {"unit": "product"},
    "evaluation": {"origins": ["2024-03-15"], "methods": ["anchor"]},
}
DAYS = [str(day.date()) for day in pd.date_range("2024-01-01", "2024-03-31")]


def said(names: list[str], units: list[str]) -> dict[str, str]:
    """Give the findings by key, of rows of one product after the other, each with a row a day."""
    rows = [(name, day, unit) for name, unit in zip(names, units, strict=True) for day in DAYS]
    table = pd.DataFrame(rows, columns=["product", "date", "units"], dtype=object)
    plan = Plan.model_validate_json(json.dumps(PLAN))
    return {each.key: each.sentence for each in inspect_reading(read_frame(table, plan.data), plan).findings}


@pytest.mark.parametrize("other", ["soap", "SOAP", "So\u200bap", "Ｓoap", "So\u00adap", " Soap"])
def test_names_that_look_alike_are_said(other: str) -> None:
    found = said(["Soap", other, "Brush", "Comb", "Cup"], ["3", "4", "5", "6", "7"])
    assert ("alike" in found) == (other.strip() != "Soap")


def test_names_that_differ_are_no_look_alikes() -> None:
    assert group_alike(["007", "7", "A-1", "A1", "Müsli", "Musli", "红", "紅"]) == []
    assert group_alike(["12345", "12345.", "12345,0", "+12345", "1.2345E+4", "012345"]) == [
        ("12345", "12345.", "12345,0", "+12345", "1.2345E+4")
    ]
    assert group_alike(["Red  mug", "red\u00a0mug", "blue"]) == [("Red  mug", "red\u00a0mug")]


def test_numbers_that_a_spreadsheet_shortened_are_said() -> None:
    found = said(["4.00638E+12", "5.1E+11", "A1", "1e5"], ["3", "4", "5", "6"])
    assert found["shortened"].startswith("Values of 'product' are written as a spreadsheet shortens long")
    assert "1 in all" in said(["1.2345E+4", "12345", "A1", "B1"], ["3", "4", "5", "6"])["shortened"]
    assert "shortened" not in said(["4006381333931", "1e5", "E+12", "2.5"], ["3", "4", "5", "6"])


def test_what_is_as_much_as_everything_else_is_said_to_be_a_total() -> None:
    found = said(["A", "B", "C", "Alles"], ["3", "4", "5", "12"])
    assert found["totals"].startswith("The 'product' 'Alles' seems to be a row of totals")
    assert find_totals({"A": 1.0, "B": 3.0, "A total": 1.0, "B Summe": 3.0, "Grand total": 1.0}) == [
        "A total",
        "B Summe",
    ]
    assert "totals" not in said(["A", "B", "C", "D"], ["3", "4", "5", "11"])
    assert find_totals({"A": 1.0, "B": 1.0}) == []
    assert find_totals({"A": 0.0, "B": 0.0, "C": 0.0}) == []


@pytest.mark.parametrize(
    ("units", "doubtful"),
    [(["4.936", "12.340", "900"], True), (["0.470", "1.250", "3"], False), (["4.9", "4.936", "5"], False)],
)
def test_a_point_before_three_digits_is_said_to_be_doubtful(units: list[str], doubtful: bool) -> None:
    found = said(["A", "B", "C"], units)
    assert ("thousands" in found) == doubtful
    if doubtful:
        assert "as '4.936', which is read as 4.936; if it stands between thousands, write 4936." in found["thousands"]
