"""Numbers on 2024-01-01 (a Monday) and after; the horizon is 7 days where nothing else is said."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.forecast.method.naive import forecast_moving_average, forecast_seasonal_naive, forecast_weekday_mean

METHODS = [forecast_seasonal_naive, forecast_moving_average, forecast_weekday_mean]
every_method = pytest.mark.parametrize("forecast", METHODS)


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"horizon_days": 7}).model


@pytest.fixture
def weeks(make_panel):
    """Five weeks of history in which day d sells d, and a week ahead."""
    return make_panel(target=np.arange(42, dtype=np.float32)[None, :])


def test_seasonal_naive_repeats_the_last_week(weeks, plan):
    forecast = forecast_seasonal_naive(weeks, plan, 35)
    assert forecast.mean.tolist() == [[28, 29, 30, 31, 32, 33, 34]]


def test_seasonal_naive_repeats_the_same_week_over_a_longer_horizon(weeks, make_plan):
    forecast = forecast_seasonal_naive(weeks, make_plan(model={"horizon_days": 14}).model, 28)
    assert forecast.mean[0, 7:].tolist() == forecast.mean[0, :7].tolist()


def test_seasonal_naive_goes_back_to_the_last_open_day_of_the_weekday(weeks, plan):
    weeks.open[0, [28, 21, 30]] = False
    forecast = forecast_seasonal_naive(weeks, plan, 35)
    assert forecast.mean.tolist() == [[14, 29, 23, 31, 32, 33, 34]]


def test_seasonal_naive_repeats_the_sum_of_the_last_bucket(weeks, make_plan):
    forecast = forecast_seasonal_naive(weeks, make_plan(model={"horizon_days": 6, "bucket_days": 3}).model, 35)
    assert forecast.mean.tolist() == [[99, 99]]


def test_moving_average_is_the_mean_of_the_open_days_of_four_weeks(weeks, plan):
    weeks.open[0, 7] = False
    forecast = forecast_moving_average(weeks, plan, 35)
    assert forecast.mean == pytest.approx(np.full((1, 7), sum(range(8, 35)) / 27))


def test_weekday_mean_is_the_mean_of_the_last_four_open_same_weekdays(weeks, plan):
    weeks.open[0, 28] = False
    forecast = forecast_weekday_mean(weeks, plan, 35)
    assert forecast.mean.tolist() == [[10.5, 18.5, 19.5, 20.5, 21.5, 22.5, 23.5]]


def test_a_bucket_adds_up_its_open_days(weeks, make_plan):
    weeks.open[0, 36] = False
    forecast = forecast_weekday_mean(weeks, make_plan(model={"horizon_days": 6, "bucket_days": 3}).model, 35)
    assert forecast.mean.tolist() == [[17.5 + 19.5, 20.5 + 21.5 + 22.5]]


def test_the_probability_is_that_of_a_poisson_count(make_panel, plan):
    panel = make_panel(target=np.full((1, 42), 0.1, np.float32))
    assert forecast_moving_average(panel, plan, 35).probability == pytest.approx([1 - np.exp(-0.7)], rel=1e-6)


@every_method
def test_a_point_is_mean_and_median_and_has_no_quantiles(forecast, weeks, plan):
    made = forecast(weeks, plan, 35)
    assert made.quantiles is None
    np.testing.assert_array_equal(made.mean, made.median)


@every_method
def test_a_closed_day_is_forecast_zero(forecast, weeks, plan):
    weeks.open[0, 36] = False
    assert (forecast(weeks, plan, 35).mean[0] > 0).tolist() == [True, False, True, True, True, True, True]


@every_method
def test_a_closed_bucket_is_forecast_zero(forecast, weeks, make_plan):
    weeks.open[0, 38:41] = False
    made = forecast(weeks, make_plan(model={"horizon_days": 6, "bucket_days": 3}).model, 35)
    assert (made.mean[0] > 0).tolist() == [True, False]


@every_method
@pytest.mark.parametrize("bucket_days", [1, 7])
def test_an_entity_without_a_past_is_forecast_zero(forecast, bucket_days, weeks, make_plan):
    weeks.open[0, :36] = False
    weeks.first_day[0] = 36
    made = forecast(weeks, make_plan(model={"horizon_days": 7, "bucket_days": bucket_days}).model, 35)
    assert not made.mean.any()
    assert made.probability.tolist() == [0.0]


@every_method
def test_a_series_of_zeros_is_forecast_zero(forecast, make_panel, plan):
    made = forecast(make_panel(target=np.zeros((3, 42), np.float32)), plan, 35)
    assert not made.mean.any()
    assert not made.probability.any()


@pytest.mark.parametrize("forecast", [forecast_seasonal_naive, forecast_weekday_mean])
def test_a_weekday_without_a_past_takes_the_mean_of_three_days_of_history(forecast, weeks, plan):
    assert forecast(weeks, plan, 3).mean.tolist() == [[1, 1, 1, 1, 0, 1, 2]]


@every_method
def test_sales_on_a_closed_day_count_for_nothing(forecast, weeks, plan):
    weeks.open[0, 30] = False
    before = forecast(weeks, plan, 35).mean
    weeks.target[0, 30] = 1e6
    np.testing.assert_array_equal(forecast(weeks, plan, 35).mean, before)


@every_method
@given(seed=st.integers(0, 2**32 - 1), origin=st.integers(0, 77), bucket_days=st.sampled_from([1, 7]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_no_day_from_the_origin_on_is_looked_at(forecast, make_panel, make_plan, seed, origin, bucket_days):
    plan = make_plan(model={"horizon_days": 14, "bucket_days": bucket_days}).model
    panel, other = make_panel(seed=seed), make_panel(seed=seed)
    other.target[:, origin:] += 1 + seed % 5
    other.observed[:, origin:] += 1
    np.testing.assert_array_equal(forecast(panel, plan, origin).mean, forecast(other, plan, origin).mean)
