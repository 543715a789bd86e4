"""What joining is worth as stock: by hand on three days, and on worlds in which it is known who forecasts better."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from client.decision.stock.cost import StockCosts
from client.decision.stock.walk import Rhythm
from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast
from common.forecast.table import lay_out
from simulation.evaluation.group import group_by_size
from simulation.evaluation.money import measure_money
from simulation.evaluation.results import Results

FIRST, SECOND = date(2024, 3, 1), date(2024, 3, 8)
DAILY = Rhythm(lead_days=1, review_days=1)
COSTS = StockCosts(np.array(0.1), np.array(2.0), currency="EUR")
MakeRun = Callable[..., Results]


@dataclass(frozen=True)
class Said:
    """One method at one origin under one seed; all days are open unless said."""

    method: str
    forecast: Forecast
    actual: np.ndarray
    merchants: Sequence[str]
    origin: date = FIRST
    seed: int = 0
    entities: Sequence[str] = ()
    open: np.ndarray | None = None

    def rows(self) -> pd.DataFrame:
        number, days = self.actual.shape
        entities = np.array(self.entities or [f"p{place:02}" for place in range(number)])
        return lay_out(self.forecast, entities=entities, origin=self.origin, bucket_days=1).assign(
            method=self.method,
            origin=pd.Timestamp(self.origin),
            seed=self.seed,
            merchant=np.repeat(np.array(self.merchants), days),
            open=(np.ones(self.actual.shape, bool) if self.open is None else self.open).ravel(),
            actual=self.actual.ravel(),
        )


@pytest.fixture
def make_run(make_plan, tmp_path: Path) -> MakeRun:
    """Leave what methods said as a run does, and read it back."""

    def make(*said: Said, **sections: Any) -> Results:
        plan = make_plan(**{"model": {"likelihood": "log_normal", "horizon_days": said[0].actual.shape[1]}, **sections})
        pd.concat([each.rows() for each in said]).to_parquet(tmp_path / "forecasts.parquet")
        return Results(tmp_path, plan, {"methods": {each.method: {} for each in said}})

    return make


def _say(mean: np.ndarray, variance: np.ndarray) -> Forecast:
    """Give quantiles that stand so far from the mean that they are read as this variance."""
    far = np.sqrt(0.598 * variance)[:, :, None] * np.where(np.arange(9) % 2 == 0, 1, -1)
    quantiles = mean[:, :, None] + far
    return Forecast(mean, quantiles[:, :, MEDIAN], quantiles, None)


def _flat(number: int) -> Forecast:
    """One a day; the two days that an order covers have mean 2 and variance 4, so a level is −2 ln(1 − p)."""
    return _say(np.tile([1.0, 1.0, 1.0], (number, 1)), np.tile([2.0, 2.0, 2.0], (number, 1)))


def _late(number: int) -> Forecast:
    """The same but 3 on the last day: the second level is −4 ln(1 − p), twice the first."""
    return _say(np.tile([1.0, 1.0, 3.0], (number, 1)), np.tile([2.0, 2.0, 14.0], (number, 1)))


# One is wanted a day, one is on its way as the days begin, an order takes a day. With L the level at p:
#             served of 3, 1 ≤ L < 2    L ≥ 2    held over three nights, 1 ≤ L < 2    L ≥ 2
#   flat      2 L − 1                   3        0                                    3 (L − 2)
#   late      L + 1                     3        2 L − 2                              4 L − 6
# 95 % lies between the levels at p = 0.6 and 0.7 for both; 5 % of three pieces, 0.15, are lost on the way there.
LOW, HIGH = -2 * math.log(0.4), -2 * math.log(0.3)
FLAT_HELD = (0.95 - (2 * LOW - 1) / 3) / (1 - (2 * LOW - 1) / 3) * 3 * (HIGH - 2)
LATE_HELD = 2 * LOW - 2 + (0.95 - (LOW + 1) / 3) / (1 - (LOW + 1) / 3) * (4 * HIGH - 6 - (2 * LOW - 2))


def test_three_days_of_twelve_products_come_out_as_by_hand(make_run: MakeRun) -> None:
    actual, merchants = np.ones((12, 3)), ["north"] * 10 + ["south"] * 2
    run = make_run(Said("routed", _flat(12), actual, merchants), Said("anchor", _late(12), actual, merchants))
    found = measure_money(run, "routed", ["anchor"], costs=COSTS, rhythm=DAILY, resamples=20)
    assert found is not None
    assert pytest.approx((0.67557, 1.86985), abs=1e-4) == (FLAT_HELD, LATE_HELD)
    pooled = found["pooled"]
    assert pooled["amount"] == pytest.approx(12 * 10 * 0.1 * (LATE_HELD - FLAT_HELD))  # a month is ten times three days
    assert pooled["amount"] == pytest.approx(14.3303, abs=1e-4)
    assert pooled["share"] == pytest.approx(1 - (0.1 * FLAT_HELD + 0.3) / (0.1 * LATE_HELD + 0.3))
    assert pooled["stock_share"] == pytest.approx(1 - FLAT_HELD / LATE_HELD)
    assert (pooled["stock_days"], pooled["stock_days_against"]) == pytest.approx((FLAT_HELD / 3, LATE_HELD / 3))
    assert pooled["low"] == pytest.approx(pooled["amount"]) == pytest.approx(pooled["high"])  # all products are alike
    assert pooled["verdict"] == "cheaper"
    assert {key: found[key] for key in ("fill_rate", "lead_days", "review_days", "currency", "against")} == {
        "fill_rate": 0.95,
        "lead_days": 1,
        "review_days": 1,
        "currency": "EUR",
        "against": "anchor",
    }
    north, south = found["merchants"]["north"], found["merchants"]["south"]
    assert (north["amount"], south["amount"]) == pytest.approx((pooled["amount"] * 10 / 12, pooled["amount"] * 2 / 12))
    assert (south["low"], south["verdict"]) == (None, "unclear")  # two products are too few for an interval
    assert json.loads(json.dumps(found)) == found


def test_groups_of_size_and_of_history_save_what_their_products_save(make_run: MakeRun, tmp_path: Path) -> None:
    actual, merchants = np.ones((12, 3)), ["north"] * 10 + ["south"] * 2
    run = make_run(Said("routed", _flat(12), actual, merchants), Said("anchor", _late(12), actual, merchants))
    sizes = group_by_size({"north": 10.0, "south": 2.0})
    pd.DataFrame(
        {
            "origin": pd.Timestamp(FIRST),
            "merchant": merchants,
            "entity": [f"p{place:02}" for place in range(12)],
            "months": [1.0] * 3 + [30.0] * 9,
        }
    ).to_parquet(tmp_path / "entities.parquet")
    found = measure_money(run, "routed", ["anchor"], costs=COSTS, rhythm=DAILY, resamples=20, sizes=sizes)
    assert found is not None
    amount = found["pooled"]["amount"]
    (group,) = found["sizes"]  # two merchants make one group
    assert (group["smallest"], group["largest"], group["amount"]) == (2, 10, pytest.approx(amount))
    young, old = found["histories"]
    assert [(each["since"], each["until"]) for each in (young, old)] == [(0, 3), (24, None)]
    assert (young["amount"], old["amount"]) == pytest.approx((amount * 3 / 12, amount * 9 / 12))
    assert found["merchant_histories"] == []  # both merchants are as old as their oldest product
    assert json.loads(json.dumps(found)) == found


def test_the_cheapest_of_the_others_is_held_against(make_run: MakeRun) -> None:
    actual, merchants = np.ones((12, 3)), ["north"] * 12
    run = make_run(
        Said("routed", _flat(12), actual, merchants),
        Said("anchor", _late(12), actual, merchants),
        Said("weekday_mean", _flat(12), actual, merchants),
    )
    found = measure_money(run, "routed", ["anchor", "weekday_mean"], costs=COSTS, rhythm=DAILY, resamples=20)
    assert found is not None
    assert found["against"] == "weekday_mean"
    assert found["pooled"]["amount"] == 0.0


def test_a_share_that_nobody_serves_is_not_made_up(make_run: MakeRun) -> None:
    actual, merchants = np.full((12, 3), 100.0), ["north"] * 12
    run = make_run(Said("routed", _flat(12), actual, merchants), Said("anchor", _late(12), actual, merchants))
    found = measure_money(run, "routed", ["anchor"], costs=COSTS, rhythm=DAILY)
    assert found is not None
    assert found["pooled"] is None
    assert found["merchants"] == {"north": None}


def test_who_is_equally_good_saves_nothing_and_the_interval_holds_zero(make_run: MakeRun) -> None:
    """One is right about the even products, the other about the odd ones: by symmetry neither saves anything."""
    even = np.arange(40) % 2 == 0
    flat, late = _flat(40), _late(40)

    def mix(first: np.ndarray) -> Forecast:
        parts = [(flat.mean, late.mean), (flat.quantiles, late.quantiles)]
        mean, quantiles = (np.where(first.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in parts)
        return Forecast(mean, quantiles[:, :, MEDIAN], quantiles, None)

    actual, merchants = np.ones((40, 3)), ["north"] * 40
    run = make_run(Said("routed", mix(even), actual, merchants), Said("anchor", mix(~even), actual, merchants))
    pooled = _pooled(run, costs=COSTS, rhythm=DAILY, resamples=200)
    assert pooled["amount"] == pytest.approx(0.0, abs=1e-9)
    assert pooled["low"] < -1 < 1 < pooled["high"]
    assert pooled["stock_low"] < 0 < pooled["stock_high"]
    assert pooled["verdict"] == "unclear"


def _pooled(run: Results, **options: Any) -> dict[str, Any]:
    found = measure_money(run, "routed", ["anchor"], **options)
    assert found is not None
    pooled: dict[str, Any] = found["pooled"]
    return pooled


def _world(seed: int, *, noise: float, days: int = 28) -> tuple[np.ndarray, Forecast, Forecast]:
    """Draw what is wanted of 40 products, what says whoever knows their law, and what says one who misjudges each."""
    generator = np.random.default_rng(seed)
    rate = generator.gamma(2.0, 1.5, (40, 1)) + 0.2
    wrong = rate * np.exp(generator.normal(-(noise**2) / 2, noise, rate.shape))
    return generator.poisson(rate, (40, days)).astype(float), *(_poisson(each, days) for each in (rate, wrong))


def _poisson(rate: np.ndarray, days: int) -> Forecast:
    mean = np.broadcast_to(rate, (len(rate), days))
    quantiles = stats.poisson.ppf(np.array(QUANTILE_LEVELS), mean[:, :, None])
    return Forecast(mean, quantiles[:, :, MEDIAN], quantiles, None)


COUNTS = {"model": {"likelihood": "negative_binomial", "horizon_days": 28}}
FORTY = ["north"] * 20 + ["south"] * 20


def test_a_better_forecast_saves_and_a_worse_one_costs_as_much(make_run: MakeRun) -> None:
    actual, knows, guesses = _world(0, noise=0.4)
    saves = _pooled(
        make_run(Said("routed", knows, actual, FORTY), Said("anchor", guesses, actual, FORTY), **COUNTS), resamples=200
    )
    costs = _pooled(
        make_run(Said("routed", guesses, actual, FORTY), Said("anchor", knows, actual, FORTY), **COUNTS), resamples=200
    )
    assert (saves["verdict"], costs["verdict"]) == ("cheaper", "dearer")
    assert costs["amount"] == pytest.approx(-saves["amount"])
    assert (costs["low"], costs["high"]) == pytest.approx((-saves["high"], -saves["low"]))
    assert costs["stock_share"] < costs["stock_high"] < 0 < saves["stock_low"] < saves["stock_share"]
    assert saves["stock_days"] < saves["stock_days_against"]


def test_each_merchant_has_its_own_answer(make_run: MakeRun) -> None:
    actual, knows, guesses = _world(1, noise=0.5)
    north = np.arange(40) < 20
    mixed = [
        Forecast.concatenate([one.select(north), other.select(~north)])
        for one, other in ((knows, guesses), (guesses, knows))
    ]
    run = make_run(Said("routed", mixed[0], actual, FORTY), Said("anchor", mixed[1], actual, FORTY), **COUNTS)
    found = measure_money(run, "routed", ["anchor"], resamples=200)
    assert found is not None
    assert [found["merchants"][name]["verdict"] for name in ("north", "south")] == ["cheaper", "dearer"]


def test_seeds_count_as_their_mean_and_origins_add_up(make_run: MakeRun) -> None:
    """Two seeds that say the same are as one; of two alike origins, whose products change merchants, a month is one."""
    actual, merchants = np.ones((12, 3)), ["north"] * 12
    once = (Said("routed", _flat(12), actual, merchants), Said("anchor", _late(12), actual, merchants))
    alone = _pooled(make_run(*once), costs=COSTS, rhythm=DAILY, resamples=20)
    again = [replace(each, seed=1) for each in once]
    assert _pooled(make_run(*once, *again), costs=COSTS, rhythm=DAILY, resamples=20) == pytest.approx(alone)
    moved = [replace(each, origin=SECOND, merchants=["south"] * 12) for each in once]
    found = measure_money(make_run(*once, *moved), "routed", ["anchor"], costs=COSTS, rhythm=DAILY, resamples=20)
    assert found is not None
    assert found["pooled"]["amount"] == pytest.approx(alone["amount"])
    assert [found["merchants"][name]["stock_share"] for name in ("north", "south")] == pytest.approx(
        [alone["stock_share"]] * 2
    )


def test_a_seed_that_is_better_and_one_that_is_worse_come_to_their_mean(make_run: MakeRun) -> None:
    actual, merchants = np.ones((12, 3)), ["north"] * 12
    flat, late = (Said("routed", forecast, actual, merchants) for forecast in (_flat(12), _late(12)))
    run = make_run(flat, replace(late, seed=1), replace(flat, method="anchor"))
    mixed = _pooled(run, costs=COSTS, rhythm=DAILY, resamples=20)
    worst = _pooled(make_run(late, replace(flat, method="anchor")), costs=COSTS, rhythm=DAILY, resamples=20)
    assert worst["amount"] < mixed["amount"] < 0


def test_a_day_that_does_not_count_wants_nothing(make_run: MakeRun) -> None:
    actual, merchants, seen = np.ones((12, 3)), ["north"] * 12, np.ones((12, 3), bool)
    actual[:, 1], seen[:, 1] = 1000.0, False
    closed = [Said(name, _flat(12), actual, merchants, open=seen) for name in ("routed", "anchor")]
    actual = np.where(seen, actual, 0.0)
    nothing = [replace(each, actual=actual, open=None) for each in closed]
    found = [_pooled(make_run(*said), costs=COSTS, rhythm=DAILY, resamples=20) for said in (closed, nothing)]
    assert found[0] == found[1]
    assert found[0]["stock_days"] < 10


@pytest.mark.parametrize(
    ("sections", "rhythm"),
    [
        ({"model": {"horizon_days": 3}}, Rhythm(lead_days=2, review_days=1)),  # two orders need four days
        ({"model": {"horizon_days": 28, "bucket_days": 7}}, Rhythm()),
        (
            {
                "model": {"horizon_days": 28, "bucket_days": 28, "likelihood": "hurdle_negative_binomial"},
                "evaluation": {"task": "purchase"},
            },
            Rhythm(),
        ),
    ],
)
def test_what_is_too_short_or_of_purchases_is_not_spoken_of(make_run: MakeRun, sections: Any, rhythm: Rhythm) -> None:
    actual, merchants = np.ones((12, 3)), ["north"] * 12
    said = [Said(name, _flat(12), actual, merchants) for name in ("routed", "anchor")]
    assert measure_money(make_run(*said, **sections), "routed", ["anchor"], rhythm=rhythm) is None
