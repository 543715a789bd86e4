import numpy as np
import pytest
from scipy import stats

from common.forecast.metric import QUANTILE_LEVELS, Forecast, Outcome, score_demand, score_purchases

# Two entities, two buckets; the 9 fell on a closed day.
OUTCOME = Outcome(
    actual=np.array([[2.0, 0.0], [4.0, 9.0]]),
    counted=np.array([[True, True], [True, False]]),
    scale=np.array([4.0, 0.25]),
)
FORECAST = Forecast(
    mean=np.array([[3.0, 0.0], [5.0, 0.0]]),
    median=np.array([[1.0, 1.0], [4.0, 0.0]]),
    quantiles=None,
    probability=None,
)
DEMAND_SCORES = ("wape", "rmsse", "rmspe", "wql", "coverage80", "coverage80_mid", "bias")


def make_forecast(quantiles: np.ndarray) -> Forecast:
    median = quantiles[:, :, 4]
    return Forecast(mean=median, median=median, quantiles=quantiles, probability=None)


# Worked by hand.
def test_each_score_of_demand_is_what_its_formula_says() -> None:
    scores = score_demand(FORECAST, OUTCOME)
    assert tuple(scores) == DEMAND_SCORES
    assert scores == {
        "wape": pytest.approx((1 + 1 + 0) / 6),
        "rmsse": pytest.approx((np.sqrt(0.5 / 4) + np.sqrt(1 / 0.25)) / 2),
        "rmspe": pytest.approx(np.sqrt((0.5**2 + 0) / 2)),
        "wql": pytest.approx((1 + 1 + 0) / 6),
        "coverage80": None,
        "coverage80_mid": None,
        "bias": pytest.approx((1 + 0 + 1) / 6),
    }


# Worked by hand: quantiles 1 … 9 of a demand of 5 lose .4 .6 .6 .4 0 .4 .6 .6 .4, together 4.
def test_the_quantile_loss_is_twice_the_pinball_loss_over_demand() -> None:
    quantiles = np.arange(1.0, 10.0).reshape(1, 1, 9)
    outcome = Outcome(np.array([[5.0]]), np.array([[True]]), np.array([1.0]))
    scores = score_demand(make_forecast(quantiles), outcome)
    assert scores["wql"] == pytest.approx(2 * (4 / 9) / 5)
    assert scores["coverage80"] == 1.0


@pytest.mark.parametrize(("demand", "inside"), [(0.9, 0.0), (1.0, 1.0), (9.0, 1.0), (9.1, 0.0)])
def test_coverage_counts_the_ends_of_the_interval(demand: float, inside: float) -> None:
    quantiles = np.arange(1.0, 10.0).reshape(1, 1, 9)
    outcome = Outcome(np.array([[demand]]), np.array([[True]]), np.array([1.0]))
    assert score_demand(make_forecast(quantiles), outcome)["coverage80"] == inside


def test_a_perfect_forecast_loses_nothing() -> None:
    quantiles = np.repeat(OUTCOME.actual[:, :, None], len(QUANTILE_LEVELS), axis=2)
    scores = score_demand(make_forecast(quantiles), OUTCOME)
    # Nine levels that all equal the demand say that .05 (for a demand of zero 0) to .95 of its probability lie up to
    # it, of which .8 are inside; two of the three buckets have demand.
    middle = pytest.approx((2 * 0.8 / 0.9 + 0.8 / 0.95) / 3)
    assert scores == dict(zip(DEMAND_SCORES, (0.0, 0.0, 0.0, 0.0, 1.0, middle, 0.0), strict=True))


def test_intervals_of_a_perfect_count_forecast_cover_four_fifths_by_the_middle() -> None:
    # 20,000 draws: a share of .8 has a standard deviation of .003; the rest is the coarseness of nine levels.
    mean = np.random.default_rng(1).gamma(0.5, 4.0, (20_000, 1))
    actual = np.random.default_rng(0).poisson(mean).astype(float)
    quantiles = stats.poisson.ppf(np.array(QUANTILE_LEVELS), mean[:, :, None])
    scores = score_demand(make_forecast(quantiles), Outcome(actual, np.ones((20_000, 1), bool), np.ones(20_000)))
    assert 0.77 < scores["coverage80_mid"] < 0.83
    assert scores["coverage80"] > 0.88


