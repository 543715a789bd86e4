import numpy as np
import pytest

from simulation.method import trees as boosted
from simulation.method.trees import forecast_boosted_local, forecast_boosted_pooled


@pytest.mark.parametrize("base", ["sales", "orders"])
def test_a_local_forecast_of_a_merchant_sees_nothing_of_another(make_small_trial, sales, orders, base):
    table = {"sales": sales, "orders": orders}[base]
    trial = make_small_trial(table, base)
    together = forecast_boosted_local(trial, seed=0)
    for merchant in trial.merchants:
        rows = trial.rows_of(merchant)
        others = np.setdiff1d(np.arange(len(trial.panel.entities)), rows)
        changed = make_small_trial(table, base)
        changed.panel.target[others] += 3
        own = forecast_boosted_local(changed, seed=0).select(rows)
        np.testing.assert_array_equal(own.mean, together.select(rows).mean)


def test_merchants_fitted_in_processes_of_their_own_are_forecast_the_same(make_small_trial, sales, monkeypatch):
    trial = make_small_trial(sales)
    alone = forecast_boosted_local(trial, seed=0)
    monkeypatch.setattr(boosted, "NOT_WORTH_WORKERS", 0)
    np.testing.assert_array_equal(forecast_boosted_local(trial, seed=0).quantiles, alone.quantiles)


def test_pooled_is_local_where_there_is_one_merchant(make_small_trial, sales):
    trial = make_small_trial(sales[sales["shop"] == "west"])
    local, pooled = (forecast(trial, seed=0) for forecast in (forecast_boosted_local, forecast_boosted_pooled))
    np.testing.assert_array_equal(local.quantiles, pooled.quantiles)


def test_progress_reaches_the_end(make_small_trial, sales):
    for forecast in (forecast_boosted_local, forecast_boosted_pooled):
        told = []
        forecast(make_small_trial(sales), seed=0, on_step=told.append)
        assert told == sorted(told)
        assert told[-1] == 1.0
