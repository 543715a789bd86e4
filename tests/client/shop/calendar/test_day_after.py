"""A shop whose last sale lies where the calendar ends: a slip in a year."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from client.cli import app
from client.shop.calendar.day_after import day_after
from client.shop.history.history import History
from common.errors import DataError
from shop_records import make_records
from small_shop import draw_sales, make_shop

COMMANDS = (
    "forecast",
    "order --on 2026-11-30",
    "explain P0",
    "customers",
    "recommend --basket P0",
    "whatif --change +5% --product P0",
    "trends",
    "watch",
    "score",
    "override add --product P0 --total 5 --from 2199-12-31 --reason fair --author owner",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sold = draw_sales(days=100, products=2, start=date(9999, 9, 23))
    assert max(day for _, day, _ in sold) == date.max
    folder = make_shop(tmp_path_factory.mktemp("last"), sold)
    with History.open(folder).begin("web") as one:
        one.append("sales", make_records("sales", {"day": date.max}))
        one.finish()
    return folder


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_that_looks_ahead_says_which_sale_is_dated_too_late(shop: Path, words: str) -> None:
    done = CliRunner().invoke(app, [*words.split(), "--folder", str(shop)])
    said = str(done.exception)
    assert isinstance(done.exception, DataError) or "has passed" in said, done.output
    assert "A sale is dated 9999-12-31" in said or "9999-12-31; choose days ahead" in said


def test_check_looks_the_rest_over_all_the_same(shop: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--folder", str(shop), "--json"])
    told = {each["key"]: each for each in json.loads(done.stdout)["problems"]}
    assert told["last_day"]["severity"] == "fault"
    assert "A sale is dated 9999-12-31" in told["last_day"]["what"]
    assert len(told) > 1


def test_the_day_after_is_given_as_long_as_a_year_is_left() -> None:
    assert day_after(date(2199, 12, 31)) == date(2200, 1, 1)
    with pytest.raises(DataError, match="2200-01-01"):
        day_after(date(2200, 1, 1))
