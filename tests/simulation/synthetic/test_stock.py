"""Stock runs out on as many days as was asked, more often on busy ones, and nothing else of the world changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from common.errors import ConfigError
from simulation.synthetic.federation import SyntheticSettings
from simulation.synthetic.panel import draw_panel

SIZE = {"merchants": 4, "products_per_merchant_largest": 20, "days": 200}


def world(*, share: float = 0.2, money: bool = False) -> pd.DataFrame:
    return draw_panel(SyntheticSettings(**SIZE, stock_out_share=share, money=money))


# Seeded: 9,000 and more days, a share of .2 errs by .004; each of four kinds by .02.
@pytest.mark.parametrize("money", [False, True])
def test_a_fifth_of_the_days_run_out_in_every_kind_of_shop(*, money: bool) -> None:
    rows = world(money=money)
    assert rows["out_of_stock"].mean() == pytest.approx(0.2, abs=0.02)
    assert rows.groupby("kind")["out_of_stock"].mean().between(0.15, 0.25).all()
    assert (rows["units"] <= rows["demand"]).all()
    assert (rows["units"] == rows["demand"])[rows["out_of_stock"] == 0].all()


@pytest.mark.parametrize("money", [False, True])
def test_busy_days_run_out_more_often(*, money: bool) -> None:
    rows = world(money=money)
    busy = rows["demand"] > rows["true_rate"] * (100 if money else 1)
    out = rows["out_of_stock"]
    assert out[busy].mean() > 2 * out[~busy].mean()


def test_demand_is_that_of_the_world_without_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, endless = world(), draw_panel(SyntheticSettings(**SIZE))
    assert "demand" not in endless
    pd.testing.assert_series_equal(rows["demand"], endless["units"].astype(float), check_names=False)
    shared = endless.columns.drop("units")
    pd.testing.assert_frame_equal(rows[shared], endless[shared])
    assert np.array_equal(world()["units"], rows["units"])


@pytest.mark.parametrize("wrong", [{"stock_out_share": 0.7}, {"stock_out_share": -0.1}, {"money": True}])
def test_what_makes_no_world_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Synthetic federation"):
        SyntheticSettings(**wrong)
