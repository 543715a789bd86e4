"""What check says of days out of stock."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from client.data.check.inspection import inspect_reading
from client.data.check.report import Report
from client.data.rows import read_frame
from common.plan.schema import Plan

Check = Callable[..., Report]


@pytest.fixture
def check(make_plan: Callable[..., Plan]) -> Check:
    """Check a shop of two products over ninety days, of which some say that the stock ran out."""
    days = pd.date_range("2024-01-01", periods=90).strftime("%Y-%m-%d")
    rows = pd.DataFrame({"product": np.repeat(["tea", "cup"], 90), "time": [*days] * 2})
    rows = rows.assign(units=np.tile([3, 0, 2], 60).astype(str))

    def run(gone: list[str]) -> Report:
        data = {"entity": "product", "target": {"aggregate": "sum", "column": "units"}, "out_of_stock": "gone"}
        plan = make_plan(data=data)
        return inspect_reading(read_frame(rows.assign(gone=gone), plan.data), plan)

    return run


def sentences(report: Report, key: str) -> list[str]:
    return [finding.sentence for finding in report.findings if finding.key == key]


def test_the_days_are_counted_and_it_is_said_what_they_count_as(check: Check) -> None:
    report = check(["yes", "yes", *["no"] * 178])
    assert report.facts["days out of stock"] == 2
    (said,) = sentences(report, "out_of_stock")
    assert said.startswith("2 of ")
    assert "on the 1 of them on which nothing was sold" in said


def test_a_column_that_never_says_so_is_noticed(check: Check) -> None:
    assert len(sentences(check(["no"] * 180), "never_out_of_stock")) == 1


def test_a_cell_that_is_neither_yes_nor_no_is_noticed(check: Check) -> None:
    (said,) = sentences(check(["yes", "17", *["no"] * 178]), "neither_yes_nor_no")
    assert "in 1 of 180 rows ('17')" in said


def test_a_series_that_is_mostly_out_of_stock_is_noticed(check: Check) -> None:
    (said,) = sentences(check([*["1"] * 60, *["0"] * 120]), "mostly_out_of_stock")
    assert said.startswith("1 of 2 series")
