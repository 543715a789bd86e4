"""Forecasts are scored when their days have come, and say what they are worth."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.feedback.forecast import read_forecasts
from client.feedback.kept import keep, read_kept
from client.feedback.past import Past, read_past
from client.feedback.proposal import judge_proposals
from client.feedback.score import find_cases, score_cases
from client.feedback.yardstick import apply_rule, same_weekdays
from client.shop.history.history import History
from client.shop.record import schema_of
from client.shop.settings import read_shop
from sheet import read_sheet
from small_shop import START, draw_sales, make_shop

NOW = datetime(2023, 3, 1, tzinfo=UTC)


def call(command: str, *words: str) -> Result:
    return CliRunner().invoke(app, [command, *words])


def make_past(units: list[list[float]], **other: object) -> Past:
    array = np.array(units, dtype=np.float32)
    names = tuple(f"P{number}" for number in range(len(array)))
    past = Past(
        first=START,
        products=names,
        names=names,
        category=("",) * len(names),
        units=array,
        out=np.zeros(array.shape, bool),
        open=np.ones(array.shape[1], bool),
        price=np.full(len(names), 2.0),
    )
    return replace(past, **other)


def test_the_last_weekdays_before_an_origin_are_those_and_no_later_ones() -> None:
    assert same_weekdays(30, 28, 4).tolist() == [23, 16, 9, 2]
    assert same_weekdays(28, 28, 2).tolist() == [21, 14]
    assert same_weekdays(45, 28, 2).tolist() == [24, 17]
    assert same_weekdays(30, 5, 4).tolist() == [2]


def test_a_plain_rule_knows_nothing_from_its_origin_on_and_skips_closed_days() -> None:
    units = np.tile(np.arange(28.0), (1, 1))
    past = make_past(units.tolist())
    assert apply_rule("seasonal_naive", past, origin=14, first=14, last=20).tolist() == [sum(range(7, 14))]
    assert apply_rule("weekday_mean", past, origin=14, first=14, last=14).tolist() == [3.5]
    closed = past.open.copy()
    closed[7] = False
    past = replace(past, open=closed)
    assert apply_rule("weekday_mean", past, origin=14, first=14, last=14).tolist() == [0.0]
    later = units.copy()
    later[:, 14:] = 1e6
    assert apply_rule("weekday_mean", make_past(later.tolist()), origin=14, first=14, last=20).max() < 100


def test_orders_are_held_against_what_was_needed(tmp_path: Path) -> None:
    past = make_past([[1.0] * 28])
    lines = [
        {"product": "P0", "first": "2023-01-09", "last": "2023-01-15", "covered": 5.0},
        {"product": "P0", "first": "2023-01-16", "last": "2023-01-22", "covered": 10.0},
        {"product": "P0", "first": "2023-01-23", "last": "2023-02-22", "covered": 10.0},
    ]
    keep(tmp_path, "order", NOW, {"lines": lines})
    found = judge_proposals(past, "order", read_kept(tmp_path, "order"))
    assert (found.lines, found.waiting) == (2, 1)
    assert (found.needed, found.covered, found.short, found.left) == (14.0, 15.0, 2.0, 3.0)
    assert (found.short_money, found.left_money) == (4.0, 6.0)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that forecast on two Mondays, and then brought what came."""
    sold = draw_sales(days=126, products=4, mean=5.0)
    folder = tmp_path_factory.mktemp("scored")
    early = [sale for sale in sold if sale[1] < START + timedelta(days=84)]
    make_shop(folder, early)
    found = call("forecast", "--folder", str(folder), "--horizon", "2w", "--method", "weekday_mean", "--json")
    assert found.exit_code == 0, found.output
    again = call("forecast", "--folder", str(folder), "--horizon", "2w", "--method", "weekday_mean", "--json")
    assert again.exit_code == 0
    assert len(read_kept(folder, "forecast")) == 1, "the same answer is kept once"
    nothing = call("score", "--folder", str(folder))
    assert "Nothing can be scored yet" in nothing.output
    bring(folder, [sale for sale in sold if sale[1] >= START + timedelta(days=84)])
    return folder


