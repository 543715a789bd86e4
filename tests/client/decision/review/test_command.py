"""`hansa-client reviews`, as a shop's owner calls it, and the sentences that models of mood were chosen by."""

import csv
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.decision.review.text import learn_to_read
from common.errors import ConfigError, DataError
from sheet import read_sheet
from shop_records import make_records
from small_shop import START, draw_sales, make_shop

SENTENCES = Path(__file__).parent / "sentences.tsv"


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["reviews", *map(str, words)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = []
    for place in range(60):
        good = place < 40
        words = "nice" if good else "broken handle"
        rows.append(
            {"day": START + timedelta(days=5 * place), "product": "P0", "rating": 5.0 if good else 1.0, "text": words}
        )
    rows.append({"day": START, "product": "P1", "rating": None, "text": "nice"})
    sold = draw_sales(days=300, products=2)
    return make_shop(tmp_path_factory.mktemp("shop"), sold, reviews=make_records("reviews", *rows))


def test_the_terminal_says_what_changed_and_what_is_not_known(shop: Path) -> None:
    found = call("--folder", shop)
    assert found.exit_code == 0, found.output
    assert "P0: the mood fell from 5.0 to 1.0 since 2023-07-21" in found.output
    assert "complaints name" in found.output
    assert "Of 1 reviews the mood is not known" in found.output
    assert "Only 1 good and 1 bad reviews have both words and a rating" in found.output


def test_json_and_the_table_hold_the_same_rows(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.xlsx"
    said = json.loads(call("--folder", shop, "--out", out, "--json").stdout)
    assert [row["product"] for row in said["rows"]] == ["P0"]
    assert said["changes"][0]["num_after"] == 20
    assert said["scale"] == [1.0, 5.0]
    assert not said["text"]["usable"]
    name, rows = read_sheet(out)
    assert (name, len(rows)) == ("reviews", 2)


def test_a_shop_without_reviews_is_told_so(tmp_path: Path) -> None:
    empty = make_shop(tmp_path / "a", draw_sales(days=20, products=1))
    assert "has no reviews" in str(call("--folder", empty).exception)
    mute = make_shop(
        tmp_path / "b", draw_sales(days=20, products=1), reviews=make_records("reviews", {"rating": None, "text": ""})
    )
    found = call("--folder", mute)
    assert isinstance(found.exception, DataError)
    assert "None has words or a rating" in str(found.exception)
    assert isinstance(call("--folder", empty, "--out", "rows.txt").exception, ConfigError)


def read_sentences() -> list[dict[str, str]]:
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_there_are_a_hundred_sentences_of_each_language_half_of_them_good() -> None:
    counts = Counter((row["language"], row["mood"]) for row in read_sentences())
    assert counts == {(language, mood): 50 for language in ("en", "zh") for mood in ("good", "bad")}
    assert len({row["text"] for row in read_sentences()}) == 200


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_hundred_reviews_teach_too_little_to_read_and_that_is_noticed(language: str) -> None:
    rows = [row for row in read_sentences() if row["language"] == language]
    reader = learn_to_read([row["text"] for row in rows], np.array([row["mood"] == "good" for row in rows]))
    assert reader.rated == 100
    assert reader.agreement < 0.7
    assert not reader.usable
    assert reader.read(["good"]).tolist() == [0.0]
