"""Boosted trees over a trial: one model per merchant, or one over everyone's data."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from common.metric import Forecast
from simulation.boosting.demand import forecast_boosted_demand
from simulation.boosting.example import NUM_ROWS, OWN_ROWS
from simulation.boosting.purchase import forecast_boosted_purchases
from simulation.trial import Trial

OnStep = Callable[[float], None]


def forecast_boosted_pooled(trial: Trial, *, seed: int, on_step: OnStep = lambda share: None) -> Forecast:
    """Fit over the entities of all merchants in one place: what a lake of everyone's data would give."""
    everyone = np.arange(len(trial.panel.entities))
    return _forecast(trial, everyone, seed, num_rows=NUM_ROWS, num_threads=os.cpu_count() or 1, on_step=on_step)


def forecast_boosted_local(trial: Trial, *, seed: int, on_step: OnStep = lambda share: None) -> Forecast:
    """Fit once per merchant, and put the forecasts back in the panel's order."""
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
    forecasts = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # merchants side by side waste less than the trees of one
        for forecast in pool.map(lambda rows: _forecast(trial, rows, seed, num_rows=OWN_ROWS, num_threads=1), rows_of):
            forecasts.append(forecast)
            on_step(len(forecasts) / len(rows_of))
    return Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of)))


def _forecast(
    trial: Trial,
    rows: np.ndarray,
    seed: int,
    *,
    num_rows: int,
    num_threads: int,
    on_step: OnStep = lambda share: None,
) -> Forecast:
    panel, plan = trial.panel.select(rows), trial.plan
    if plan.evaluation.task == "purchase":
        return forecast_boosted_purchases(panel, plan.model, trial.day, seed=seed, num_threads=num_threads)
    return forecast_boosted_demand(
        panel, plan.model, trial.day, seed=seed, num_rows=num_rows, num_threads=num_threads, on_step=on_step
    )
