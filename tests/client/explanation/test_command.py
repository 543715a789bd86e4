"""`hansa-client explain`, as a shop's owner calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.explanation.group import GROUPS
from common.errors import ConfigError
from sheet import read_sheet
from shop_records import make_records
from small_shop import draw_sales, make_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = make_records("products", {"product": "P1", "name": "<b>Tea"}, {"product": "unsold", "name": "Never"})
    return make_shop(tmp_path_factory.mktemp("shop") / "shop", draw_sales(days=120, products=3), products=named)


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["explain", *map(str, words)])


def test_it_is_said_in_a_sentence_and_in_lines_that_add_up(shop: Path) -> None:
    said = call("P1", "--folder", shop, "--method", "weekday_mean").stdout
    first, _, *lines = said.splitlines()
    assert first.startswith("About ")
    assert "P1 (<b>Tea)" in first
    assert "would be usual" in first
    numbers = [line.split()[0].replace("−", "-") for line in lines[: lines.index("")]]
    *parts, whole = [float(number) for number in numbers]
    assert sum(parts) == pytest.approx(whole, abs=0.5 + 0.5 * len(parts))
    assert "Times of the past like that:" in said
    assert "Made by weekday_mean alone." in said


def test_json_table_and_picture_hold_the_same_parts(shop: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "why.xlsx", tmp_path / "why.html"
    words = ("P2", "P1", "--folder", shop, "--method", "moving_average", "--out", out, "--picture", picture, "--json")
    said = json.loads(call(*words).stdout)
    assert [each["product"] for each in said["explanations"]] == ["P2", "P1"], "as they were asked for"
    for each in said["explanations"]:
        assert [part["group"] for part in each["parts"]] == list(GROUPS)
        assert sum(part["pieces"] for part in each["parts"]) == pytest.approx(each["forecast"])
        assert 1 <= len(each["similar"]) <= 3
        assert all(time["came_last"] < said["from"] for time in each["similar"])
    name, (head, *table) = read_sheet(out)
    assert name == "reasons"
    told = [part["pieces"] for each in said["explanations"] for part in each["parts"]]
    assert [row[head.index("pieces")] for row in table] == pytest.approx(told)
    page = picture.read_text()
    assert "&lt;b&gt;Tea" in page
    assert "<b>" not in page
    assert "<script" not in page


def test_a_drawing_is_one(shop: Path, tmp_path: Path) -> None:
    from xml.etree import ElementTree

    picture = tmp_path / "why.svg"
    assert call("P0", "P1", "--folder", shop, "--method", "anchor", "--picture", picture).exit_code == 0
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")  # noqa: S314


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("tea",), "No product 'tea' was ever sold in this shop"),
        (("p1",), "did you mean P1?"),
        (("unsold",), "was never sold"),
        (("P1", "--period", "soon"), "write a day as 2025-03-04"),
        (("P1", "--period", "2023-W01"), "is over by 2023-05-02"),
        (("P1", "--period", "2026-01"), "more than 400 days ahead"),
        (("P1", "--from", "yesterday"), "write it as 2025-09-30"),
        (("P1", "--method", "magic"), "There is no method 'magic'"),
        (("P1", "--picture", "why.gif"), "neither .svg nor .html"),
        (("P1", "--out", "why.pdf"), "is none of .csv"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(words: tuple[str, ...], sentence: str, shop: Path) -> None:
    error = call(*words, "--folder", shop).exception
    assert isinstance(error, ConfigError)
    assert sentence in str(error)
