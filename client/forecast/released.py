"""Forecasts are made at the merchant, from the global model and the merchant's own series."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float

from common.forecast.metric import MEDIAN, QUANTILE_LEVELS, Forecast
from common.model.features import Examples
from common.model.likelihood import Description
from common.model.network import Network

CHUNK_ENTITIES = 512


@runtime_checkable
class Blocks(Protocol):
    """Entities at an origin: a `Series`, whose features are all there, or an `Ahead`, which works them out in turn."""

    @property
    def num_entities(self) -> int:
        """Count them."""
        ...

    def blocks(self, size: int) -> Iterator[Examples]:
        """Cut the windows that end at the origin, of so many entities at a time; at least one block."""
        ...


def forecast_demand(model: Network, seen: Blocks, *, device: torch.device) -> Forecast:
    """Forecast every entity's horizon from the origin.

    The probability of any demand in the horizon takes buckets as independent given the forecast. Beside the forecast,
    memory holds one block of entities.
    """
    whole: Forecast | None = None
    for rows, described, possible in _describe(model, seen, QUANTILE_LEVELS, device):
        whole = whole or _lay_out(seen.num_entities, possible.shape[1])
        assert whole.quantiles is not None and whole.probability is not None  # noqa: PT018, S101  for mypy
        whole.mean[rows] = described.mean[:, 0] * possible
        whole.quantiles[rows] = described.quantiles[:, 0] * possible[:, :, None]
        whole.probability[rows] = 1 - np.prod(1 - described.probability[:, 0] * possible, axis=1)
    assert whole is not None  # noqa: S101  for mypy: there is a block
    return whole


def _lay_out(num_entities: int, num_buckets: int) -> Forecast:
    """Make room for a forecast; its median is a part of its quantiles."""
    quantiles = np.empty((num_entities, num_buckets, len(QUANTILE_LEVELS)))
    mean = np.empty((num_entities, num_buckets))
    return Forecast(mean, quantiles[:, :, MEDIAN], quantiles, np.empty(num_entities))


def forecast_mean(model: Network, seen: Blocks, *, device: torch.device) -> Float[np.ndarray, "entity day"]:
    """Forecast the mean alone, as `forecast_demand` does: quantiles of counts take most of its time."""
    return np.concatenate(
        [described.mean[:, 0] * possible for _, described, possible in _describe(model, seen, (), device)]
    )


@torch.no_grad()
def _describe(
    model: Network, seen: Blocks, levels: tuple[float, ...], device: torch.device
) -> Iterator[tuple[slice, Description, Bool[np.ndarray, "entity day"]]]:
    """Describe the horizon of some entities at a time, and tell on which days demand is possible."""
    model.to(device).eval()
    first = 0
    for block in seen.blocks(CHUNK_ENTITIES):
        examples = block.to(device)
        described = model.likelihood.describe(model(examples), examples.anchor, examples.spread, levels)
        possible = examples.open.cpu().numpy()[:, 0]
        yield slice(first, first + len(possible)), described, possible
        first += len(possible)
