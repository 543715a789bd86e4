"""What entities add up to must be what the metrics say of everyone at once."""

import numpy as np
import pytest

from common.forecast.entity_loss import entity_losses, entity_weights
from common.forecast.metric import Forecast, Outcome, score_demand, score_purchases


@pytest.fixture
def drawn():
    """Seven entities over five buckets, some of them closed, forecast with quantiles."""
    generator = np.random.default_rng(0)
    actual = generator.poisson(2.0, (7, 5)).astype(float)
    counted = generator.random((7, 5)) < 0.8
    quantiles = np.sort(generator.gamma(2.0, 1.0, (7, 5, 9)), axis=2)
    probability = generator.random(7)
    return Forecast(quantiles[:, :, 4] + 0.1, quantiles[:, :, 4], quantiles, probability), actual * counted, counted


@pytest.mark.parametrize("with_quantiles", [True, False])
@pytest.mark.parametrize("metric", ["wql", "wape"])
def test_demand_adds_up_to_the_metric_of_everyone(drawn, metric, with_quantiles):
    forecast, actual, counted = drawn
    if not with_quantiles:
        forecast = Forecast(forecast.mean, forecast.median, None, None)
    losses = entity_losses(forecast, actual, counted, metric=metric)
    value = losses.sum() / entity_weights(actual, counted, task="demand").sum()
    assert value == pytest.approx(score_demand(forecast, Outcome(actual, counted, np.ones(7)))[metric])


def test_purchases_add_up_to_the_metric_of_everyone_even_where_a_certainty_was_wrong(drawn):
    forecast, actual, counted = drawn
    actual[0], actual[1] = 0.0, 1.0
    forecast.probability[:2] = 1.0, 0.0
    losses = entity_losses(forecast, actual, counted, metric="log_loss")
    value = losses.sum() / entity_weights(actual, counted, task="purchase").sum()
    assert value == pytest.approx(score_purchases(forecast.probability, actual.sum(1) > 0)["log_loss"])
