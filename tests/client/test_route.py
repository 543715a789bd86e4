import numpy as np
import pytest

from client.route import choose_method, demand_losses, purchase_losses, within_one_standard_error
from common.metric import QUANTILE_LEVELS, Forecast, Outcome, score_demand, score_purchases


def test_the_better_method_is_taken_where_the_difference_is_beyond_doubt():
    assert (
        choose_method({"simple": np.array([2.0, 2.1, 1.9, 2.0]), "better": np.array([1.0, 1.1, 0.9, 1.0])}) == "better"
    )


def test_the_simplest_is_kept_where_the_best_is_best_by_luck():
    assert choose_method({"simple": np.array([2.0, 1.0, 3.0]), "lucky": np.array([1.0, 1.9, 2.9])}) == "simple"


def test_the_simplest_is_kept_where_nothing_can_be_compared():
    assert choose_method({"simple": np.array([]), "other": np.array([])}) == "simple"
    assert choose_method({"simple": np.array([5.0]), "other": np.array([1.0])}) == "simple"


def test_methods_between_the_simplest_and_the_best_are_taken_in_order():
    best = np.array([1.0, 1.0, 1.0, 1.0])
    losses = {"simple": best + 1.0, "middle": best + np.array([0.1, -0.1, 0.1, 0.0]), "best": best}
    assert choose_method(losses) == "middle"


def test_one_standard_error_is_that_of_the_paired_difference():
    best, noise = np.zeros(4), np.array([1.0, -1.0, 1.0, -1.0])  # its standard error is 1/√3 = .577
    assert within_one_standard_error(noise + 0.57, best)
    assert not within_one_standard_error(noise + 0.58, best)


@pytest.fixture
def outcome():
    actual = np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
    return Outcome(actual, np.array([[True, True], [True, False], [True, True]]), np.ones(3))


def test_losses_of_entities_add_up_to_the_scores_of_the_table(outcome):
    generator = np.random.default_rng(0)
    quantiles = np.sort(generator.gamma(1.0, 1.0, (3, 2, len(QUANTILE_LEVELS))), axis=2)
    forecast = Forecast(quantiles.mean(axis=2), quantiles[:, :, 4], quantiles, np.array([0.7, 0.6, 0.2]))
    purchases = score_purchases(forecast.probability, outcome.actual.sum(1) > 0)
    assert purchase_losses(forecast, outcome).mean() == pytest.approx(purchases["log_loss"])
    total = outcome.actual[outcome.counted].sum()
    assert 2 * demand_losses(forecast, outcome).sum() / total == pytest.approx(score_demand(forecast, outcome)["wql"])


def test_a_point_forecast_stands_for_every_quantile(outcome):
    point = np.array([[0.0, 1.0], [2.0, 9.0], [0.0, 0.0]])
    forecast = Forecast(point, point, None, None)
    total = outcome.actual[outcome.counted].sum()
    assert 2 * demand_losses(forecast, outcome).sum() / total == pytest.approx(score_demand(forecast, outcome)["wql"])
