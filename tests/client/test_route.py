import numpy as np
import pytest

from client.route import average, choose_methods, demand_losses, is_close, purchase_losses
from common.metric import QUANTILE_LEVELS, Forecast, Outcome, score_demand, score_purchases


def test_what_is_worse_beyond_doubt_is_left_out():
    losses = {"worse": np.array([2.0, 2.1, 1.9, 2.0]), "better": np.array([1.0, 1.1, 0.9, 1.0])}
    assert choose_methods(losses) == ("better",)


def test_what_may_be_worse_by_luck_is_kept():
    assert choose_methods({"one": np.array([2.0, 1.0, 3.0]), "lucky": np.array([1.0, 1.9, 2.9])}) == ("one", "lucky")


def test_the_first_serves_alone_where_nothing_can_be_compared():
    assert choose_methods({"first": np.array([]), "other": np.array([])}) == ("first",)
    assert choose_methods({"first": np.array([5.0]), "other": np.array([1.0])}) == ("first",)


def test_two_standard_errors_decide():
    noise = np.array([1.0, -1.0, 1.0, -1.0])  # its standard error is 1/√3 = .577
    best = np.zeros(4)
    assert choose_methods({"close": noise + 1.15, "best": best}) == ("close", "best")
    assert choose_methods({"far": noise + 1.16, "best": best}) == ("best",)
    assert is_close(noise + 0.57, best)
    assert not is_close(noise + 0.58, best)


def test_an_average_is_one_of_means_of_quantiles_and_of_log_odds():
    ones = np.ones((2, 1))
    point = Forecast(2 * ones, 2 * ones, None, np.array([0.5, 0.2]))
    spread = Forecast(4 * ones, 3 * ones, np.tile(np.arange(9.0), (2, 1, 1)), np.array([0.9, 0.2]))
    both = average([point, spread])
    np.testing.assert_allclose(both.mean, 3 * ones)
    np.testing.assert_allclose(both.median, 2.5 * ones)
    assert both.quantiles is not None
    np.testing.assert_allclose(both.quantiles[0, 0], (2 + np.arange(9.0)) / 2)
    assert both.probability is not None
    np.testing.assert_allclose(both.probability, [0.75, 0.2])  # odds 1 and 9: their geometric mean is 3


def test_an_average_of_forecasts_without_probabilities_has_none():
    point = Forecast(np.ones((2, 1)), np.ones((2, 1)), None, None)
    assert average([point, point]).probability is None


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
