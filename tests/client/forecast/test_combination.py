import numpy as np
import pytest

from client.forecast.combination import average, is_close, known_share, shrunk_excess, spread_counts
from client.forecast.combination import weigh_methods as weigh_methods_of
from common.forecast.method import Method
from common.forecast.metric import Forecast

TREES, NETWORK, POINTS = Method("lightgbm_local"), Method("gru_local"), Method("weekday_mean")
WEEKS = 4


def weigh_methods(losses, *, history_days=730):
    return weigh_methods_of(losses, history_days=history_days)


def blocks(entities):
    """Let every week of an entity lose the same."""
    return np.repeat(np.asarray(entities, float)[:, None], WEEKS, axis=1)


def noisy(level, *, entities=50, seed=0):
    return level + 0.05 * np.random.default_rng(seed).standard_normal((entities, WEEKS))


def test_what_is_much_worse_beyond_doubt_has_no_say():
    weights = weigh_methods({TREES: noisy(2.0), NETWORK: noisy(1.0, seed=1)})
    assert weights[NETWORK] == pytest.approx(1.0, abs=1e-9)
    assert sum(weights.values()) == pytest.approx(1.0)


def test_without_evidence_shares_are_the_usual_ones():
    weights = weigh_methods({TREES: blocks([1.0]), NETWORK: blocks([1.0]), POINTS: blocks([1.0])})
    assert weights[TREES] > weights[NETWORK] > 5 * weights[POINTS]


# Trees of two months are worse than no trees.
def test_what_learns_alone_from_little_begins_with_little():
    weights = weigh_methods({TREES: blocks([1.0]), POINTS: blocks([1.0])}, history_days=73)
    assert weights[TREES] / weights[POINTS] == pytest.approx(0.2 / 0.03)


def test_a_side_has_as_much_to_say_as_its_methods_have_learned():
    assert known_share([TREES], history_days=73) == pytest.approx(0.2)
    assert known_share([TREES, POINTS], history_days=73) == pytest.approx((0.2 + 0.03) / (1.0 + 0.03))
    assert known_share([POINTS, Method("warm")], history_days=0) == known_share([TREES], history_days=365) == 1.0


def test_what_stands_alone_has_the_whole_average_however_short_its_history():
    assert weigh_methods({TREES: blocks([1.0])}, history_days=0) == {TREES: 1.0}


def test_little_evidence_moves_shares_less_than_much_of_the_same():
    few, many = (
        weigh_methods({TREES: noisy(1.05, entities=number), NETWORK: noisy(1.0, entities=number, seed=1)})[NETWORK]
        for number in (1, 400)
    )
    assert 0.15 < few < many


# With the least error that a horizon has (1 %) and a usual spread of 3 %, nine tenths of what is seen are believed.
def test_an_excess_is_shrunk_by_how_unsure_it_is():
    assert shrunk_excess(blocks([1.06] * 50), blocks([1.0] * 50)) == pytest.approx(0.054)
    assert shrunk_excess(blocks([1.0] * 50), blocks([1.06] * 50)) == pytest.approx(-0.054)


# Of six entities one carries the whole difference, so its plain standard error is as large as its mean.
@pytest.mark.parametrize("num_entities", [3, 6, 100])
def test_a_method_that_fails_on_one_entity_has_less_say_the_further_it_fails(num_entities):
    sane, shares = np.ones(num_entities), []
    for far in (0.0, 0.1, 1.0, 10.0, 1e3, 1e6):
        wild = sane + np.eye(num_entities)[0] * far
        weights = weigh_methods({NETWORK: blocks(wild), TREES: blocks(sane)})
        shares.append(weights[NETWORK])
    assert shares == sorted(shares, reverse=True)
    assert len(set(shares[:-1])) == len(shares) - 1
    assert shares[-2] < 1e-6


def test_of_two_entities_one_may_be_bad_luck_but_not_without_end():
    sane = np.ones(2)
    shares = [
        weigh_methods({NETWORK: blocks(sane + np.array([far, 0.0])), TREES: blocks(sane)})[NETWORK]
        for far in (0.0, 1.0, 10.0, 1e3, 1e6)
    ]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 1e-6


# An Easter that all shops share is one odd week and not a hundred proofs.
def test_one_odd_week_of_all_entities_is_less_proof_than_as_much_spread_over_all_weeks():
    usual = noisy(1.0, entities=100)
    odd, spread = usual.copy(), usual + 0.03
    odd[:, 2] += 0.03 * WEEKS
    assert shrunk_excess(odd, usual) < 0.6 * shrunk_excess(spread, usual)


def test_without_any_loss_all_that_have_none_serve_and_what_is_wrong_does_not():
    weights = weigh_methods({TREES: blocks(np.zeros(3)), NETWORK: blocks(np.zeros(3)), POINTS: blocks(np.ones(3))})
    assert weights[POINTS] == pytest.approx(0.0)
    assert weights[TREES] > weights[NETWORK] > 0


def test_counts_spread_over_their_levels_are_those_counts_again_when_rounded():
    counts = np.sort(np.random.default_rng(0).poisson(0.8, (50, 3, 9)).astype(float), axis=2)
    spread = spread_counts(counts)
    np.testing.assert_array_equal(np.rint(spread), counts)
    assert (np.diff(spread, axis=2) > 0).all()


# Of levels .1 to .9 five say none and four say one piece: its probability ends, and begins, at .55.
def test_a_level_stands_where_it_lies_within_its_count():
    spread = spread_counts(np.array([[[0.0, 0, 0, 0, 0, 1, 1, 1, 1]]]))[0, 0]
    np.testing.assert_allclose(spread[[0, 4, 5, 8]], [-0.5 + 0.1 / 0.55, -0.5 + 0.5 / 0.55, 0.625, 1.375])


# Rounded as they are, .5 would become 0 at all levels between.
def test_an_average_of_counts_falls_to_either_side_as_their_levels_do():
    one = Forecast(np.ones((1, 1)), np.zeros((1, 1)), np.array([[[0.0, 0, 0, 0, 0, 0, 1, 1, 2]]]), None)
    two = Forecast(np.ones((1, 1)), np.ones((1, 1)), np.array([[[0.0, 0, 0, 1, 1, 1, 2, 2, 3]]]), None)
    assert average([one, two], [0.5, 0.5], counts=True).quantiles[0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2]


def test_what_is_no_count_is_averaged_as_it_is():
    normal = np.linspace(0.3, 2.7, 9)[None, None]
    np.testing.assert_array_equal(spread_counts(normal), normal)
    point = np.full((1, 1, 9), 2.0)
    np.testing.assert_array_equal(spread_counts(point), point)


def test_among_fits_of_one_model_close_is_within_one_standard_error():
    noise = 0.01 * np.sqrt(3) * np.array([1.0, -1.0, 1.0, -1.0])
    best = np.ones(4)
    assert is_close(best + 0.0099 + noise, best)
    assert not is_close(best + 0.0101 + noise, best)


def test_an_average_is_one_of_means_of_quantiles_and_of_log_odds():
    ones = np.ones((2, 1))
    point = Forecast(2 * ones, 2 * ones, None, np.array([0.5, 0.2]))
    spread = Forecast(4 * ones, 4 * ones, np.tile(np.arange(9.0), (2, 1, 1)), np.array([0.9, 0.2]))
    both = average([point, spread], [0.5, 0.5], counts=False)
    np.testing.assert_allclose(both.mean, 3 * ones)
    np.testing.assert_allclose(both.median, 3 * ones)
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
