"""Boosted trees over a trial: one model per merchant, or one over everyone's data.

Merchants are fitted side by side, which wastes less than the threads of one fit, and in processes of their own: one
process has one number of threads for all that LightGBM does in it, and two fits that set it crash at times.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from joblib import Parallel, delayed

from client.forecast.method.trees.boosted import forecast_boosted
from client.forecast.method.trees.example import NUM_ROWS
from common.forecast.metric import Forecast
from simulation.origin.origin import Trial

NOT_WORTH_WORKERS = 20_000  # days of all entities; starting a worker takes seconds, and purchases take less in all

OnStep = Callable[[float], None]


def forecast_boosted_pooled(trial: Trial, *, seed: int, on_step: OnStep = lambda share: None) -> Forecast:
    """Fit over the entities of all merchants in one place: what a lake of everyone's data would give."""
    threads = os.cpu_count() or 1
    return forecast_boosted(
        trial.panel, trial.plan, trial.day, seed=seed, num_rows=NUM_ROWS, num_threads=threads, on_step=on_step
    )


def forecast_boosted_local(trial: Trial, *, seed: int, on_step: OnStep = lambda share: None) -> Forecast:
    """Fit once per merchant, and put the forecasts back in the panel's order."""
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
    worth = trial.plan.evaluation.task == "demand" and trial.panel.target.size > NOT_WORTH_WORKERS
    workers = Parallel(  # no memory maps: torch warns of arrays that cannot be written
        os.cpu_count() if worth else 1, return_as="generator", max_nbytes=None
    )
    one = delayed(forecast_boosted)
    forecasts: list[Forecast] = []
    for forecast in workers(one(trial.panel.select(rows), trial.plan, trial.day, seed=seed) for rows in rows_of):
        forecasts.append(forecast)
        on_step(len(forecasts) / len(rows_of))
    return Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of)))
