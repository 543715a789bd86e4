import numpy as np
import pytest

from client.forecast.method.trees.demand import forecast_boosted_demand
from common.forecast.metric import observe, score_demand


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"horizon_days": 7, "season": False}).model


@pytest.fixture
def promoted(make_panel):
    """Fifteen entities that sell 10 a day, and 40 where a promotion is on, which the anchor of the plan cannot see."""
    generator = np.random.default_rng(0)
    known = (generator.random((15, 91, 1)) < 0.3).astype(np.float32)
    return make_panel(target=generator.poisson(10.0 + 30.0 * known[:, :, 0]).astype(np.float32), known=known)


def test_trees_learn_what_a_promotion_does(promoted, plan):
    promoted.open[:, 85] = False
    made = forecast_boosted_demand(promoted, plan, 84, seed=0)
    scores = score_demand(made, observe(promoted, plan, 84))
    # The mean absolute deviation of a Poisson at 10 and 40 mixed 7 : 3 is .17 of the mean; the anchor has .7.
    assert scores["wape"] < 0.23
    assert abs(scores["bias"]) < 0.1
    assert 0.65 < scores["coverage80"] < 0.95
    assert (np.diff(made.quantiles, axis=2) >= 0).all()
    np.testing.assert_array_equal(made.quantiles, np.rint(made.quantiles))
    assert (made.mean > 0).all(axis=0).tolist() == [True, False, *[True] * 5]


def test_no_day_from_the_origin_on_is_looked_at(make_panel, plan):
    panel = make_panel(num_entities=3)
    before = forecast_boosted_demand(panel, plan, 40, seed=0)
    panel.target[:, 40:] += 50
    after = forecast_boosted_demand(panel, plan, 40, seed=0)
    np.testing.assert_array_equal(before.mean, after.mean)
    np.testing.assert_array_equal(before.quantiles, after.quantiles)


@pytest.mark.parametrize("origin", [3, 12])
def test_without_a_past_to_learn_from_or_to_check_on_the_anchor_stands(make_panel, plan, origin):
    panel = make_panel(target=np.full((2, 40), 5.0, np.float32))
    made = forecast_boosted_demand(panel, plan, origin, seed=0)
    assert made.median == pytest.approx(np.full((2, 7), 5.0))


def test_a_series_of_zeros_is_forecast_zero(make_panel, plan):
    made = forecast_boosted_demand(make_panel(target=np.zeros((2, 60), np.float32)), plan, 50, seed=0)
    assert not made.median.any()
    assert made.mean.max() < 0.05
