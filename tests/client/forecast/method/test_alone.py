"""A model alone: never worse than the anchor on its own last horizon, and blind to what comes after the origin."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from client.forecast.method.alone import _like_sized, train_alone
from client.forecast.released import forecast_demand
from common.model.demand_gru import make_model
from common.model.features import build_series
from common.plan.schema import AlonePlan

CPU = torch.device("cpu")
DAY = 60


@pytest.fixture
def plan(make_plan):
    return make_plan().model


@pytest.fixture
def promoted(make_panel):
    """Demand is 1, and 9 under promotion, of which the anchor knows nothing."""
    panel = make_panel(num_entities=8)
    return replace(panel, target=(1 + 8 * panel.known[:, :, 0]).astype(np.float32))


def anchor_of(panel, plan, day):
    series = build_series(panel, plan, day)
    model = make_model(plan, num_features=series.num_features, num_future=series.num_future, seed=0)
    return forecast_demand(model, series, device=CPU)


def train(panel, plan, day=DAY, *, seed=0, on_step=lambda step, loss: None, **alone):
    settings = AlonePlan(**{"num_steps": 40, "batch_size": 4, "learning_rate": 0.03, **alone})
    everyone = [np.arange(len(panel.entities))]
    return train_alone(panel, everyone, plan, settings, day, seed=seed, device=CPU, on_step=on_step)


def error(forecast, panel, day=DAY):
    return float(np.abs(forecast.mean - panel.target[:, day : day + 4]).mean())


def test_training_that_helps_beats_the_anchor(promoted, plan):
    assert error(train(promoted, plan, num_steps=120), promoted) < 0.5 * error(anchor_of(promoted, plan, DAY), promoted)


@pytest.mark.parametrize("learning_rate", [1e3, 1e30])
def test_training_that_hurts_stops_at_the_anchor(promoted, plan, learning_rate):
    told = []
    forecast = train(promoted, plan, learning_rate=learning_rate, on_step=lambda step, loss: told.append(step))
    assert np.array_equal(forecast.quantiles, anchor_of(promoted, plan, DAY).quantiles)
    assert told == []


def test_what_was_learned_of_the_past_is_dropped_where_the_last_horizon_says_otherwise(promoted, plan):
    turned = promoted.target.copy()
    turned[:, DAY - 4 : DAY] = 10 - turned[:, DAY - 4 : DAY]
    panel = replace(promoted, target=turned)
    assert np.array_equal(train(panel, plan).mean, anchor_of(panel, plan, DAY).mean)


def test_nothing_after_the_origin_is_seen(promoted, plan):
    future = promoted.target.copy()
    future[:, DAY:] = 1000
    assert np.array_equal(train(promoted, plan).mean, train(replace(promoted, target=future), plan).mean)


def test_the_seed_decides(promoted, plan):
    assert np.array_equal(train(promoted, plan).mean, train(promoted, plan).mean)
    assert not np.array_equal(train(promoted, plan).mean, train(promoted, plan, seed=1).mean)


def test_progress_counts_the_steps_of_the_final_training(promoted, plan):
    told = []
    train(promoted, plan, on_step=lambda step, loss: told.append(step))
    assert told == list(range(1, len(told) + 1))
    assert len(told) in range(5, 41, 5)


@pytest.mark.parametrize(("step", "horizon_days"), [("day", 4), ("week", 4), ("week", 30), ("week", 28)])
@pytest.mark.parametrize("day", [7, 8, 9, 13, 14, 20, 36, 60, 66, 67, 68, 69, 73, 74, 75, 79])
def test_a_history_too_short_to_hold_a_horizon_back_gives_the_anchor(make_panel, make_plan, step, horizon_days, day):
    model = {"step": step, "horizon_days": horizon_days, "bucket_days": horizon_days}
    plan, panel = make_plan(model=model).model, make_panel(num_entities=2, num_days=120)
    forecast = train(panel, plan, day, num_steps=1)
    assert np.isfinite(forecast.mean).all()
    if day < 2 * horizon_days + plan.step_days:
        assert np.array_equal(forecast.mean, anchor_of(panel, plan, day).mean)


def test_a_merchant_born_within_the_last_horizon_gets_the_anchor(make_panel, plan):
    panel = make_panel(num_entities=2, first_day=np.array([DAY - 3, DAY - 1]))
    assert np.array_equal(train(panel, plan).mean, anchor_of(panel, plan, DAY).mean)


def test_merchants_that_train_side_by_side_learn_what_each_learns_alone(promoted, plan):
    settings = AlonePlan(num_steps=64, batch_size=3, learning_rate=0.03)
    rows_of = [np.array([0, 3]), np.array([7]), np.array([1, 2, 4, 5, 6])]
    together = train_alone(promoted, rows_of, plan, settings, DAY, seed=0, device=CPU)
    for rows in rows_of:
        everyone = [np.arange(len(rows))]
        alone = train_alone(promoted.select(rows), everyone, plan, settings, DAY, seed=0, device=CPU)
        np.testing.assert_allclose(together.mean[rows], alone.mean, rtol=1e-3)
    assert not np.allclose(together.mean, anchor_of(promoted, plan, DAY).mean, rtol=1e-2)


def test_merchants_of_like_size_train_together_and_no_merchant_twice():
    sizes = [1, 500, 0, 3, 2, 128, 100, 64, 40]
    rows_of = [np.arange(size) for size in sizes]
    groups = list(_like_sized(rows_of, AlonePlan(batch_size=128)))
    assert sorted(merchant for group in groups for merchant in group) == [0, 1, 3, 4, 5, 6, 7, 8]
    assert groups == [[0, 4], [3], [8, 7], [6, 1, 5]]
