import numpy as np
import pytest

from client.forecast.method.logistic import forecast_logistic, purchase_labels
from client.forecast.method.trees.purchase import forecast_boosted_purchases, rhythm_features
from common.forecast.metric import score_purchases


@pytest.fixture
def plan(make_plan):
    return make_plan(model={"horizon_days": 10, "bucket_days": 10}).model


@pytest.fixture
def regular(make_panel):
    """Three hundred customers who buy every 40 days: who is overdue buys, which frequency and recency add up to."""
    days = np.arange(400)[None, :]
    start = np.random.default_rng(0).integers(0, 40, (300, 1))
    return make_panel(target=((days - start) % 40 == 0).astype(np.float32), first_day=start[:, 0])


def test_a_rhythm_is_learnt_that_the_regression_cannot_tell(regular, plan):
    bought = purchase_labels(regular, plan, 380)
    boosted = score_purchases(forecast_boosted_purchases(regular, plan, 380, seed=0).probability, bought)
    logistic = score_purchases(forecast_logistic(regular, plan, 380).probability, bought)
    assert boosted["auc"] > 0.98
    assert boosted["log_loss"] < logistic["log_loss"]


def test_features_of_a_history_worked_out_by_hand(make_panel, plan):
    target = np.zeros((2, 60), np.float32)
    target[0, [10, 20, 40]] = 2
    target[1, 45] = 1
    features = rhythm_features(make_panel(target=target), plan, 50)[:, 5:]
    # Gaps of 15 days; 10 days since the last; in the last 30, 60 and 180 days: 2, 3 and 3; no year of history.
    assert features[0] == pytest.approx([np.log(16), np.log(10 / 16), 2, 3, 3, np.nan], nan_ok=True)
    assert features[1] == pytest.approx([np.nan, np.nan, 1, 1, 1, np.nan], nan_ok=True)


def test_the_same_days_a_year_before_are_counted(make_panel, plan):
    target = np.zeros((1, 500), np.float32)
    target[0, [36, 45, 46]] = 1
    assert rhythm_features(make_panel(target=target), plan, 400)[0, -1] == 2  # days 36 … 45


def test_where_nobody_or_everybody_bought_the_base_rate_stands(make_panel, plan):
    never = forecast_boosted_purchases(make_panel(target=np.zeros((3, 60), np.float32)), plan, 50, seed=0)
    always = forecast_boosted_purchases(make_panel(target=np.ones((3, 60), np.float32)), plan, 50, seed=0)
    assert never.probability == pytest.approx(np.full(3, 1 / 14))  # four snapshots of three customers
    assert always.probability == pytest.approx(np.full(3, 13 / 14))


def test_no_day_from_the_origin_on_is_looked_at(regular, plan):
    before = forecast_boosted_purchases(regular, plan, 380, seed=0).probability
    regular.target[:, 380:] = 1
    np.testing.assert_array_equal(before, forecast_boosted_purchases(regular, plan, 380, seed=0).probability)
