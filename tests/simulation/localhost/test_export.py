"""Merchants' folders: whatever they are called, nothing is written elsewhere, and each is found again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis.strategies import text

from certs.request import NAME_PATTERN
from simulation.localhost.export import folder_name, member_name, sales_file

NAMES = {
    "alba": "alba",
    "Store 12": "Store 12",
    "Müller & Söhne": "Müller & Söhne",
    "Meier/Soehne": "Meier%2FSoehne",
    "../outside": "%2E.%2Foutside",
    "..": "%2E%2E",
    ".": "%2E",
    "/abs/x": "%2Fabs%2Fx",
    "C:\\x": "C%3A%5Cx",
    "con": "%63on",
    "NUL.txt": "%4EUL.txt",
    "Coordinator": "%43oordinator",
    "end.": "end%2E",
    "a%2Fb": "a%252Fb",
    "": "%",
}


@pytest.fixture
def export(hansa_sim, write_plan, sales, tmp_path):
    """Export the sales with the merchant "north" renamed; give how it ended and the files that are there now."""

    def exported(name, *options, **renamed):
        table = sales.assign(shop=sales["shop"].replace({"north": name, **renamed}))
        plan_file = write_plan()
        table.to_csv(tmp_path / "sales.csv", index=False)
        (tmp_path / "inner").mkdir(exist_ok=True)
        finished = hansa_sim("export", plan_file, "--data-root", tmp_path, "--out", tmp_path / "inner/out", *options)
        return finished, {path.relative_to(tmp_path) for path in tmp_path.rglob("sales.csv")} - {Path("sales.csv")}

    return exported


@pytest.mark.parametrize(("merchant", "folder"), NAMES.items())
def test_a_merchant_s_folder_has_its_name_or_one_with_percent_signs(merchant: str, folder: str) -> None:
    assert folder_name(merchant) == folder


@given(text(), text())
def test_a_folder_is_one_step_down_and_of_one_merchant(one: str, other: str) -> None:
    assert Path("/out", folder_name(one)).parent == Path("/out")
    assert folder_name(one) not in {"", ".", ".."}
    assert len(folder_name(one).encode()) < 200
    assert (folder_name(one) == folder_name(other)) == (one == other)


@given(text())
def test_every_merchant_has_a_name_to_join_under(merchant: str) -> None:
    assert re.fullmatch(NAME_PATTERN, member_name(merchant))
    assert member_name(merchant) == merchant or not re.fullmatch(NAME_PATTERN, merchant)


@pytest.mark.parametrize("name", ["../outside", "/abs/x", "Meier/Soehne", "coordinator"])
def test_nothing_is_written_but_below_out(export, name) -> None:
    finished, files = export(name)
    assert finished.code == 0
    out = Path("inner/out")
    assert files == {sales_file(out, merchant) for merchant in (name, "south", "west")}
    assert {len(path.relative_to(out).parts) for path in files} == {2}
    assert f"{sales_file(out, name)}: " in finished.stdout


def test_an_absolute_name_writes_nothing_there(export, tmp_path) -> None:
    finished, _ = export(str(tmp_path / "elsewhere"))
    assert finished.code == 0
    assert not (tmp_path / "elsewhere").exists()


def test_json_names_merchants_as_they_are(export) -> None:
    finished, _ = export("Meier/Soehne", "--json")
    assert set(json.loads(finished.stdout)) == {"Meier/Soehne", "south", "west"}


def test_a_link_that_leads_outside_is_refused(export, tmp_path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "inner/out").mkdir(parents=True)
    (tmp_path / "inner/out/alba").symlink_to(tmp_path / "outside")
    finished, _ = export("alba")
    assert finished.code == 2
    assert "leads outside" in finished.stderr
    assert finished.stderr.count("\n") == 1
    assert not list((tmp_path / "outside").iterdir())


def test_names_that_some_disks_take_for_one_are_refused_before_anything_is_written(export, tmp_path) -> None:
    finished, files = export("Alba", south="alba")
    assert (finished.code, files) == (2, set())
    assert "would share a folder" in finished.stderr


def test_what_is_written_are_the_merchant_s_rows(export, sales, tmp_path) -> None:
    export("Meier/Soehne")
    written = pd.read_csv(sales_file(tmp_path / "inner/out", "Meier/Soehne"))
    expected = sales[sales["shop"] == "north"].drop(columns="shop").reset_index(drop=True)
    assert written["units"].tolist() == expected["units"].tolist()
    assert "shop" not in written
