import numpy as np
import pytest

from client.forecast.combination import average, is_close, weigh_methods
from common.forecast.metric import Forecast


def test_what_is_much_worse_beyond_doubt_has_no_say():
    losses = {"worse": np.array([2.0, 2.1, 1.9, 2.0]), "better": np.array([1.0, 1.1, 0.9, 1.0])}
    weights = weigh_methods(losses)
    assert weights["better"] == pytest.approx(1.0, abs=1e-9)
    assert weights["worse"] < 1e-9


def test_what_may_be_worse_by_luck_has_the_same_say():
    losses = {"one": np.array([2.0, 1.0, 3.0]), "lucky": np.array([1.0, 1.9, 2.9])}
    assert weigh_methods(losses) == {"one": 0.5, "lucky": 0.5}


def test_the_first_serves_alone_where_nothing_can_be_compared():
    assert weigh_methods({"first": np.array([]), "other": np.array([])}) == {"first": 1.0, "other": 0.0}
    assert weigh_methods({"first": np.array([5.0]), "other": np.array([1.0])}) == {"first": 1.0, "other": 0.0}


# The difference is .02 with a standard error of .01, the best loss 1: an excess of one percent, to the power of 30.
def test_weights_fall_as_a_power_of_the_excess_beyond_one_standard_error():
    noise = 0.01 * np.sqrt(3) * np.array([1.0, -1.0, 1.0, -1.0])
    best = np.ones(4)
    weights = weigh_methods({"best": best, "close": best + 0.02 + noise})
    assert weights["close"] / weights["best"] == pytest.approx(1.01**-30)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert is_close(best + 0.0099 + noise, best)
    assert not is_close(best + 0.0101 + noise, best)


# Of six entities one carries the whole difference, so its plain standard error is as large as its mean.
@pytest.mark.parametrize("num_entities", [3, 6, 100])
def test_a_method_that_fails_on_one_entity_has_less_say_the_further_it_fails(num_entities):
    sane, shares = np.ones(num_entities), []
    for far in (0.0, 0.1, 1.0, 10.0, 1e3, 1e6):
        wild = sane + np.eye(num_entities)[0] * far
        weights = weigh_methods({"wild": wild, "sane": sane})
        assert sum(weights.values()) == pytest.approx(1.0)
        shares.append(weights["wild"])
    assert shares[0] == 0.5
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares)) == len(shares)
    assert shares[-2] < 1e-6


def test_of_two_entities_one_may_be_bad_luck_up_to_half_of_the_loss():
    sane = np.ones(2)
    weights = [
        weigh_methods({"wild": sane + np.array([far, 0.0]), "sane": sane})["wild"] for far in (1.0, 1.1, 10, 1e6)
    ]
    assert weights[0] == 0.5
    assert weights == sorted(weights, reverse=True)
    assert weights[1] == pytest.approx(1.05**-30 / (1 + 1.05**-30))
    assert weights[2] < 1e-6


def test_a_failure_on_one_entity_counts_whatever_the_others_say():
    usual = np.array([1.0, 1.3, 0.7, 1.1, 0.9, 1.2, 0.8, 1.0])
    other = usual + 0.1 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    assert weigh_methods({"other": other, "usual": usual})["other"] == 0.5
    shares = [weigh_methods({"other": other + np.eye(8)[3] * far, "usual": usual})["other"] for far in (1, 10, 1e3)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 1e-6


def test_without_any_loss_all_that_have_none_serve_together():
    weights = weigh_methods({"one": np.zeros(3), "two": np.zeros(3), "wrong": np.ones(3)})
    assert weights == pytest.approx({"one": 0.5, "two": 0.5, "wrong": 0.0})


def test_an_average_is_one_of_means_of_quantiles_and_of_log_odds():
    ones = np.ones((2, 1))
    point = Forecast(2 * ones, 2 * ones, None, np.array([0.5, 0.2]))
    spread = Forecast(4 * ones, 3 * ones, np.tile(np.arange(9.0), (2, 1, 1)), np.array([0.9, 0.2]))
    both = average([point, spread], [0.5, 0.5], counts=False)
    np.testing.assert_allclose(both.mean, 3 * ones)
    np.testing.assert_allclose(both.median, 2.5 * ones)
    assert both.quantiles is not None
    np.testing.assert_allclose(both.quantiles[0, 0], (2 + np.arange(9.0)) / 2)
    assert both.probability is not None
    np.testing.assert_allclose(both.probability, [0.75, 0.2])  # odds 1 and 9: their geometric mean is 3


def test_an_average_takes_weights_and_what_has_none_is_not_asked():
    low, high = (Forecast(x, x, None, np.full(2, p)) for x, p in ((np.ones((2, 1)), 0.5), (5 * np.ones((2, 1)), 0.9)))
    both = average([low, high], [3.0, 1.0], counts=False)
    np.testing.assert_allclose(both.median, 2 * np.ones((2, 1)))
    assert both.probability is not None
    np.testing.assert_allclose(both.probability, 9**0.25 / (1 + 9**0.25))
    silent = average([Forecast(low.mean, low.median, None, None), high], [1.0, 0.0], counts=False)
    assert silent.probability is None


def test_an_average_of_forecasts_without_probabilities_has_none():
    point = Forecast(np.ones((2, 1)), np.ones((2, 1)), None, None)
    assert average([point, point], [1.0, 3.0], counts=False).probability is None


# Zero is within the interval of an average of counts, however little a candidate that never says zero has to say.
def test_an_average_of_counts_is_one_of_counts():
    counted = Forecast(np.ones((1, 1)), np.ones((1, 1)), np.array([[[0.0, 0, 0, 0, 1, 1, 1, 2, 3]]]), None)
    point = Forecast(np.full((1, 1), 1.6), np.full((1, 1), 1.6), None, None)
    both = average([counted, point], [0.98, 0.02], counts=True)
    assert both.quantiles is not None
    assert both.quantiles.tolist() == counted.quantiles.tolist()
    assert both.median.tolist() == [[1.0]]
    np.testing.assert_allclose(both.mean, [[1.012]])
