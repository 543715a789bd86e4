"""Boosted trees over a trial: one model per merchant, or one over everyone's data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from common.metric import Forecast
from simulation.boosting.demand import forecast_boosted_demand
from simulation.boosting.purchase import forecast_boosted_purchases
from simulation.trial import Trial

OnStep = Callable[[float], None]


def forecast_boosted_pooled(trial: Trial, *, seed: int, on_step: OnStep = lambda share: None) -> Forecast:
    """Fit over the entities of all merchants in one place: what a lake of everyone's data would give."""
    return _forecast(trial, np.arange(len(trial.panel.entities)), seed, on_step)


def forecast_boosted_local(trial: Trial, *, seed: int, on_step: OnStep = lambda share: None) -> Forecast:
    """Fit once per merchant, and put the forecasts back in the panel's order."""
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
    forecasts = []
    for done, rows in enumerate(rows_of):
        forecasts.append(_forecast(trial, rows, seed, lambda share: None))
        on_step((done + 1) / len(rows_of))
    return Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of)))


def _forecast(trial: Trial, rows: np.ndarray, seed: int, on_step: OnStep) -> Forecast:
    panel, plan = trial.panel.select(rows), trial.plan
    if plan.evaluation.task == "purchase":
        return forecast_boosted_purchases(panel, plan.model, trial.day, seed=seed)
    return forecast_boosted_demand(panel, plan.model, trial.day, seed=seed, on_step=on_step)
