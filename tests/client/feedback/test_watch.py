"""A drift is noticed in time, and nothing is noticed where nothing drifts, at the stated rates."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from client.cli import app
from client.feedback.chart import FALSE_ALARM_WEEKS, MARGIN, chance_to_see, find_limit, judge, limits_of, run_length
from client.feedback.drift import watch_shop
from client.feedback.forecast import Served
from client.feedback.week import lay_weeks
from client.shop.forecast.period import cut_periods
from common.forecast.table import QUANTILES
from sheet import read_sheet
from simulation.experiment.drift import DriftWorld, try_world
from simulation.synthetic.market import MarketWorld, draw_past
from small_shop import START, draw_sales, make_shop


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["watch", *words])


def test_limits_give_the_run_length_that_normal_scores_have_in_truth() -> None:
    """20,000 charts of both sides, drawn: the standard error of the mean is below 1 %, the tolerance four of them."""
    limit = find_limit(52.0)
    generator = np.random.default_rng(1)
    up, down, alive, weeks = np.zeros(20_000), np.zeros(20_000), np.ones(20_000, bool), np.zeros(20_000)
    while alive.any():
        score = generator.standard_normal(20_000)
        up, down = np.maximum(up + score - 0.5, 0), np.maximum(down - score - 0.5, 0)
        weeks += alive
        alive &= (up <= limit) & (down <= limit)
    assert weeks.mean() == pytest.approx(52.0, rel=0.04)
    assert run_length(3.0) == pytest.approx(117.6, rel=0.01)  # Brook & Evans 1972, table 1: k = 0.5, h = 3


def test_the_charts_of_all_groups_share_what_one_shop_may_cry_wolf() -> None:
    shop, each = limits_of(6)
    rate = 2 / run_length(shop) + 6 * 2 / run_length(each)
    assert rate == pytest.approx(1 / (MARGIN * FALSE_ALARM_WEEKS), rel=0.02)


def test_nothing_depends_on_the_law_or_the_lean_of_the_errors() -> None:
    errors = np.random.default_rng(2).standard_normal((1, 60))
    plain = judge(errors, 3.0)
    wild = judge(np.exp(3 * errors) + 7.0, 3.0)
    assert np.nanmax(np.abs(plain.score - wild.score)) < 0.8, "only the little that is carried over differs"
    assert (plain.alarm == wild.alarm).all()


@pytest.mark.parametrize(("pieces", "carry"), [(300.0, 0.0), (3000.0, 0.3)])
def test_steady_shops_cry_wolf_once_a_year_at_most(pieces: float, carry: float) -> None:
    """Of 300 shops; a rate of 1.0 would be passed by two standard errors, about 0.1, in one case of forty."""
    found = try_world(DriftWorld(pieces, carry=carry), runs=300, seed=11)
    assert 0.3 < found.false_alarms < 1.0 + 2 * found.false_alarms_error


def test_a_fifth_is_seen_within_four_weeks_in_a_shop_that_is_large_enough_and_not_in_a_small_one() -> None:
    large, small = (try_world(DriftWorld(pieces), runs=300, seed=12) for pieces in (3000.0, 100.0))
    assert min(large.rise_seen, large.fall_seen) > 0.9
    assert max(small.rise_seen, small.fall_seen) < 0.6


def test_what_a_shop_can_see_is_told_from_its_own_errors() -> None:
    generator = np.random.default_rng(3)
    quiet, loud = (chance_to_see(generator.normal(0, noise, 80), 3.0, generator) for noise in (0.05, 0.4))
    assert quiet > 0.9
    assert loud < 0.3


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_a_shift_of_one_world_is_dated_and_explained(factor: float) -> None:
    world = MarketWorld(weeks=60, pieces=3000.0, step=factor, step_day=7 * 56)
    past = draw_past(world, np.random.default_rng(4))
    found = watch_shop(past, ())
    (drift,) = found.drifts
    assert (drift.group, drift.rising) == ("", factor > 1)
    assert abs((drift.since - (past.first + timedelta(days=7 * 56))).days) <= 7
    assert drift.sold / drift.said == pytest.approx(factor, rel=0.15)
    assert any("hansa-client forecast" in sentence for sentence in drift.advice)


def serve(origin: date, product: str, mean: float) -> Served:
    periods = cut_periods("week", origin, origin + timedelta(days=27))
    number = len(periods)
    table = pa.table(
        {
            "product": [product] * number,
            "period": [period.name for period in periods],
            "first": pa.array([period.first for period in periods], pa.date32()),
            "last": pa.array([period.last for period in periods], pa.date32()),
            "partial": [period.is_partial for period in periods],
            "open_days": [7] * number,
            "mean": [mean] * number,
            **{name: [mean] * number for name in QUANTILES},
            "state": ["sold"] * number,
        }
    )
    made = datetime(origin.year, origin.month, origin.day, tzinfo=UTC)
    return Served(made, origin, "week", False, True, {"anchor": 1.0}, "0", table)


def test_a_week_is_held_against_the_oldest_forecast_of_it_that_is_not_too_old() -> None:
    past = draw_past(MarketWorld(weeks=30, pieces=100.0, products=1), np.random.default_rng(5))
    served = [serve(past.first + timedelta(days=7 * week), "P0000", 100.0 + week) for week in range(28)]
    weeks = lay_weeks(past, served)
    assert not weeks.stands_in
    assert weeks.said[0].tolist() == [100.0] * 4 + [100.0 + week for week in range(1, 27)]


def test_the_command_says_nothing_of_a_steady_shop_and_exits_with_1_on_a_drift(tmp_path: Path) -> None:
    steady = draw_sales(days=280, products=3, mean=30.0)
    shop = make_shop(tmp_path / "steady", steady)
    quiet = call("--folder", str(shop))
    assert quiet.exit_code == 0, quiet.output
    assert "Nothing has drifted" in quiet.output
    assert "at most once in 52 weeks" in quiet.output
    shift = START + timedelta(days=259)
    fallen = [(product, day, units if day < shift else max(units // 2, 0.0)) for product, day, units in steady]
    shop = make_shop(tmp_path / "fallen", [sale for sale in fallen if sale[2] > 0])
    loud = call("--folder", str(shop), "--json", "--out", str(tmp_path / "weeks.xlsx"))
    assert loud.exit_code == 1
    said = json.loads(loud.stdout)
    assert said["noticed"]
    assert said["drifts"][0]["direction"] == "down"
    assert abs((date.fromisoformat(said["drifts"][0]["since"]) - shift).days) <= 7
    name, rows = read_sheet(tmp_path / "weeks.xlsx")
    assert (name, rows[0][:4]) == ("watch", ("group", "week", "said", "sold"))


def test_a_shop_of_a_few_weeks_is_told_to_wait(tmp_path: Path) -> None:
    found = call("--folder", str(make_shop(tmp_path, draw_sales(days=70))))
    assert found.exit_code == 0
    assert "13 are needed" in found.output


def test_what_is_carried_over_raises_no_more_than_one_false_alarm_a_year() -> None:
    """The mean of 200 years; its standard error is about 0.06."""
    found = try_world(DriftWorld(3000.0, carry=0.6), runs=200, seed=3)
    assert found.false_alarms <= 1.0
    assert found.rise_seen >= 0.6
