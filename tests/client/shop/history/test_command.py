"""`hansa-client history` as it is typed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from client import cli
from client.shop.history.history import History
from common.data.usable import LeftOut

Make = Callable[..., pa.Table]


@pytest.fixture
def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in the shop's folder; its exit code, what it says, and what it says on the side."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hansa-client", "history", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def two(history: History, make: Make) -> History:
    """Import two files, the second with an order that was cancelled meanwhile."""
    faults = [
        LeftOut("column 'day' is no date", 3, is_fault=True, example="the first in row 7: 'Anna'", advice="mend it")
    ]
    with history.begin("till", fingerprint="a", origin="sales-[2024].csv") as one:
        one.append("sales", make("sales", {}, {"line": "2"}))
        one.left_out(faults)
        one.commit()
        one.left_out(faults)
        one.finish()
    with history.begin("till", fingerprint="b", origin="sales-[2024].csv") as one:
        one.append("sales", make("sales", {"state": "cancelled"}, {"line": "2"}, {"order": "1002"}))
        one.finish()
    return history


def test_the_journal_says_what_each_import_changed(two: History, typed: Callable[..., tuple[int, str, str]]) -> None:
    code, said, aside = typed()
    assert (code, aside) == (0, "")
    lines = [line.split() for line in said.splitlines() if line.strip().startswith(("1 ", "2 "))]
    assert [(line[0], line[4], line[5], *line[6:]) for line in lines] == [
        ("1", "sales-[2024].csv", "done", "sales", "2", "0", "0", "0", "6"),
        ("2", "sales-[2024].csv", "done", "sales", "1", "1", "1", "0", "0"),
    ]
    code, said, _ = typed("--json")
    first, second = json.loads(said)["imports"]
    assert first["counts"] == {"sales": {"new": 2, "replaced": 0, "same": 0, "older": 0}}
    (left_out,) = first["left_out"]
    assert (left_out["count"], left_out["example"]) == (6, "the first in row 7"), "what stood there is not kept"
    assert second["state"] == "done"


def test_any_import_can_be_undone_once(two: History, typed: Callable[..., tuple[int, str, str]]) -> None:
    code, said, _ = typed("--undo", 1)
    assert code == 0
    assert "Import 1 is undone: of sales it had brought 2 new ones and replaced 0." in said
    assert two.records("sales").num_rows == 3
    code, said, _ = typed("--undo", 2, "--json")
    assert (code, json.loads(said)["state"]) == (0, "undone")
    assert two.records("sales").num_rows == 0
    for number, sentence in ((2, "Import 2 is undone already"), (7, "There is no import 7")):
        code, said, aside = typed("--undo", number)
        assert (code, said, aside.count("\n")) == (2, "", 1)
        assert sentence in aside


def test_where_nothing_was_imported_it_says_how_to_begin(typed: Callable[..., tuple[int, str, str]]) -> None:
    code, said, _ = typed()
    assert code == 0
    assert "hansa-client init" in said
    assert json.loads(typed("--json")[1]) == {"imports": []}


def test_a_lost_key_is_said(two: History, typed: Callable[..., tuple[int, str, str]]) -> None:
    (two.folder / "customer.key").unlink()
    code, said, aside = typed()
    assert code == 0
    assert "sales" in said
    assert "customer.key is lost" in aside


def test_the_very_same_file_is_said_to_be_the_same_and_changes_nothing(two: History, make: Make) -> None:
    before: list[Any] = two.records("sales").to_pylist()
    with two.begin("till", fingerprint="b") as one:
        assert one.same_as is not None
        assert one.same_as.number == one.number == 2
        one.append("sales", make("sales", {"order": "9"}))
        one.commit()
        assert one.finish() == two.journal()[1]
    assert two.records("sales").to_pylist() == before
    assert len(two.journal()) == 2
    two.undo(2)
    with two.begin("till", fingerprint="b") as one:
        assert one.same_as is None, "what was undone may come again"
