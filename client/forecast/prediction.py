"""A merchant's forecasts from a federation's model: made here, of its own rows, and never to be shared.

No privacy is promised for them: they are computed from the merchant's rows without noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from client.daemon.store import Model
from client.data.rows import read
from client.forecast.personalise import personalise
from client.forecast.released import forecast_demand
from common.data.panel import Panel, find_active
from common.errors import ConfigError, DataError
from common.file import write_whole
from common.forecast.metric import QUANTILE_LEVELS, Forecast
from common.model.demand_gru import DemandGRU, get_vector, set_vector
from common.model.features import build_series
from common.model.warm.start import start_without_data
from common.plan.schema import ModelPlan, Plan

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Question:
    """What is to be forecast.

    Attributes
    ----------
    origin
        The first day that is forecast; nothing from it on is looked at but what the plan declares as known ahead.
    personal
        Whether the model is fitted to this merchant first.
    """

    origin: date
    personal: bool
    device: torch.device


@dataclass(frozen=True)
class ReleasedContext:
    """A released model before the rows of one merchant.

    Attributes
    ----------
    panel
        The entities that take part at the origin.
    day
        Index of the first day that is forecast.
    idle_days
        Open days at the end of the horizon after the last on which anything at all was sold, by whomever.
    """

    plan: Plan
    panel: Panel
    day: int
    idle_days: int
    network: DemandGRU


def set_up(model: Model, data_root: Path, origin: date) -> ReleasedContext:
    """Read the merchant's rows up to the end of the horizon that starts at `origin`, and make the network.

    Raises
    ------
    DataError
        No entity takes part, or the model does not fit the plan's columns.
    ConfigError
        The origin leaves no history.
    """
    plan = _extend(model.note.plan, origin)
    panel = read(plan.data, data_root, ahead_from=origin).panel
    day = panel.day_of(origin)
    idle_days = _count_idle_days(panel, plan, day + plan.model.horizon_days)
    panel = panel.select(find_active(panel, plan.data, day))
    if len(panel.entities) == 0:
        raise DataError(f"No {plan.data.entity} takes part at {origin}; choose another --origin.")
    return ReleasedContext(plan, panel, day, idle_days, _restore(model))


def _count_idle_days(panel: Panel, plan: Plan, end: int) -> int:
    """Count the days before `end` since the last sale; where the plan says which days are closed, without those."""
    sold = np.flatnonzero(panel.target[:, :end].any(axis=0))
    idle = np.arange(sold[-1] + 1 if len(sold) else 0, end)
    return len(idle) if plan.data.missing == "closed" else int(panel.open[:, idle].any(axis=0).sum())


def predict(model: Model, data_root: Path, question: Question) -> pd.DataFrame:
    """Forecast the horizon of every entity that takes part at the origin.

    Returns
    -------
    DataFrame
        One row per entity and bucket: entity, date (the bucket's first day), mean, q10 … q90, and the probability of
        any demand in the whole horizon.

    Raises
    ------
    HansaError
        As `set_up` says.
    """
    scene = set_up(model, data_root, question.origin)
    plan, panel, day, network = scene.plan, scene.panel, scene.day, scene.network
    if question.personal:
        network = personalise(network, panel, plan.model, day)
    forecast = forecast_demand(network, build_series(panel, plan.model, day), device=question.device)
    return _as_table(forecast, panel, plan.model, question.origin)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write forecasts whole or not at all, as the file's ending says; an older file is replaced."""
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"--out {path} is neither .csv nor .parquet; choose one of them.")
    stream = BytesIO()
    if path.suffix == ".csv":
        table.to_csv(stream, index=False)
    else:
        table.to_parquet(stream, index=False)
    write_whole(path, stream.getvalue())


def _extend(plan: Plan, origin: date) -> Plan:
    """Let the plan's span reach to the end of the horizon, for a forecast from later rows than it was trained on."""
    if (origin - plan.data.start).days < plan.model.step_days:
        raise ConfigError(
            f"--origin {origin} leaves no history after data.start {plan.data.start}; choose a later one."
        )
    try:
        end = max(plan.data.end, origin + timedelta(days=plan.model.horizon_days - 1))
    except OverflowError as error:
        raise ConfigError(
            f"--origin {origin} leaves no horizon before the calendar ends; choose an earlier one."
        ) from error
    return plan.model_copy(update={"data": plan.data.model_copy(update={"end": end})})


def _restore(model: Model) -> DemandGRU:
    """Put the released parameters into what the plan begins with: what did not train is as it was there."""
    network = start_without_data(model.note.plan, private=model.note.private)
    if len(get_vector(network)) != len(model.parameters):
        raise DataError("The model has another number of parameters than its plan's; ask the coordinator for another.")
    set_vector(network, model.parameters)
    return network


def _as_table(forecast: Forecast, panel: Panel, plan: ModelPlan, origin: date) -> pd.DataFrame:
    assert forecast.quantiles is not None  # noqa: S101  for mypy: a network's are there
    assert forecast.probability is not None  # noqa: S101
    starts = [origin + timedelta(days=bucket * plan.bucket_days) for bucket in range(plan.horizon)]
    num_entities = len(panel.entities)
    levels = {
        f"q{round(100 * level)}": forecast.quantiles[:, :, number].ravel()
        for number, level in enumerate(QUANTILE_LEVELS)
    }
    return pd.DataFrame(
        {
            "entity": np.repeat(panel.entities.astype(str), plan.horizon),
            "date": [day.isoformat() for day in starts] * num_entities,
            "mean": forecast.mean.ravel(),
            **levels,
            "probability": np.repeat(forecast.probability, plan.horizon),
        }
    )
