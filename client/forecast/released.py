"""Forecasts are made at the merchant, from the global model and the merchant's own series."""

from __future__ import annotations

import numpy as np
import torch

from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast
from common.model.features import Series, cut_forecast
from common.model.network import Network

CHUNK_ENTITIES = 512


@torch.no_grad()
def forecast_demand(model: Network, series: Series, *, device: torch.device) -> Forecast:
    """Forecast every entity's horizon from the origin of `series`.

    The probability of any demand in the horizon takes buckets as independent given the forecast.
    """
    model.to(device).eval()
    means, quantiles, probabilities = [], [], []
    for rows in torch.arange(series.num_entities).split(CHUNK_ENTITIES):
        examples = cut_forecast(series.select(rows)).to(device)
        described = model.likelihood.describe(model(examples), examples.anchor, examples.spread, QUANTILE_LEVELS)
        possible = examples.open.cpu().numpy()[:, 0]
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
