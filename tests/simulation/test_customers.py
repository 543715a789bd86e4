"""`hansa-sim customers`: what is said of customers is held against what came."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from client.decision.customer.purchase import Purchases, make_purchases
from common.errors import ConfigError
from simulation.cli import app
from simulation.experiment.customers import judge_day, pool_groups

DATA = Path(__file__).parents[3] / "shared" / "data"
TABLE = DATA / "online_retail_ii" / "transactions.parquet"


def draw_purchases(customers: int = 300, days: int = 400) -> Purchases:
    """Draw customers who buy by chance at rates of their own; a third of them leaves half-way."""
    generator = np.random.default_rng(3)
    rate = generator.gamma(1.0, 1 / 25.0, customers)
    ends = np.where(np.arange(customers) % 3 == 0, days // 2, days)
    who, day = np.nonzero((generator.random((customers, days)) < rate[:, None]) & (np.arange(days) < ends[:, None]))
    names = np.array([f"{each:05d}" for each in range(customers)])
    return make_purchases(names[who], day, np.full(len(who), 10.0), start=date(2023, 1, 2), num_days=days)


def test_a_past_day_is_judged_and_its_sums_add_up() -> None:
    purchases = draw_purchases()
    verdict = judge_day(purchases, purchases.date_of(300), 30)
    served = verdict.skills[0]
    assert [skill.method for skill in verdict.skills] == ["served", "bg_nbd", "simple", "five"]
    assert served.worse == 0.0
    assert sum(point.customers for point in served.groups) == verdict.customers
    known = purchases.day < 300
    ahead = (purchases.day >= 300) & (purchases.day < 330) & np.isin(purchases.customer, purchases.customer[known])
    assert verdict.orders[1] == ahead.sum()
    assert verdict.money[3] == pytest.approx(10.0 * ahead.sum())
    assert sum(risk.lost for risk in verdict.risks[:-1]) == pytest.approx(verdict.risks[-1].lost)
    assert sum(point.customers for point in pool_groups([verdict, verdict], "served")) == 2 * verdict.customers


def test_a_day_whose_horizon_is_not_known_is_refused() -> None:
    purchases = draw_purchases(customers=30)
    with pytest.raises(ConfigError, match="not known yet"):
        judge_day(purchases, purchases.date_of(390), 30)


@pytest.mark.slow
@pytest.mark.skipif(not TABLE.exists(), reason="the real data is not beside the project (../shared/data)")
def test_on_a_real_shop_it_tells_better_than_bg_nbd_and_the_regressions() -> None:
    """At all three days of the plan AUC and log-loss are better; the figures of docs/results.md."""
    found = CliRunner().invoke(app, ["customers", "online-retail-customers", "--data-root", str(DATA), "--json"])
    for verdict in json.loads(found.stdout)["days"]:
        served, *others = verdict["skills"]
        for other in others:
            assert served["auc"] > other["auc"], (verdict["day"], other["method"])
            assert served["log_loss"] < other["log_loss"], (verdict["day"], other["method"])
        assert served["furthest"] < 0.08
        for risk in verdict["risks"]:
            if risk["segment"] in ("quiet", "slipping away", "lost"):
                assert 0.75 <= risk["lost"] / risk["at_risk"] <= 1.3
