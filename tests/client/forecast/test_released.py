"""A released model's forecasts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch

import client.forecast.released as module
from client.forecast.released import forecast_demand, forecast_mean
from client.forecast.view import Ahead
from common.data.panel import Panel
from common.model.demand_gru import DemandGRU
from common.model.features import Series, build_series
from common.plan.schema import ModelPlan, Plan

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


def test_a_forecast_in_blocks_is_that_of_all_series_at_once(
    make_panel: Callable[..., Panel],
    make_plan: Callable[..., Plan],
    make_awake_model: Callable[..., DemandGRU],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel, plan, device = make_panel(num_entities=7, num_days=400), make_plan().model, torch.device("cpu")
    series = build_series(panel, plan, 372)
    model = make_awake_model(series).float()
    whole = forecast_demand(model, series, device=device)
    monkeypatch.setattr(module, "CHUNK_ENTITIES", 3)
    found = forecast_demand(model, Ahead(panel, plan, 372), device=device)
    for name in ("mean", "median", "quantiles", "probability"):
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), rtol=1e-6)


# What a block needs is let go before the next one: 12 blocks hold no more than 3 beside the forecast itself.
def test_memory_beside_the_forecast_does_not_grow_with_the_number_of_series(
    make_panel: Callable[..., Panel],
    make_plan: Callable[..., Plan],
    make_awake_model: Callable[..., DemandGRU],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHUNK_ENTITIES", 8)
    plan, device = make_plan().model, torch.device("cpu")
    panel = make_panel(num_entities=96, num_days=200)
    model = make_awake_model(build_series(panel.select(slice(8)), plan, 180)).float()
    beside = {}
    for number in (24, 96):
        seen = Ahead(panel.select(slice(number)), plan, 180)
        tracemalloc.start()
        found = forecast_demand(model, seen, device=device)
        own = sum(part.nbytes for part in (found.mean, found.quantiles, found.probability) if part is not None)
        beside[number] = tracemalloc.get_traced_memory()[1] - own
        tracemalloc.stop()
    assert beside[96] < 1.2 * beside[24]
