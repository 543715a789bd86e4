"""Changes of known size and day are found within their intervals, and none is told where there is none."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.decision.market.change import cut, find_steps, measure_swing
from client.decision.market.place import locate
from client.decision.market.season import FEWEST_WEEKS, describe
from client.decision.market.series import count_days, make_series
from client.decision.market.surprise import keep_by_share
from sheet import read_sheet
from shop_records import make_records
from simulation.experiment.market import describe_shop, try_steps, try_surprises
from simulation.synthetic.market import MarketWorld, draw_common, draw_past
from small_shop import START, draw_sales, make_shop


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["trends", *words])


def test_steady_shops_change_in_one_report_of_twenty_at_most() -> None:
    """Of 60 shops, at 5 %: more than 7 in one case of 50; carried over or not."""
    told = [try_steps(MarketWorld(weeks=70, pieces=1000.0, carry=carry), runs=30, seed=1).told for carry in (0.0, 0.3)]
    assert 30 * sum(told) <= 7


def test_a_growing_shop_grows_and_makes_no_stairs() -> None:
    world = MarketWorld(weeks=90, pieces=2000.0, growth=0.03)
    findings = [describe_shop(draw_past(world, np.random.default_rng(seed))) for seed in range(12)]
    assert sum(bool(finding.steps) for finding in findings) <= 2
    held = [finding.trend_low <= 1.03 <= finding.trend_high for finding in findings]
    assert sum(held) >= 9, "nine in ten hold it; fewer than 9 of 12 in one case of 25"


@pytest.mark.parametrize("step", [0.8, 1.25])
def test_a_step_is_found_on_its_day_and_by_its_size(step: float) -> None:
    found = try_steps(MarketWorld(weeks=80, pieces=2000.0, carry=0.2, step=step), runs=25, seed=2)
    assert found.found >= 0.9
    assert found.day_held >= 0.8
    assert found.size_held >= 0.75
    assert found.days_off <= 4


@pytest.mark.slow
def test_the_stated_rates_hold_over_many_shops() -> None:
    """Of 400 shops each; four standard errors beyond what is stated."""
    for carry in (0.0, 0.3):
        assert try_steps(MarketWorld(weeks=90, pieces=1000.0, carry=carry), runs=400, seed=3).told < 0.05 + 0.044
    found = try_steps(MarketWorld(weeks=90, pieces=1000.0, carry=0.2, step=0.8), runs=400, seed=4)
    assert found.found > 0.95
    assert min(found.day_held, found.size_held) > 0.9 - 0.06


def test_what_weeks_carry_over_and_how_they_swing_are_seen_past_steps() -> None:
    generator = np.random.default_rng(5)
    series = [0.1 * draw_common(150, 0.5, generator) + (np.arange(150) >= 75) for _ in range(20)]
    swings = [measure_swing(values) for values in series]
    assert 0.5 <= np.mean([swing.carry for swing in swings]) <= 0.75, "a little high by design, and never low"
    assert 0.095 <= np.mean([swing.deviation for swing in swings]) <= 0.14


def test_one_bulk_order_is_no_change() -> None:
    values = np.random.default_rng(6).normal(0, 0.1, 80)
    values[40] += 3.0
    assert find_steps(values, alpha=0.05).places == ()


def test_the_cuts_are_those_that_cost_least_of_all() -> None:
    """Against every pair of cuts of a short series, tried out."""
    values = np.r_[np.zeros(7), np.ones(6), np.zeros(7)] + np.random.default_rng(7).normal(0, 0.2, 20)
    best = min(
        ((a, b) for a in range(4, 13) for b in range(a + 4, 17)),
        key=lambda pair: sum(((part - part.mean()) ** 2).sum() for part in np.split(values, pair)),
    )
    assert cut(values, 0.5) == best


def test_two_years_tell_a_season_from_a_change() -> None:
    mondays = [date(2022, 1, 3) + timedelta(days=7 * week) for week in range(130)]
    waves = 0.4 * np.cos(2 * np.pi * np.arange(130) / 52.18)
    values = waves + np.random.default_rng(8).normal(0, 0.08, 130)
    steps, season = describe(values, mondays, alpha=0.05)
    assert steps.places == ()
    assert np.abs(season - waves).mean() < 0.06
    moved, _ = describe(values + 0.3 * (np.arange(130) >= 90), mondays, alpha=0.05)
    assert [abs(place - 90) <= 2 for place in moved.places] == [True]
    assert FEWEST_WEEKS == 104


def test_a_day_is_found_on_the_day_and_its_interval_widens_with_lumps() -> None:
    sold = np.r_[np.full(60, 10.0), np.full(60, 14.0)]
    plain, lumpy = (locate(sold, np.ones(120), about=60, bounds=(0, 120), lumps=lumps) for lumps in (1.0, 8.0))
    assert plain.day == lumpy.day == 60
    assert lumpy.last - lumpy.first > plain.last - plain.first


def test_closed_days_empty_shelves_and_offers_change_no_pace() -> None:
    past = draw_past(MarketWorld(weeks=40, pieces=4000.0, products=2), np.random.default_rng(9))
    units, out, is_open = past.units.copy(), past.out.copy(), past.open.copy()
    promoted = np.zeros(units.shape, bool)
    units[0, 140:168], out[0, 140:168] = 0.0, True
    promoted[1, 210:217] = True
    units[1, 210:217] *= 4
    is_open[98:101], units[:, 98:101] = False, 0.0
    changed = replace(past, units=units, out=out, open=is_open)
    told = make_series(changed, count_days(changed, promoted), "shop", "all", np.arange(2))
    plain = make_series(past, count_days(past, np.zeros(units.shape, bool)), "shop", "all", np.arange(2))
    common = np.intersect1d(told.weeks, plain.weeks)
    gap = told.pace[np.isin(told.weeks, common)] - plain.pace[np.isin(plain.weeks, common)]
    assert np.abs(gap).max() < 0.2, "four times as much, or a shelf that is half empty, would be 0.7 and more"


def test_of_those_named_a_tenth_is_chance() -> None:
    assert keep_by_share(np.array([0.001, 0.5, 0.03, 0.9]), 0.1).tolist() == [
        0,
        2,
    ]  # 0.03 <= 2/4 · 0.1, 0.5 > 3/4 · 0.1
    world = MarketWorld(weeks=40, pieces=2400.0, products=80, lumps=2.5, common=0.05)
    quiet = try_surprises(world, changed=0.0, factor=1.0, runs=12, seed=1)
    loud = try_surprises(world, changed=0.1, factor=1.9, runs=4, seed=2)
    assert quiet.any_false <= 0.34, "at a tenth more than 4 of 12 in one case of 250"
    assert loud.power > 0.3
    assert loud.false_share < 0.2


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tea sells half as much again from a known day on; pots do not."""
    change = START + timedelta(days=245)
    sold = [
        (product, day, units * (1.5 if product in ("P0", "P1") and day >= change else 1.0))
        for product, day, units in draw_sales(days=350, products=4, mean=20.0, seed=3)
    ]
    names = [
        {"product": f"P{number}", "name": name, "category": category}
        for number, (name, category) in enumerate(
            [("Assam", "tea"), ("Darjeeling", "tea"), ("Mug", "pots"), ("<b>", "pots")]
        )
    ]
    return make_shop(tmp_path_factory.mktemp("market"), sold, products=make_records("products", *names))


