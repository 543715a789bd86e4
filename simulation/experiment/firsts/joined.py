"""What a federation forecasts for merchants who were not in it: its model as it is, and fitted to their short history.

Guarantee: nothing of a merchant that is left out has a part in the model. So its own last horizon is new to the model,
and how far the model may move is chosen there; other merchants' same days the model has seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from client.forecast.personalise import personalise
from client.forecast.released import forecast_demand
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU
from simulation.method.method import Progress, run_method, training_of
from simulation.origin.origin import Trial

CPU = torch.device("cpu")


def train_without(method: Method, others: Trial, *, seed: int, on_share: Callable[[str, float], None]) -> DemandGRU:
    """Train a federation on the merchants that are not left out, up to the origin."""
    rounds = training_of(method, others.plan).num_rounds
    progress = Progress(on_round=lambda state, loss: on_share(method.name, state.round_number / rounds))
    model = run_method(method, others, seed=seed, device=CPU, progress=progress).model
    assert model is not None  # noqa: S101  for mypy: a federation releases one
    return model


def forecast_joined(model: DemandGRU, method: Method, young: Trial) -> dict[str, Forecast]:
    """Forecast by the model as it is, and by what every merchant makes of it on its own short history."""
    rows_of = [young.rows_of(merchant) for merchant in young.merchants]

    def serve(rows: np.ndarray) -> Forecast:
        own = personalise(model, young.panel.select(rows), young.plan.model, young.day)
        return forecast_demand(own, young.series.select(torch.from_numpy(rows)), device=CPU)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        served = list(pool.map(serve, rows_of))
    return {
        method.name: forecast_demand(model, young.series, device=CPU),
        f"{method.name}_personalised": Forecast.concatenate(served).select(np.argsort(np.concatenate(rows_of))),
    }
