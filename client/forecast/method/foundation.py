"""Public foundation models for time series, as they are: nothing is trained, and nothing is downloaded.

| name    | package               | weights                                                                        |
|---------|-----------------------|--------------------------------------------------------------------------------|
| chronos | `chronos-forecasting` | a folder on this machine, named by HANSA_CHRONOS: Chronos, Chronos-Bolt or -2  |
| fracast | `fracast`             | in its wheel: 85,001 parameters                                                |

Both read one series at a time, its past buckets, and nothing of what is known ahead; a bucket in which the entity was
closed is one that was not seen. Anybody can have them, so they cost no privacy and are no merit of a federation.

References
----------
Ansari et al., "Chronos: Learning the Language of Time Series", TMLR 2024, arXiv 2403.07815.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from client.forecast.method.classic import History, histories, open_ahead
from common.data.panel import Panel
from common.errors import ConfigError
from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast
from common.plan.schema import ModelPlan

FOLDER = "HANSA_CHRONOS"  # of the environment
LONGEST = 512  # buckets that are read; longer pasts take longer, and these models were trained on as many
FEWEST = 8  # buckets seen, below which nothing is asked of a model: the mean of what was seen stands for all quantiles
BATCH = 256  # series at once

OnStep = Callable[[float], None]
Ask = Callable[[Float[np.ndarray, "series bucket"]], np.ndarray]  # pasts that end together, to quantiles


def forecast_chronos(
    panel: Panel, plan: ModelPlan, origin: int, *, seed: int, on_step: OnStep = lambda share: None
) -> Forecast:
    """Forecast by Chronos, from weights in the folder that HANSA_CHRONOS names.

    Raises
    ------
    ConfigError
        The folder is missing, or holds no such model.
    """
    pipeline = _load_chronos(chronos_folder())

    def ask(pasts: Float[np.ndarray, "series bucket"]) -> np.ndarray:
        series = torch.from_numpy(pasts.astype(np.float32))
        inputs = series[:, None] if type(pipeline).__name__ == "Chronos2Pipeline" else series
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)  # the first Chronos draws its quantiles
            quantiles, _ = pipeline.predict_quantiles(inputs, plan.horizon, quantile_levels=list(QUANTILE_LEVELS))
        told = torch.cat(quantiles) if isinstance(quantiles, list) else quantiles
        return np.asarray(told.double().numpy())

    return _forecast(ask, panel, plan, origin, on_step)


def forecast_fracast(panel: Panel, plan: ModelPlan, origin: int, *, on_step: OnStep = lambda share: None) -> Forecast:
    """Forecast by Fracast-0, from the weights in its package."""
    from fracast import FracastModel

    model = FracastModel.from_pretrained(weights="fp32")
    places = [model.quantiles.index(level) for level in QUANTILE_LEVELS]

    def ask(pasts: Float[np.ndarray, "series bucket"]) -> np.ndarray:
        return np.asarray(model.forecast_batch(pasts, horizon=plan.horizon)[:, :, places], dtype=np.float64)

    return _forecast(ask, panel, plan, origin, on_step)


def chronos_folder() -> Path | None:
    """Give the folder of weights; None where none is named, or it is not there."""
    named = os.environ.get(FOLDER, "")
    return Path(named) if named and (Path(named) / "config.json").is_file() else None


def _load_chronos(folder: Path | None) -> Any:  # one of three classes without types
    from chronos import BaseChronosPipeline

    if folder is None:
        raise ConfigError(say_folder())
    try:
        return BaseChronosPipeline.from_pretrained(folder, device_map="cpu", dtype="float32", local_files_only=True)
    except (OSError, ValueError, AssertionError, AttributeError, KeyError, RuntimeError) as error:
        raise ConfigError(f"{folder} holds no model that chronos-forecasting can read: {_first_line(error)}") from error


def say_folder() -> str:
    """Say what is asked of the folder."""
    return f"needs weights: name a folder that holds a model of Chronos and its config.json in {FOLDER}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".") + "."


def _forecast(ask: Ask, panel: Panel, plan: ModelPlan, origin: int, on_step: OnStep) -> Forecast:
    """Ask of series of one length at a time; the quantiles are put in order, and the mean is that of the levels."""
    series = [_seen(each) for each in histories(panel, plan, origin)]
    told = np.stack([np.full((plan.horizon, len(QUANTILE_LEVELS)), _mean(past)) for past in series])
    enough = [place for place, past in enumerate(series) if np.isfinite(past).sum() >= FEWEST]
    for start in range(0, len(enough), BATCH):
        batch = enough[start : start + BATCH]
        longest = max(len(series[place]) for place in batch)
        pasts = np.full((len(batch), longest), np.nan)
        for row, place in enumerate(batch):
            pasts[row, longest - len(series[place]) :] = series[place]
        told[batch] = ask(pasts)
        on_step((start + len(batch)) / len(enough))
    ahead = open_ahead(panel, plan, origin)[:, :, None]
    quantiles = np.maximum(np.sort(told, axis=2), 0.0) * ahead
    mean = quantiles.mean(axis=2)
    if plan.likelihood != "log_normal":
        quantiles = np.rint(quantiles)  # a quantile of counts is a count
    return Forecast(mean, quantiles[:, :, MEDIAN], quantiles, -np.expm1(-mean.sum(axis=1)))


def _seen(history: History) -> Float[np.ndarray, " bucket"]:
    """Keep the last buckets, from the first that was open."""
    demand = history.demand[-LONGEST:]
    seen = np.flatnonzero(np.isfinite(demand))
    return demand[seen[0] :] if len(seen) else demand[:0]


def _mean(past: Float[np.ndarray, " bucket"]) -> float:
    return float(np.nanmean(past)) if len(past) else 0.0
