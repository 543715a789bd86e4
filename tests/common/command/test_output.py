"""Answers and tables, wide and narrow."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.command.output import print_json, print_table, say


@pytest.fixture
def table() -> Table:
    made = Table("method", "privacy", "wape", "quantile loss", title="shops")
    made.add_row("weekday_mean", "data stays", "0.1234", "0.5678")
    made.add_row(Text("federated_eps8"), "ε 8 per product", "0.1111", "–")
    return made


def drawn(table: Table, width: int) -> list[str]:
    file = io.StringIO()
    print_table(Console(file=file, width=width), table)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_table_that_fits_is_a_table(table: Table) -> None:
    assert any("weekday_mean" in line and "0.5678" in line for line in drawn(table, 80))


def test_a_table_that_is_too_wide_is_a_block_for_each_row_and_cuts_nothing(table: Table) -> None:
    assert drawn(table, 40) == [
        "shops",
        "weekday_mean",
        "  privacy data stays",
        "  wape 0.1234",
        "  quantile loss 0.5678",
        "federated_eps8",
        "  privacy ε 8 per product",
        "  wape 0.1111",
        "  quantile loss –",
    ]


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": float("nan"), "gains": [float("inf"), 0.5]})
    assert json.loads(capsys.readouterr().out) == {"loss": None, "gains": [None, 0.5]}


def test_an_answer_is_json_or_words(capsys: pytest.CaptureFixture[str]) -> None:
    say({"rows": 3}, "Three rows.", as_json=False)
    assert capsys.readouterr().out == "Three rows.\n"
    say({"rows": 3}, "Three rows.", as_json=True)
    assert json.loads(capsys.readouterr().out) == {"rows": 3}
