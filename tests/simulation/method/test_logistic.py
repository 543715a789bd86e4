"""Tiny shops in which half the customers come every fortnight and half have stopped coming."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.forecast.method.logistic import (
    fit_logistic,
    forecast_logistic,
    per_open_day,
    purchase_features,
    snapshots_before,
)
from simulation.method.logistic import forecast_logistic_local

METHODS = [forecast_logistic, forecast_logistic_local]
every_method = pytest.mark.parametrize("forecast", METHODS)


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"horizon_days": 14, "bucket_days": 14}).model


@pytest.fixture
def loyal_and_lost(make_panel):
    """Twelve customers; those with an even number come every 14 days, the others came until day 30."""
    target = np.zeros((12, 120), np.float32)
    for customer in range(12):
        target[customer, customer:100:14] = 1
    target[1::2, 31:] = 0
    merchants = np.array(["north"] * 6 + ["south"] * 6, dtype=object)
    return make_panel(target=target, merchants=merchants, first_day=np.arange(12))


def scattered(make_panel, seed):
    """Two merchants with rare purchases at random."""
    target = (np.random.default_rng(seed).random((12, 91)) < 0.05).astype(np.float32)
    merchants = np.array(["north"] * 6 + ["south"] * 6, dtype=object)
    return make_panel(target=target, merchants=merchants, seed=seed)


def test_features_are_logs_of_recency_frequency_tenure_recent_frequency_and_spend(make_panel):
    target = np.zeros((1, 130), np.float32)
    target[0, [3, 90, 99]] = [1, 2, 1]
    spend = 10 * target[:, :, None]
    panel = make_panel(target=target, observed=spend, first_day=np.array([3]))
    assert purchase_features(panel, 105) == pytest.approx(np.log1p([[5, 3, 102, 2, 40]]))


def test_spend_is_the_target_where_no_channel_is_named_spend(make_panel):
    panel = make_panel(target=np.full((1, 9), 2, np.float32), channels=("views",))
    assert purchase_features(panel, 9)[0, 4] == pytest.approx(np.log1p(18))


def test_sales_on_a_closed_day_are_no_feature(make_panel):
    panel = make_panel(target=np.ones((1, 9), np.float32), observed=np.ones((1, 9, 1), np.float32))
    panel.open[0, 4:] = False
    assert purchase_features(panel, 9) == pytest.approx(np.log1p([[5, 4, 9, 4, 4]]))


def test_an_entity_that_never_bought_has_been_away_since_its_first_day(make_panel):
    panel = make_panel(target=np.zeros((1, 20), np.float32), first_day=np.array([4]))
    assert purchase_features(panel, 10)[0, 0] == pytest.approx(np.log1p(5))


@pytest.mark.parametrize(("bought", "expected"), [([0, 0, 0], 1 / 5), ([1, 1], 3 / 4), ([], 1 / 2)])
def test_one_class_gives_the_smoothed_base_rate(bought, expected):
    features = np.random.default_rng(0).normal(size=(len(bought), 5))
    fitted = fit_logistic(features, np.array(bought, dtype=bool))
    assert fitted.predict(np.full((2, 5), 9.0)) == pytest.approx([expected, expected])


def test_a_balanced_symmetric_fit_is_one_half_in_the_middle():
    fitted = fit_logistic(np.array([[1.0], [3.0]]), np.array([False, True]))
    assert fitted.predict(np.array([[2.0]])) == pytest.approx([0.5], abs=1e-6)


def test_two_examples_give_the_coefficient_that_the_penalty_allows():
    # At its minimum w² / 2 + C · 2 log(1 + exp(-w)), C = 0.1, has w = 0.2 / (1 + exp(w)): w = 0.09524.
    fitted = fit_logistic(np.array([[1.0], [3.0]]), np.array([False, True]))
    assert fitted.coefficients == pytest.approx([0.09524], abs=1e-5)


def test_a_constant_feature_changes_nothing():
    features, bought = np.array([[1.0, 7.0], [3.0, 7.0], [2.0, 7.0]]), np.array([False, True, True])
    both, one = fit_logistic(features, bought), fit_logistic(features[:, :1], bought)
    np.testing.assert_allclose(both.predict(features), one.predict(features[:, :1]), atol=1e-6)


@every_method
def test_who_came_lately_comes_again(forecast, loyal_and_lost, plan):
    probability = forecast(loyal_and_lost, plan, 98).probability
    assert probability[::2].min() > 0.6
    assert probability[1::2].max() < 0.3


@every_method
def test_the_mean_is_a_poisson_count_with_that_probability(forecast, loyal_and_lost, plan):
    made = forecast(loyal_and_lost, plan, 98)
    assert made.mean.shape == (12, 1)
    assert 1 - np.exp(-made.mean[:, 0]) == pytest.approx(made.probability)
    np.testing.assert_array_equal(made.median[:, 0] >= 1, made.probability >= 0.5)
    assert made.quantiles is None


def test_the_mean_is_spread_over_the_open_days(loyal_and_lost, make_plan):
    plan = make_plan(model={"horizon_days": 14, "bucket_days": 7}).model
    loyal_and_lost.open[0, 98:105] = False
    mean = forecast_logistic(loyal_and_lost, plan, 98).mean
    assert mean[0, 0] == 0
    assert mean[2, 0] == mean[2, 1] > 0


@every_method
def test_who_cannot_buy_has_probability_zero(forecast, loyal_and_lost, plan):
    loyal_and_lost.first_day[0] = 98
    loyal_and_lost.open[2, 98:112] = False
    made = forecast(loyal_and_lost, plan, 98)
    assert made.probability[[0, 2]].tolist() == [0.0, 0.0]
    assert not made.mean[[0, 2]].any()


@every_method
def test_three_days_of_history_say_nothing(forecast, make_panel, plan):
    assert forecast(make_panel(), plan, 3).probability == pytest.approx(np.full(5, 0.5))


@every_method
def test_entities_that_never_buy_get_the_smoothed_base_rate_of_six_snapshots(forecast, make_panel, plan):
    panel = make_panel(target=np.zeros((5, 105), np.float32))
    # Snapshots at 77, 63, 49, 35, 21 and 7 with five entities each: none of 30 bought.
    assert forecast(panel, plan, 91).probability == pytest.approx(np.full(5, 1 / 32))


@every_method
def test_one_entity_is_enough(forecast, make_panel, plan):
    made = forecast(make_panel(num_entities=1, num_days=105), plan, 91)
    assert 0 < made.probability[0] < 1


def test_with_one_merchant_local_is_pooled(make_panel, plan):
    panel = scattered(make_panel, 3).deal(np.array(["shop"] * 12, dtype=object))
    np.testing.assert_array_equal(
        forecast_logistic_local(panel, plan, 77).probability,
        forecast_logistic(panel, plan, 77).probability,
    )


@every_method
@given(seed=st.integers(0, 2**32 - 1), origin=st.integers(1, 77))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
def test_no_day_from_the_origin_on_is_looked_at(forecast, make_panel, plan, seed, origin):
    panel, other = scattered(make_panel, seed), scattered(make_panel, seed)
    other.target[:, origin:] = 1 - other.target[:, origin:]
    other.observed[:, origin:] += 1
    np.testing.assert_array_equal(forecast(panel, plan, origin).probability, forecast(other, plan, origin).probability)


@given(seed=st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
def test_a_local_forecast_does_not_depend_on_another_merchant(make_panel, plan, seed):
    panel = scattered(make_panel, seed)
    target, observed = panel.target.copy(), panel.observed.copy()
    target[6:], observed[6:] = 1 - target[6:], 2 * observed[6:] + 1
    other = replace(panel, target=target, observed=observed)
    np.testing.assert_array_equal(
        forecast_logistic_local(panel, plan, 77).probability[:6],
        forecast_logistic_local(other, plan, 77).probability[:6],
    )


def test_half_the_open_days_ahead_halve_the_expected_purchases(make_panel, plan):
    panel = make_panel(target=np.ones((2, 60), np.float32))
    panel.open[:, 37:44] = False  # seven of the fourteen days after day 30
    told = per_open_day(np.array([0.75, 0.0]), panel, plan, 30, snapshots_before(30, plan, 2))
    assert told == pytest.approx([0.5, 0.0])  # 1 - (1 - .75) ** (1 / 2)


def test_as_many_open_days_as_were_learned_from_change_nothing(make_panel, plan):
    panel = make_panel(target=np.ones((2, 60), np.float32))
    probability = np.array([0.75, 0.2])
    assert per_open_day(probability, panel, plan, 30, snapshots_before(30, plan, 2)) == pytest.approx(probability)
    assert snapshots_before(30, plan, 4) == [16, 2, 0, 0]
