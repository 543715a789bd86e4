"""What forecasts are worth as stock: on a shop in which only one method can know what comes, and as it is shown."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from client.decision.stock.cost import StockCosts
from client.decision.stock.frontier import Ledger, Point, Saving, keep_ledger
from client.decision.stock.level import SERVICE_LEVELS
from client.decision.stock.shelf import Flow
from client.decision.stock.worth import CLASSES, DRAWN, OURS, At, Group, compare
from common.errors import ConfigError
from simulation.experiment.worth import Stocking, Worth, choose_products, make_worth_table, say_saving
from simulation.experiment.worth_picture import HEIGHT, TOP, draw_frontier

START = date(2024, 1, 1)  # a Monday
COSTS = StockCosts(np.array(0.1), np.array(2.0))
SVG = "{http://www.w3.org/2000/svg}"


# By hand: ten pieces are wanted a week, and 85 % or 95 % served lie halfway between two levels.


def _ledger(held: tuple[float, float, float], *, products: int = 20, cycles: int = 24) -> Ledger:
    """Hold so much at which 8, 9 and all 10 of ten pieces are served, the last two at the highest levels."""
    often = (len(SERVICE_LEVELS) - 2, 1, 1)
    shape = (len(SERVICE_LEVELS), products, cycles)
    there, served = (
        np.broadcast_to(np.repeat(np.array(part, float), often)[:, None, None], shape) for part in (held, (8, 9, 10))
    )
    flow = Flow(there, np.full(shape[1:], 10.0), served, np.ones(shape), served < 10)
    return keep_ledger(flow, COSTS, cycle_days=7)


def test_the_cheapest_other_is_held_against_at_each_share() -> None:
    """Up to 90 % min_max keeps less, beyond it auto_ets does."""
    ledgers = {
        OURS: _ledger((5, 20, 40)),
        "auto_ets": _ledger((10, 40, 60)),
        "min_max": _ledger((10, 30, 130)),
    }
    whole, none = np.ones(20, bool), np.zeros(20, bool)
    (group,) = compare(ledgers, {"all": whole, "class A": none}, fill_rates=(0.85, 0.95, 0.999), resamples=20)
    low, high, _ = group.at
    assert (low.best_other, high.best_other) == ("min_max", "auto_ets")
    assert low.saving is not None
    assert high.saving is not None
    assert low.saving.stock_share == pytest.approx(1 - 12.5 / 20)
    assert high.saving.stock_share == pytest.approx(1 - 30 / 50)
    month = 20 * 24 / (24 * 7 / 30)  # of 20 products, 24 weeks
    assert high.saving.amount == pytest.approx((50 - 30) * 0.1 * month)
    assert high.points[OURS] is not None
    assert high.points[OURS].cost == pytest.approx((30 * 0.1 + 0.5 * 2.0) * month)
    assert (group.products, group.demand_share, high.saving.verdict) == (20, 1.0, "cheaper")
    drawn = dict(zip(DRAWN, group.frontier["auto_ets"], strict=True))
    assert drawn[0.7] is None  # below what its lowest level serves
    assert drawn[0.95] == pytest.approx((50 * 0.1 + 0.5 * 2.0) * month)


def test_worse_orders_cost_and_equal_ones_save_nothing() -> None:
    dear, cheap = _ledger((10, 30, 70)), _ledger((10, 20, 40))
    (group,) = compare({OURS: dear, "other": cheap}, {"all": np.ones(20, bool)}, fill_rates=(0.95,), resamples=20)
    assert group.at[0].saving is not None
    assert group.at[0].saving.verdict == "dearer"
    assert group.at[0].saving.stock_share == pytest.approx(1 - 50 / 30)
    (group,) = compare({OURS: cheap, "other": cheap}, {"all": np.ones(20, bool)}, fill_rates=(0.95,), resamples=20)
    assert group.at[0].saving is not None
    assert (group.at[0].saving.amount, group.at[0].saving.verdict) == (0.0, "unclear")


def test_products_are_chosen_by_days_sold_before_the_first_review_alone(make_panel: Callable[..., Any]) -> None:
    sold = np.zeros((6, 60), np.float32)
    for product, days in enumerate((4, 10, 20, 30, 40, 5)):
        sold[product, :days] = 1.0
    sold[:, 50:] = 9.0  # what comes later counts for nothing
    panel = make_panel(target=sold)
    chosen, busiest = choose_products(panel, 50, Stocking(busiest=2, random=2))
    assert busiest is not None
    assert chosen[busiest].tolist() == [3, 4]
    assert len(chosen) == 4
    assert set(chosen[~busiest].tolist()) < {1, 2, 5}, "the first was sold on four days, too few"
    assert choose_products(panel, 50, Stocking())[0].tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(ConfigError, match="Nothing was sold on 5 days"):
        choose_products(panel.select(np.array([0])), 50, Stocking())


# As it is shown


def _worth(*groups: Group, currency: str = "EUR", plan: str = "corner shop") -> Worth:
    return Worth(plan, 12, date(2024, 5, 1), date(2024, 7, 1), 8.9, currency, groups)


def _group(saving: Saving | None = None) -> Group:
    point = Point(1234.4, {"holding": 1000.0, "lost": 234.4, "ordering": 0.0}, 20.0, 0.9)
    at = At(0.95, {OURS: point, "min_max": None}, "min_max" if saving else "", saving)
    rising = tuple(100.0 * place for place in range(1, len(DRAWN) + 1))
    return Group("all", 12, 1.0, (at,), {OURS: rising, "min_max": (None, *rising[1:-1], None), "never": (None,) * 9})


def test_a_saving_is_said_with_its_interval_and_against_whom() -> None:
    sure = Saving(50.0, 0.031, 0.104, 10.0, 90.0, 0.006, 0.056, 0.02, 0.18)
    assert say_saving(sure, "auto_ets") == "+3.1% (+0.6% to +5.6%) than auto_ets; stock +10.4%"
    few = Saving(-5.0, -0.02, -0.01, None, None, None, None, None, None)
    assert say_saving(few, "min_max") == "-2.0% than min_max; stock -1.0%"
    assert say_saving(None, "") == "–"


def test_the_table_says_what_each_method_costs_and_nothing_where_it_never_serves_so_much() -> None:
    table = make_worth_table(_worth(_group()))
    assert table.title == "Cost of stock a month, in EUR: 2024-05-01 to 2024-07-01"
    assert [column.header for column in table.columns] == [
        *("products", "served", OURS, "min_max", "cheaper than the best other")
    ]
    assert [next(iter(column.cells)) for column in table.columns] == ["all (12)", "95%", "1,234", "–", "–"]
    assert "pieces' worth" in str(make_worth_table(_worth(_group(), currency="")).title)


def test_the_picture_draws_each_line_where_it_costs_what_it_costs() -> None:
    drawing = ElementTree.fromstring(draw_frontier(_worth(_group()), page=False))  # noqa: S314  our own
    lines = {path[0].text: path for path in drawing.iter(f"{SVG}path") if len(path)}
    assert set(lines) == {OURS, "min_max"}, "what never serves so much has no line"
    assert (lines[OURS].get("stroke-width"), lines["min_max"].get("stroke-width")) == ("3", "1.5")
    points = [part.split() for part in lines[OURS].get("d", "")[1:].split(" L")]
    assert len(points) == len(DRAWN)
    assert float(points[-1][1]) == TOP, "the dearest is at the top"
    heights = [HEIGHT - 44 - float(y) for _, y in points]
    assert heights == pytest.approx([heights[-1] * place / 9 for place in range(1, 10)], abs=0.1)
    assert len(lines["min_max"].get("d", "").split(" L")) == len(DRAWN) - 2
    words = [text.text for text in drawing.iter(f"{SVG}text")]
    for word in ("Cost a month, EUR, by share of demand served", "95 %", "900", "450", OURS, "min_max"):
        assert word in words


def test_the_page_needs_no_other_file_and_a_plan_s_name_is_no_markup() -> None:
    page = draw_frontier(_worth(_group(), plan="<b>tea</b>"), page=True)
    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;tea" in page
    assert "<b>" not in page
    assert "<script" not in page
    assert page.count("http") == page.count('xmlns="http://www.w3.org/2000/svg"') + page.count("http-equiv")
    ElementTree.fromstring(draw_frontier(_worth(), page=False))  # noqa: S314  nothing at all is a drawing too


# The command, on an invented shop


def _write_shop(folder: Path, *, products: int, days: int, on_offer: float) -> Path:
    """Write sales of three a day, five times as many in the weeks of an offer, which the plan knows ahead."""
    generator = np.random.default_rng(0)
    offer = generator.random((products, days // 7 + 1)) < on_offer
    rows = [
        (f"p{product}", str(START + timedelta(day)), int(generator.poisson(3 + 12 * is_on)), int(is_on), 5.0)
        for product in range(products)
        for day in range(days)
        for is_on in [offer[product, day // 7]]
    ]
    pd.DataFrame(rows, columns=["product", "date", "units", "offer", "price"]).to_csv(folder / "sales.csv", index=False)
    (folder / "plan.toml").write_text(
        f"""
        name = "offers"
        [data]
        path = "sales.csv"
        rows = "panel"
        entity = "product"
        time = "date"
        target = {{ aggregate = "sum", column = "units" }}
        start = {START}
        end = {START + timedelta(days - 1)}
        known = [{{ column = "offer" }}]
        [model]
        step = "day"
        horizon_days = 14
        likelihood = "negative_binomial"
        [privacy]
        unit = "product"
        [evaluation]
        origins = [{START + timedelta(days - 14)}]
        methods = ["anchor"]
        """,
        encoding="utf-8",
    )
    return folder / "plan.toml"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--first", "soon"), "write it as 2011-03-21"),
        (("--first", "2031-01-01"), "lies outside the plan's days"),
        (("--fill-rate", "most"), "write it as 0.9,0.95"),
        (("--fill-rate", "95"), "write 95 % as 0.95"),
        (("--picture", "frontier.png"), "choose one of them"),
        (("--price", "cost"), "cost"),
        ((), "too few for half a year of stock"),
    ],
)
def test_a_mistake_is_one_sentence(hansa_sim, tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    plan = _write_shop(tmp_path, products=2, days=60, on_offer=0.0)
    done = hansa_sim("worth", plan, "--data-root", tmp_path, *words)
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done
    assert sentence in done.stderr


FEW = ("--first", START + timedelta(70), "--review-days", 14, "--lead-days", 7, "--fill-rate", "0.5,0.9")


def test_the_command_says_it_as_json_and_draws_it(hansa_sim, tmp_path: Path) -> None:
    plan, picture = _write_shop(tmp_path, products=3, days=133, on_offer=0.3), tmp_path / "cost.svg"
    asked = ("worth", plan, "--data-root", tmp_path, *FEW, "--price", "price", "--currency", "EUR")
    said = json.loads(hansa_sim(*asked, "--picture", picture, "--json").stdout)
    assert (said["plan"], said["products"], said["counted_weeks"], said["currency"]) == ("offers", 3, 4.0, "EUR")
    assert (said["first"], said["last"]) == ("2024-04-08", "2024-05-05")
    whole = said["groups"][0]
    assert [at["fill_rate"] for at in whole["at"]] == [0.5, 0.9]
    assert list(whole["at"][1]["points"]) == [OURS, "weekday_mean", "auto_ets", "auto_ets_misses", "min_max"]
    assert {group["name"] for group in said["groups"]} <= {"all", *(f"class {name}" for name in CLASSES)}
    ElementTree.fromstring(picture.read_text())  # noqa: S314  our own


@pytest.mark.slow
def test_the_command_says_it_in_words(hansa_sim, tmp_path: Path) -> None:
    plan = _write_shop(tmp_path, products=3, days=133, on_offer=0.3)
    told = hansa_sim("worth", plan, "--data-root", tmp_path, *FEW)
    assert told.code == 0
    assert "Cost of stock a month, in pieces' worth: 2024-04-08 to 2024-05-05" in told.stdout
    assert "3 products over 4 weeks; demand is what was sold." in told.stdout
    assert "Traceback" not in told.stderr


@pytest.mark.slow
def test_who_knows_of_offers_ahead_keeps_less_stock_and_where_there_are_none_nobody_is_far_ahead(
    hansa_sim, tmp_path: Path
) -> None:
    found = {}
    for share in (0.3, 0.0):
        plan = _write_shop(tmp_path, products=12, days=245, on_offer=share)
        asked = ("worth", plan, "--data-root", tmp_path, "--first", START + timedelta(126), "--fill-rate", 0.95)
        found[share] = json.loads(hansa_sim(*asked, "--json").stdout)["groups"][0]["at"][0]["saving"]
    assert found[0.3]["stock_low"] > 0.1
    assert found[0.3]["share_low"] > 0
    assert abs(found[0.0]["stock_share"]) < 0.1
