"""A released model's forecasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch

from client.forecast.released import forecast_demand, forecast_mean
from common.model.demand_gru import DemandGRU
from common.model.features import Series
from common.plan.schema import ModelPlan

LIKELIHOODS = get_args(ModelPlan.model_fields["likelihood"].annotation)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_mean_alone_is_the_mean_of_the_whole_forecast(
    make_series: Callable[..., Series], make_awake_model: Callable[..., DemandGRU], likelihood: str
) -> None:
    series, device = make_series(likelihood=likelihood), torch.device("cpu")
    model = make_awake_model(series).float()
    mean = forecast_mean(model, series, device=device)
    assert mean.any()
    np.testing.assert_array_equal(mean, forecast_demand(model, series, device=device).mean)
