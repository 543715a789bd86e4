"""The models of `hansa-client serve` as runtimes of MLServer, which imports this file in an environment of its own.

What a model does is the same code and the same data; all that differs is who serves it. Beside MLServer's own packages
it finds those of this environment, behind them on the path.
"""

from __future__ import annotations

import os
import sys
from datetime import date

sys.path.extend(os.environ["HANSA_PATH"].split(os.pathsep))

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

DAY = date(2026, 9, 30)


class Shop(MLModel):  # type: ignore[misc]  # MLServer is not in this environment
    """Forecasts that were made before, by the product's name."""

    async def load(self) -> bool:
        """Read them."""
        with np.load(os.environ["HANSA_FORECASTS"]) as file:
            self._place = {str(name): row for row, name in enumerate(file["products"])}
            self._mean, self._quantiles = file["mean"], file["quantiles"]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Look the products up."""
        names = payload.inputs[0].data.root
        rows = [self._place[name if isinstance(name, str) else name.decode()] for name in names]
        return answer(self.name, self._mean[rows], self._quantiles[rows])


class Demand(MLModel):  # type: ignore[misc]
    """The public network."""

    async def load(self) -> bool:
        """Read its weights."""
        import torch

        from client.serving.inference.demand.network import read_public

        torch.set_num_threads(1)
        self._network = read_public()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Forecast the series, as many as there are."""
        given = payload.inputs[0]
        units = np.array(given.data.root, dtype=np.float64).reshape(given.shape)
        made = self._network.forecast(units, DAY)
        assert made.quantiles is not None  # noqa: S101  for mypy
        return answer(self.name, made.mean, made.quantiles)


def answer(name: str, mean: np.ndarray, quantiles: np.ndarray) -> InferenceResponse:
    """Write both outputs."""
    outputs = [
        ResponseOutput(name=key, datatype="FP64", shape=list(values.shape), data=values.ravel().tolist())
        for key, values in (("mean", mean), ("quantiles", quantiles))
    ]
    return InferenceResponse(model_name=name, outputs=outputs)
