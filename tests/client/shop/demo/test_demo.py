"""The demo shop is what its law says, goes through the road of any shop, and has the stories that it promises."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from client import cli
from client.shop.demo.good import DEAD, FRAGILE, GOODS, NEW, NEW_DAYS, SHIFT_DAYS, SHIFTED
from client.shop.demo.invention import invent_demo
from client.shop.demo.next_step import list_steps
from client.shop.history.history import History
from client.shop.settings import read_shop
from demo_shop import LAST, Demo

PLACE = {good.code: place for place, good in enumerate(GOODS)}


def test_the_history_holds_every_piece_that_was_sold_and_nothing_else(demo: Demo) -> None:
    daily = History.open(demo.folder).daily()
    sold = np.zeros_like(demo.truth.shelf.sold)
    for row in daily.select(["product", "day", "units"]).to_pylist():
        sold[PLACE[row["product"]], (row["day"] - demo.truth.law.start).days] += int(row["units"])
    assert (sold == demo.truth.shelf.sold).all()
    assert demo.truth.law.start + timedelta(days=demo.truth.law.days - 1) == LAST


def test_every_kind_of_record_is_there_and_no_row_was_left_out(demo: Demo) -> None:
    history = History.open(demo.folder)
    kinds = ("returns", "views", "carts", "searches", "reviews", "stock", "prices", "promotions", "events", "products")
    assert all(history.records(kind).num_rows for kind in (*kinds, "terms", "on_order"))
    assert not any(entry.left_out for entry in history.journal())
    assert len(read_shop(demo.folder).sources) == len(history.journal())


def test_the_same_seed_gives_the_same_shop_and_another_one_another() -> None:
    one, again, other = (invent_demo(LAST, seed=seed, days=200) for seed in (3, 3, 4))
    assert (one.shelf.sold == again.shelf.sold).all()
    assert one.reviews == again.reviews
    assert (one.shelf.sold != other.shelf.sold).any()


def test_what_is_wanted_follows_the_law_within_chance(demo: Demo) -> None:
    """A sum of Poisson counts lies within five of its standard deviations: a false alarm in two million."""
    mean = demo.truth.law.mean[:, : demo.truth.law.days].sum(axis=1)
    assert (np.abs(demo.truth.shelf.wanted.sum(axis=1) - mean) < 5 * np.sqrt(mean)).all()


def test_nothing_is_sold_without_stock_and_stock_is_what_came_less_what_went(demo: Demo) -> None:
    shelf, days = demo.truth.shelf, demo.truth.law.days
    assert (shelf.on_hand >= 0).all()
    assert ((shelf.sold == shelf.wanted) | (shelf.on_hand == 0)).all()
    came = np.zeros((len(GOODS), days))
    for each in shelf.deliveries:
        if each.arrives < days:
            came[each.product, each.arrives] += each.quantity
    change = np.diff(shelf.on_hand, axis=1)
    assert (change == came[:, 1:] - shelf.sold[:, 1:]).all()
    assert 0.005 < (shelf.wanted > shelf.sold).mean() < 0.1, "it runs out now and then"
    assert any(each.arrives >= days for each in shelf.deliveries), "something is on order"


def test_what_was_ordered_is_what_came_and_the_rest_is_on_its_way(demo: Demo) -> None:
    shelf, law = demo.truth.shelf, demo.truth.law
    lines = History.open(demo.folder).records("on_order").to_pylist()
    assert sum(line["quantity"] for line in lines) == sum(each.quantity for each in shelf.deliveries)
    there = [line for line in lines if line["arrived_day"] is None]
    assert len(there) == sum(each.arrives >= law.days for each in shelf.deliveries)
    assert all(line["arrived_day"] <= LAST for line in lines if line not in there)
    assert len({line["order"] for line in lines}) == len({(line["ordered_day"], line["supplier"]) for line in lines})
    terms = {row["product"]: row for row in History.open(demo.folder).records("terms").to_pylist()}
    assert {code: row["supplier"] for code, row in terms.items()} == {good.code: good.supplier.name for good in GOODS}
    assert all(0 < row["unit_cost"] < law.price[PLACE[code], law.days - 1] for code, row in terms.items())


def test_a_line_is_of_one_customer_and_all_lines_are_what_was_sold(demo: Demo) -> None:
    lines = demo.truth.lines
    sold = np.zeros_like(demo.truth.shelf.sold)
    np.add.at(sold, (lines.product, lines.day), lines.quantity)
    assert (sold == demo.truth.shelf.sold).all()
    first = np.unique(lines.order, return_index=True)[1]
    place = np.searchsorted(lines.order[first], lines.order)
    assert (lines.customer == lines.customer[first][place]).all()
    assert (np.diff(lines.day[first]) >= 0).all()


def test_the_stories_are_in_the_sales(demo: Demo) -> None:
    sold, days = demo.truth.shelf.sold, demo.truth.law.days
    assert not sold[PLACE[NEW], : days - NEW_DAYS].any()
    assert sold[PLACE[NEW]].any()
    assert not sold[PLACE[DEAD], -100:].any()
    wanted = demo.truth.shelf.wanted[PLACE[SHIFTED]]
    assert wanted[-SHIFT_DAYS:].mean() > 1.6 * wanted[-2 * SHIFT_DAYS : -SHIFT_DAYS].mean()
    broken = [each for each in demo.truth.reviews if each.product == PLACE[FRAGILE] and each.day > days - 50]
    assert np.mean([each.rating for each in broken]) < 2.5
    assert {word for each in demo.truth.reviews for word in each.words if "一" <= word <= "鿿"}, "some write Chinese"


def test_customers_leave_and_whoever_left_orders_no_more(demo: Demo) -> None:
    lines, customers = demo.truth.lines, demo.truth.customers
    named = lines.customer >= 0
    who, day = lines.customer[named], lines.day[named]
    late = (day >= customers.last[who]) | (day < customers.first[who])
    assert late.mean() < 0.001
    assert (customers.last < demo.truth.law.days).mean() > 0.15


def test_no_customer_s_address_is_in_the_history(demo: Demo) -> None:
    kept = (demo.folder / "history.duckdb").read_bytes()
    assert b"mail.example" not in kept


def test_the_command_says_what_to_try_and_everything_that_it_says_can_be_typed(tmp_path: Path) -> None:
    folder = tmp_path / "my shop"
    found = CliRunner().invoke(cli.app, ["demo", str(folder), "--until", "2026-05-31", "--json"])
    said = json.loads(found.stdout)
    assert (said["first"], said["last"], said["products"]) == ("2024-05-06", "2026-05-31", len(GOODS))
    words = [line["command"] for line in said["next"]]
    assert any(line.startswith("hansa-client forecast") for line in words)
    again = CliRunner().invoke(cli.app, ["demo", str(folder)])
    assert "is not empty" in str(again.exception)


def test_every_step_can_be_parsed_and_none_is_of_a_federation(tmp_path: Path) -> None:
    import shlex

    import click

    group = typer.main.get_command(cli.app)
    assert isinstance(group, click.Group)
    steps = list(list_steps(group, tmp_path))
    for line, answers in steps:
        program, name, *words = shlex.split(line)
        assert program == "hansa-client"
        assert answers
        group.commands[name].make_context(name, words)
    assert {"check", "forecast"} <= {line.split()[1] for line, _ in steps}
    assert not {"join", "run", "prove", "audit", "init", "demo"} & {line.split()[1] for line, _ in steps}


@pytest.mark.parametrize("until", ["soon", "1999-01-01"])
def test_a_day_that_is_none_is_one_sentence(until: str, tmp_path: Path) -> None:
    error = CliRunner().invoke(cli.app, ["demo", str(tmp_path / "new"), "--until", until]).exception
    assert "--until" in str(error)
    assert not (tmp_path / "new").exists()
