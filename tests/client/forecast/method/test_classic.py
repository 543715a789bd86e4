"""Numbers on 2024-01-01 (a Monday) and after; the horizon is 7 days where nothing else is said."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.forecast.method.classic import NOT_WORTH_WORKERS, forecast_auto_ets, forecast_croston, histories
from common.forecast.metric import MEDIAN

METHODS = [forecast_auto_ets, forecast_croston]
every_method = pytest.mark.parametrize("forecast", METHODS)


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"horizon_days": 7}).model


@pytest.fixture
def weekly(make_panel):
    """Two entities that sell 10 times the number of the weekday, with a little noise, for 91 days."""
    week = 10.0 * (1 + np.arange(91) % 7)
    noise = np.random.default_rng(0).normal(0, 1, (2, 91))
    return make_panel(target=(week + noise).astype(np.float32))


def test_exponential_smoothing_follows_the_week(weekly, plan):
    made = forecast_auto_ets(weekly, plan, 84)
    assert made.median == pytest.approx(np.tile(10.0 * np.arange(1, 8), (2, 1)), abs=2.0)


def test_a_closed_weekday_leaves_the_others_in_step(weekly, plan):
    weekly.open[:, 6::7] = False
    made = forecast_auto_ets(weekly, plan, 84)
    assert made.median == pytest.approx(np.tile([10.0, 20, 30, 40, 50, 60, 0], (2, 1)), abs=3.0)


def test_its_quantiles_ascend_around_the_mean(weekly, plan):
    made = forecast_auto_ets(weekly, plan, 84)
    assert (np.diff(made.quantiles, axis=2) >= 0).all()
    np.testing.assert_array_equal(made.median, made.quantiles[:, :, MEDIAN])


def test_a_tiny_history_is_forecast_its_mean(make_panel, plan):
    panel = make_panel(target=np.full((1, 42), 3.0, np.float32), first_day=np.array([32]))
    assert forecast_auto_ets(panel, plan, 35).mean == pytest.approx(np.full((1, 7), 3.0))


def test_croston_gives_size_over_interval(make_panel, plan):
    panel = make_panel(target=np.tile([0.0, 0, 0, 8], (1, 20)).astype(np.float32))
    assert forecast_croston(panel, plan, 72).mean == pytest.approx(np.full((1, 7), 2.0), rel=0.1)


def test_croston_does_not_count_closed_days_as_days_without_demand(make_panel, plan):
    panel = make_panel(target=np.tile([0.0, 0, 0, 8], (1, 20)).astype(np.float32))
    panel.open[0, 0:72:4] = False
    panel.open[0, 1:72:4] = False
    assert forecast_croston(panel, plan, 72).mean[0, 2] == pytest.approx(4.0, rel=0.1)


def test_buckets_end_at_the_origin(make_panel, make_plan):
    panel = make_panel(target=np.arange(42, dtype=np.float32)[None, :])
    plan = make_plan(model={"horizon_days": 6, "bucket_days": 3}).model
    (history,) = histories(panel, plan, 10)
    assert history.demand.tolist() == [1 + 2 + 3, 4 + 5 + 6, 7 + 8 + 9]
    assert (history.season, history.horizon) == (1, 2)


def test_many_series_on_all_cores_are_what_each_is_alone(make_panel, plan):
    panel = make_panel(num_entities=NOT_WORTH_WORKERS + 1, num_days=42)
    told = []
    many = forecast_croston(panel, plan, 35, on_step=told.append)
    each = [forecast_croston(panel.select(np.array([row])), plan, 35).mean for row in range(len(panel.entities))]
    np.testing.assert_array_equal(many.mean, np.concatenate(each))
    assert told == sorted(told)
    assert told[-1] == 1.0


@every_method
def test_a_closed_day_is_forecast_zero(forecast, weekly, plan):
    weekly.open[:, 85] = False
    assert (forecast(weekly, plan, 84).mean[0] > 0).tolist() == [True, False, *[True] * 5]


@every_method
def test_an_entity_without_a_past_and_a_series_of_zeros_are_forecast_zero(forecast, make_panel, plan):
    panel = make_panel(target=np.zeros((2, 42), np.float32), first_day=np.array([0, 36]))
    made = forecast(panel, plan, 35)
    assert not made.mean.any()
    assert not made.probability.any()


@every_method
@given(seed=st.integers(0, 2**32 - 1), origin=st.integers(1, 77))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
def test_no_day_from_the_origin_on_is_looked_at(forecast, make_panel, plan, seed, origin):
    panel, other = make_panel(num_entities=2, seed=seed), make_panel(num_entities=2, seed=seed)
    other.target[:, origin:] += 1 + seed % 5
    np.testing.assert_array_equal(forecast(panel, plan, origin).mean, forecast(other, plan, origin).mean)
