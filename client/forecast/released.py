"""Forecasts are made at the merchant, from the global model and the merchant's own series."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float

from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast
from common.model.features import Series, cut_forecast
from common.model.likelihood import Description
from common.model.network import Network

CHUNK_ENTITIES = 512


def forecast_demand(model: Network, series: Series, *, device: torch.device) -> Forecast:
    """Forecast every entity's horizon from the origin of `series`.

    The probability of any demand in the horizon takes buckets as independent given the forecast.
    """
    means, quantiles, probabilities = [], [], []
    for described, possible in _describe(model, series, QUANTILE_LEVELS, device):
        means.append(described.mean[:, 0] * possible)
        quantiles.append(described.quantiles[:, 0] * possible[:, :, None])
        probabilities.append(1 - np.prod(1 - described.probability[:, 0] * possible, axis=1))
    every_quantile = np.concatenate(quantiles)
    return Forecast(
        mean=np.concatenate(means),
        median=every_quantile[:, :, MEDIAN],
        quantiles=every_quantile,
        probability=np.concatenate(probabilities),
    )


def forecast_mean(model: Network, series: Series, *, device: torch.device) -> Float[np.ndarray, "entity day"]:
    """Forecast the mean alone, as `forecast_demand` does: quantiles of counts take most of its time."""
    return np.concatenate(
        [described.mean[:, 0] * possible for described, possible in _describe(model, series, (), device)]
    )


@torch.no_grad()
def _describe(
    model: Network, series: Series, levels: tuple[float, ...], device: torch.device
) -> Iterator[tuple[Description, Bool[np.ndarray, "entity day"]]]:
    """Describe the horizon of some entities at a time, and tell on which days demand is possible."""
    model.to(device).eval()
    for rows in torch.arange(series.num_entities).split(CHUNK_ENTITIES):
        examples = cut_forecast(series.select(rows)).to(device)
        described = model.likelihood.describe(model(examples), examples.anchor, examples.spread, levels)
        yield described, examples.open.cpu().numpy()[:, 0]
