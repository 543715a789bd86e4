"""`hansa-client customers`, as a shop's owner calls it."""

import json
from datetime import date, timedelta
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.decision.customer.reading import read_purchases
from client.shop.history.history import History
from client.shop.settings import read_shop
from common.errors import ConfigError, DataError, HansaError
from sheet import read_sheet

COLUMNS = [
    *("customer", "segment", "first", "last", "purchases", "spent", "silent_days", "usual_gap_days"),
    *("chance", "orders", "orders_low", "orders_high", "value", "value_low", "value_high", "order_value"),
    *("chance_90", "usual_chance_90", "risk", "value_90", "usual_value_90", "value_at_risk"),
]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["customers", *words])


def test_the_terminal_says_it_in_plain_words(small_shop: Path) -> None:
    found = call("--folder", str(small_shop), "--uplift", "0.05")
    assert found.exit_code == 0
    for words in ("segment", "at risk in 90 days", "A purchase is a day", "The chance to buy comes from"):
        assert words in found.output
    assert "of the lines sold name no customer" in found.output
    for word in ("epsilon", "Traceback", "nan", "log-loss"):
        assert word not in found.output


def test_json_and_files_hold_the_same_customers(small_shop: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"all{suffix}" for suffix in (".csv", ".parquet", ".xlsx")]
    letters, picture = tmp_path / "list.csv", tmp_path / "seen.html"
    common = ("--folder", str(small_shop), "--json")
    found = call(*common, "--out", str(outs[0]), "--write", str(letters), "--picture", str(picture))
    assert found.exception is None or found.exit_code == 0, found.exception
    said = json.loads(found.stdout)
    for out in outs[1:]:
        assert call(*common, "--out", str(out)).exit_code == 0
    assert list(said["rows"][0]) == COLUMNS
    assert said["customers"] == len(said["rows"]) == sum(each["customers"] for each in said["segments"][:-1])
    assert pyarrow.csv.read_csv(outs[0]).column_names == pyarrow.parquet.read_table(outs[1]).column_names == COLUMNS
    name, sheet = read_sheet(outs[2])
    assert name == "customers"
    assert [row[0] for row in sheet[1:]] == [row["customer"] for row in said["rows"]]
    assert pyarrow.csv.read_csv(letters).num_rows == said["letters"]["customers"]
    text = picture.read_text(encoding="utf-8")
    assert "<script" not in text
    assert text.count("http") == text.count('xmlns="http://www.w3.org/2000/svg"') + text.count("http-equiv")


def test_one_segment_is_all_there_is(small_shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "once.csv"
    assert call("--folder", str(small_shop), "--segment", "came once", "--out", str(out)).exit_code == 0
    assert set(pyarrow.csv.read_csv(out)["segment"].to_pylist()) == {"came once"}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_a_list_is_measured_when_the_days_have_come(small_shop: Path, tmp_path: Path, suffix: str) -> None:
    """The list of a past day, whatever it is written as, is held against what came since."""
    letters = tmp_path / f"list{suffix}"
    common = ("--folder", str(small_shop))
    words = ("--from", "2023-07-15", "--write", str(letters), "--hold-out", "0.5")
    assert call(*common, *words).exit_code == 0
    assert suffix != ".xlsx" or read_sheet(letters)[0] == "letters"
    said = json.loads(call(*common, "--measure", str(letters), "--json").stdout)
    assert said["written_on"] == "2023-07-15"
    assert said["bought"][1] <= said["bought"][0] <= said["bought"][2]
    assert "in 19 of 20 cases" in call(*common, "--measure", str(letters)).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "yesterday"], "write it as 2025-09-30"),
        (["--out", "next.docx"], "choose one of them"),
        (["--picture", "next.png"], "choose one of them"),
        (["--segment", "nice"], "slipping away"),
        (["--folder", "nowhere"], "hansa-client init"),
        (["--from", "2023-01-05"], "bring older exports"),
        (["--measure", "nothing.csv"], "give the file that --write wrote"),
        (["--measure", "list.csv", "--out", "out.csv"], "leave --segment and files out"),
        (["--out", "same.csv", "--write", "same.csv"], "give each a file of its own"),
        (["--write", "next.docx"], "--write next.docx is none of"),
        (["--from", "2031-01-05"], "Import what was sold since"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], said: str, small_shop: Path) -> None:
    folder = [] if "--folder" in words else ["--folder", str(small_shop)]
    error = call(*folder, *words).exception
    assert isinstance(error, HansaError)
    assert said in str(error)
    assert "\n" not in str(error)


def test_a_file_that_is_no_list_is_one_sentence(small_shop: Path, tmp_path: Path) -> None:
    for suffix in (".csv", ".parquet", ".xlsx"):
        file = tmp_path / f"broken{suffix}"
        file.write_bytes(b"\x00\xff broken")
        error = call("--folder", str(small_shop), "--measure", str(file)).exception
        assert isinstance(error, DataError), suffix


def test_a_shop_of_guests_alone_is_told_what_is_missing(make_shop) -> None:  # type: ignore[no-untyped-def]
    start = date(2024, 1, 1)
    folder = make_shop([("", start + timedelta(days=day), 5.0) for day in range(90)])
    error = call("--folder", str(folder)).exception
    assert isinstance(error, DataError)
    assert "None of the 90 lines sold names a customer" in str(error)


def test_an_empty_history_is_told_what_to_do(make_shop) -> None:  # type: ignore[no-untyped-def]
    error = call("--folder", str(make_shop([]))).exception
    assert isinstance(error, DataError | ConfigError)
    assert "import" in str(error)


def test_guests_under_one_name_are_noticed(make_shop) -> None:  # type: ignore[no-untyped-def]
    start = date(2024, 1, 1)
    people = [(f"p{day % 60}", start + timedelta(days=day), 5.0) for day in range(120)]
    folder = make_shop([*people, *[("guest", start + timedelta(days=day), 5.0) for day in range(120)]])
    history = History.open(folder)
    assert "One customer has 50% of the lines sold" in read_purchases(history, read_shop(folder))[1][0]
    alone = make_shop(people, name="other")
    assert read_purchases(History.open(alone), read_shop(alone))[1] == ()
