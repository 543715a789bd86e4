"""`hansa-client forecast`, as a shop's owner calls it."""

import json
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.feedback.kept import FILE_NAME
from common.errors import ConfigError
from common.forecast.table import QUANTILES
from sheet import read_sheet
from small_shop import START, draw_sales, make_shop

COLUMNS = [
    "product",
    "name",
    "period",
    "first",
    "last",
    "open_days",
    "partial",
    "mean",
    *QUANTILES,
    "probability",
    "state",
    "without",
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sold = draw_sales(days=80, products=3)
    return make_shop(tmp_path_factory.mktemp("shop"), [*sold, ("=1+1", START, 2.0), ("<b>", START, 1.0)])


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["forecast", *words])


def test_the_terminal_says_it_in_plain_words(shop: Path) -> None:
    found = call("--folder", str(shop), "--horizon", "2w", "--method", "weekday_mean")
    assert found.exit_code == 0
    assert "about" in found.output
    assert "between" in found.output
    assert "In four cases of five" in found.output
    assert "weekday_mean alone, since it was asked for" in found.output
    assert "is not whole" in found.output
    assert "Traceback" not in found.output


def test_json_and_files_hold_the_same_rows(shop: Path, tmp_path: Path) -> None:
    common = ("--folder", str(shop), "--by", "month", "--horizon", "1m", "--method", "moving_average")
    outs = [tmp_path / f"next{suffix}" for suffix in (".csv", ".parquet", ".xlsx")]
    said = [json.loads(call(*common, "--out", str(out), "--json").stdout) for out in outs]
    rows = said[0]["rows"]
    assert list(rows[0]) == COLUMNS
    assert said[0]["methods"] == {"moving_average": 1.0}
    assert said[0]["from"] == "2023-03-23"
    csv, parquet = pyarrow.csv.read_csv(outs[0]), pyarrow.parquet.read_table(outs[1])
    assert csv.column_names == parquet.column_names == COLUMNS
    assert csv["mean"].to_pylist() == parquet["mean"].to_pylist() == [row["mean"] for row in rows]
    name, sheet = read_sheet(outs[2])
    assert name == "forecast"
    assert list(sheet[0]) == COLUMNS
    assert [row[0] for row in sheet[1:]] == [row["product"] for row in rows]
    assert "=1+1" in [row[0] for row in sheet[1:]], "a product is text, and no formula"


def test_the_top_and_one_product_are_all_there_is(shop: Path) -> None:
    common = ("--folder", str(shop), "--method", "moving_average", "--horizon", "1w", "--json")
    top = {row["product"] for row in json.loads(call(*common, "--top", "1").stdout)["rows"]}
    one = {row["product"] for row in json.loads(call(*common, "--product", "P0").stdout)["rows"]}
    assert top == {"P2"}
    assert one == {"P0"}


@pytest.mark.parametrize("of", ["category", "shop"])
def test_sums_are_served_and_only_products_are_kept_to_be_judged(of: str, tmp_path: Path) -> None:
    folder = make_shop(tmp_path, draw_sales(days=80, products=3))
    asked = ("--folder", str(folder), "--horizon", "1w", "--method", "moving_average")
    found = call(*asked, "--of", of, "--json")
    assert found.exit_code == 0, found.exception
    assert json.loads(found.stdout)["of"] == of
    assert not (folder / FILE_NAME).exists()
    assert call(*asked).exit_code == 0
    assert (folder / FILE_NAME).exists()


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_the_picture_shows_past_and_future_and_needs_no_other_file(shop: Path, tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"next{suffix}"
    assert call("--folder", str(shop), "--method", "moving_average", "--picture", str(file)).exit_code == 0
    text = file.read_text(encoding="utf-8")
    assert "sold</title>" in text
    assert "between" in text
    assert "<b>" not in text, "what a product is called is escaped"
    assert "<script" not in text
    assert text.count("http") == text.count('xmlns="http://www.w3.org/2000/svg"') + text.count("http-equiv")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "fortnight"], "choose day, week or month"),
        (["--from", "yesterday"], "write it as 2025-09-30"),
        (["--out", "next.docx"], "choose one of them"),
        (["--picture", "next.png"], "choose one of them"),
        (["--top", "3", "--product", "P0"], "leave one of them out"),
        (["--of", "shop", "--top", "3"], "leave one of them out"),
        (["--of", "shop", "--product", "P0"], "leave one of them out"),
        (["--of", "category", "--product", "P0"], "leave one of them out"),
        (["--out", "/proc/version/next.csv"], "is a file and no folder"),
        (["--horizon", "soon"], "no length of time"),
        (["--folder", "nowhere"], "hansa-client init"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], said: str, shop: Path) -> None:
    folder = [] if "--folder" in words else ["--folder", str(shop)]
    error = call(*folder, *words).exception
    assert isinstance(error, ConfigError)
    assert said in str(error)
    assert "\n" not in str(error)