def bring(folder: Path, sold: list[tuple[str, date, float]]) -> None:
    schema, number = schema_of("sales"), len(sold)
    columns = {field.name: pa.nulls(number, field.type) for field in schema} | {
        "row": pa.array(range(number), pa.int64()),
        "order": pa.array([f"{number} {day} {product}" for product, day, _ in sold]),
        "line": pa.array([""] * number),
        "day": pa.array([day for _, day, _ in sold], pa.date32()),
        "product": pa.array([product for product, _, _ in sold], pa.string()),
        "customer": pa.array([""] * number),
        "quantity": pa.array([quantity for _, _, quantity in sold], pa.float64()),
        "amount": pa.array([2.0 * quantity for _, _, quantity in sold], pa.float64()),
        "currency": pa.array(["EUR"] * number),
        "state": pa.array(["sold"] * number),
    }
    with History.open(folder).begin("later") as one:
        one.append("sales", pa.table(columns, schema=schema))
        one.finish()


def test_the_weekday_mean_that_was_served_is_no_better_than_itself(shop: Path) -> None:
    """The yardstick is made anew, from arrays: it must say to the piece what the forecast of that name said."""
    said = json.loads(call("score", "--folder", str(shop), "--json").stdout)
    (weeks,) = said["scores"]
    whole = weeks["groups"][0]
    assert (weeks["by"], weeks["periods"], whole["products"], whole["cases"]) == ("week", 2, 4, 8)
    assert whole["over"] + whole["under"] == pytest.approx(whole["rules"]["weekday_mean"], rel=1e-3)
    assert whole["over_money"] == pytest.approx(2 * whole["over"])
    assert whole["inside"] + whole["below"] + whole["above"] == pytest.approx(1.0)


def test_the_owner_reads_pieces_and_money_and_what_it_is_worth(shop: Path, tmp_path: Path) -> None:
    found = call("score", "--folder", str(shop), "--out", str(tmp_path / "cases.xlsx"))
    assert found.exit_code == 0
    for words in ("Forecasts of 2 weeks, from 2023-03-27 to 2023-04-09", "For every 100 pieces sold", "EUR", "band"):
        assert words in found.output
    name, rows = read_sheet(tmp_path / "cases.xlsx")
    assert (name, len(rows)) == ("scores", 9)


def test_rows_that_come_late_change_the_score_and_days_to_come_are_not_scored(shop: Path) -> None:
    before = json.loads(call("score", "--folder", str(shop), "--json").stdout)["scores"][0]["groups"][0]
    bring(shop, [("P0", START + timedelta(days=85), 40.0)])
    after = json.loads(call("score", "--folder", str(shop), "--json").stdout)["scores"][0]["groups"][0]
    assert after["sold"] == before["sold"] + 40
    with History.open(shop) as history:
        past = read_past(history, read_shop(shop))
    short = replace(past, units=past.units[:, :95], out=past.out[:, :95], open=past.open[:95])
    (cases,) = find_cases(short, read_forecasts(shop))
    assert set(cases.last.tolist()) == {90}, "the second week has days that have not come"


def test_what_was_out_of_stock_is_left_out(shop: Path) -> None:
    with History.open(shop) as history:
        past = read_past(history, read_shop(shop))
    out = past.out.copy()
    out[0, 86] = True
    (cases,) = find_cases(replace(past, out=out), read_forecasts(shop))
    assert (cases.out, len(cases.row)) == (1, 7)


def test_where_nothing_that_came_can_be_judged_there_is_no_score(shop: Path) -> None:
    with History.open(shop) as history:
        past = read_past(history, read_shop(shop))
    assert find_cases(replace(past, out=np.ones_like(past.out)), read_forecasts(shop)) == []


def test_groups_are_categories_or_how_well_products_sell(shop: Path) -> None:
    with History.open(shop) as history:
        past = read_past(history, read_shop(shop))
    (cases,) = find_cases(past, read_forecasts(shop))
    assert [score.group for score in score_cases(past, cases)][:2] == ["", "best sellers"]
    named = replace(past, category=("tea", "tea", "", "pots"))
    scores = score_cases(named, cases)
    assert [score.group for score in scores] == ["", "pots", "tea", "without a category"]
    assert sum(score.sold for score in scores[1:]) == pytest.approx(scores[0].sold)


def test_a_day_that_is_none_is_a_sentence(shop: Path) -> None:
    found = call("score", "--folder", str(shop), "--since", "yesterday")
    assert "write it as 2025-09-30" in str(found.exception)
