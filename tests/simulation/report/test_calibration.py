"""An honest forecast lies on the diagonal, one that is not lies off it."""

import numpy as np
import pytest
from scipy import stats

from common.forecast.metric import QUANTILE_LEVELS
from simulation.report.calibration import Point, demand_points, purchase_points


def quantiles_of(distribution, shape):
    return np.broadcast_to(distribution.ppf(QUANTILE_LEVELS), (*shape, len(QUANTILE_LEVELS))).copy()


def test_the_level_of_an_honest_count_lies_between_below_and_at_most(make_record):
    """20,000 draws: each share has a standard error of at most .0036, three of which are allowed for."""
    shape = (1000, 20)
    actual = np.random.default_rng(0).poisson(1.5, shape)
    points = demand_points([make_record(actual, quantiles=quantiles_of(stats.poisson(1.5), shape))])
    assert [point.said for point in points] == list(QUANTILE_LEVELS)
    assert all(point.low - 0.011 <= point.said <= point.high + 0.011 for point in points)
    assert any(point.high - point.low > 0.2 for point in points)


def test_a_forecast_that_is_too_narrow_leaves_the_diagonal(make_record):
    shape = (1000, 20)
    actual = np.random.default_rng(0).normal(0.0, 1.0, shape)
    points = demand_points([make_record(actual, quantiles=quantiles_of(stats.norm(0.0, 0.5), shape))])
    assert points[0].low == points[0].high == pytest.approx(stats.norm.cdf(0.5 * stats.norm.ppf(0.1)), abs=0.011)


def test_closed_buckets_and_methods_without_a_distribution_do_not_count(make_record):
    quantiles = np.zeros((1, 2, 9))
    points = demand_points([make_record([[0.0, 5.0]], counted=[[True, False]], quantiles=quantiles)])
    assert points[4] == Point(0.5, 0.0, 1.0)
    assert demand_points([make_record([[1.0]])]) == []
    assert demand_points([make_record([[1.0]], counted=[[False]], quantiles=np.zeros((1, 1, 9)))]) == []


def test_purchases_are_grouped_by_what_was_said_and_what_came_is_an_interval(make_record):
    said = np.repeat(np.linspace(0.05, 0.95, 10), 100)
    bought = np.tile(np.arange(100), 10) < 100 * said
    points = purchase_points([make_record(bought[:, None], probability=said)])
    assert [point.said for point in points] == pytest.approx(np.linspace(0.05, 0.95, 10))
    assert all(point.low < point.said < point.high for point in points)
    assert points[4].low == pytest.approx(0.3561, abs=1e-4)  # Wilson's interval of 45 in 100
    assert points[4].high == pytest.approx(0.5476, abs=1e-4)


def test_another_seed_of_the_same_entities_is_no_further_evidence(make_record):
    said = np.full(100, 0.5)
    bought = (np.arange(100) % 2 == 0)[:, None]
    once = purchase_points([make_record(bought, probability=said)])
    twice = purchase_points([make_record(bought, probability=said, seed=seed) for seed in (0, 1)])
    widths = [[point.high - point.low for point in points] for points in (once, twice)]
    assert np.mean(widths[1]) == pytest.approx(np.mean(widths[0]), rel=0.1)


def test_fewer_entities_than_groups_and_none_that_was_said_anything_of(make_record):
    assert len(purchase_points([make_record([[1.0], [0.0]], probability=[0.9, 0.1])])) == 2
    assert purchase_points([make_record([[1.0]])]) == []