def test_a_count_forecast_that_is_too_sure_or_too_wide_is_seen_by_the_middle() -> None:
    actual = np.random.default_rng(0).poisson(3.0, (20_000, 1)).astype(float)
    outcome = Outcome(actual, np.ones((20_000, 1), bool), np.ones(20_000))
    for wrong, low, high in ((np.full(9, 3.0), 0.0, 0.5), (np.linspace(0, 9, 9), 0.9, 1.0)):
        quantiles = np.broadcast_to(wrong, (20_000, 1, 9))
        assert low < score_demand(make_forecast(quantiles), outcome)["coverage80_mid"] < high


def test_the_middle_is_the_plain_coverage_where_no_demand_equals_an_end() -> None:
    generator = np.random.default_rng(0)
    actual, quantiles = generator.random((500, 1)), np.sort(generator.random((500, 1, 9)), axis=2)
    scores = score_demand(make_forecast(quantiles), Outcome(actual, np.ones((500, 1), bool), np.ones(500)))
    assert scores["coverage80_mid"] == scores["coverage80"]


def test_what_is_said_of_a_closed_day_does_not_count() -> None:
    mean, median, actual = FORECAST.mean.copy(), FORECAST.median.copy(), OUTCOME.actual.copy()
    for values in (mean, median):
        values[1, 1] = 1e9
    actual[1, 1] = 1e9
    other = score_demand(Forecast(mean, median, None, None), Outcome(actual, OUTCOME.counted, OUTCOME.scale))
    assert other == score_demand(FORECAST, OUTCOME)


def test_demand_that_is_all_zero_has_no_score() -> None:
    silent = Outcome(np.zeros((2, 2)), OUTCOME.counted, OUTCOME.scale)
    assert score_demand(FORECAST, silent) == dict.fromkeys(DEMAND_SCORES)


def test_nobody_and_nothing_open_have_no_score() -> None:
    nobody = np.array([], dtype=int)
    closed = Outcome(OUTCOME.actual, np.zeros((2, 2), dtype=bool), OUTCOME.scale)
    assert score_demand(FORECAST.select(nobody), OUTCOME.select(nobody)) == dict.fromkeys(DEMAND_SCORES)
    assert score_demand(FORECAST, closed) == dict.fromkeys(DEMAND_SCORES)


def test_an_entity_whose_past_never_changed_has_no_scaled_error() -> None:
    steady = Outcome(OUTCOME.actual, OUTCOME.counted, np.array([4.0, 0.0]))
    assert score_demand(FORECAST, steady)["rmsse"] == pytest.approx(np.sqrt(0.5 / 4))
    never = Outcome(OUTCOME.actual, OUTCOME.counted, np.zeros(2))
    assert score_demand(FORECAST, never)["rmsse"] is None


# Worked by hand: of the four pairs of a buyer and another, three stand in order.
def test_each_score_of_purchases_is_what_its_formula_says() -> None:
    scores = score_purchases(np.array([0.9, 0.6, 0.4, 0.2]), np.array([True, False, True, False]))
    assert scores == {
        "auc": pytest.approx(0.75),
        "log_loss": pytest.approx(-np.log([0.9, 0.4, 0.4, 0.8]).mean()),
        "brier": pytest.approx((0.01 + 0.36 + 0.36 + 0.04) / 4),
        "accuracy": 0.5,
        "precision": 0.5,
        "recall": 0.5,
    }


def test_one_answer_only_leaves_out_what_needs_both() -> None:
    everyone = score_purchases(np.array([0.9, 0.2]), np.array([True, True]))
    assert (everyone["auc"], everyone["precision"], everyone["recall"]) == (None, 1.0, 0.5)
    nobody = score_purchases(np.array([0.4, 0.2]), np.array([False, False]))
    assert (nobody["auc"], nobody["precision"], nobody["recall"]) == (None, None, None)


def test_a_certain_and_wrong_probability_has_a_finite_loss() -> None:
    scores = score_purchases(np.array([0.0, 1.0]), np.array([True, False]))
    assert scores["log_loss"] == pytest.approx(-np.log(1e-6))


def test_purchases_of_nobody_have_no_score() -> None:
    assert set(score_purchases(np.zeros(0), np.zeros(0, dtype=bool)).values()) == {None}