def test_the_owner_reads_what_changed_and_since_when(shop: Path, tmp_path: Path) -> None:
    found = call("--folder", str(shop), "--picture", str(tmp_path / "page.html"), "--out", str(tmp_path / "weeks.xlsx"))
    assert found.exit_code == 0, found.output
    assert "Tea sells about" in found.output
    assert "more than before" in found.output
    assert "since about" in found.output or "since 4 September" in found.output
    assert "shorter than two years" in found.output
    page = (tmp_path / "page.html").read_text()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    name, rows = read_sheet(tmp_path / "weeks.xlsx")
    assert (name, rows[0][:5]) == ("trends", ("level", "name", "week", "pieces", "told"))


def test_json_holds_every_number_and_the_truth_lies_in_its_intervals(shop: Path) -> None:
    said = json.loads(call("--folder", str(shop), "--json").stdout)
    tea = next(group for group in said["groups"] if group["name"] == "tea")
    pots = next(group for group in said["groups"] if group["name"] == "pots")
    (step,) = tea["steps"]
    assert pots["steps"] == []
    assert step["first"] <= str(START + timedelta(days=245)) <= step["last"]
    assert step["change_low"] <= 0.5 <= step["change_high"]
    assert said["surprises"]["looked_at"] == 4


def test_one_product_alone_an_earlier_end_and_faults_in_a_sentence(shop: Path) -> None:
    said = json.loads(call("--folder", str(shop), "--product", "P0", "--until", "2023-08-20", "--json").stdout)
    assert [(group["level"], group["product"]) for group in said["groups"]] == [("product", "P0")]
    assert said["groups"][0]["steps"] == [], "nothing after that day is looked at"
    assert said["until"] == "2023-08-20"
    assert "was ever sold" in str(call("--folder", str(shop), "--product", "PX").exception)
    assert "write it as" in str(call("--folder", str(shop), "--until", "May").exception)
    assert "none of .csv" in str(call("--folder", str(shop), "--out", "weeks.txt").exception)


def test_a_shop_of_a_few_weeks_says_so(tmp_path: Path) -> None:
    found = call("--folder", str(make_shop(tmp_path, draw_sales(days=30))))
    assert found.exit_code == 0
    assert "enough" in found.output


def test_what_half_is_carried_over_of_is_seldom_told_as_a_step() -> None:
    """At most one in twenty; of 100 series more than 10 by chance in 1 of 100 cases."""
    generator = np.random.default_rng(11)
    told = 0
    for _ in range(100):
        pace = 300 * np.exp(0.1 * draw_common(90, 0.5, generator))
        told += bool(find_steps(np.log(generator.poisson(pace) + 0.5), alpha=0.05).places)
    assert told <= 10


@pytest.mark.parametrize("days", [1, 3, 12])
def test_a_shop_of_days_has_no_trend_yet(days: int, tmp_path: Path) -> None:
    found = call("--folder", str(make_shop(tmp_path, draw_sales(days=days))))
    assert found.exit_code == 0
    assert "No product sells enough, over enough weeks" in found.output
