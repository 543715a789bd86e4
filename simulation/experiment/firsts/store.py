"""What a study of firsts keeps in its folder, so that an interrupted one goes on.

parts/NAME.safetensors     forecasts, one tensor for each part of each method's
models/NAME.safetensors    a federation's model
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from common.disk.file import write_whole
from common.errors import DataError
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU, load_model, save_model

FIELDS = ("mean", "median", "quantiles", "probability")
BETWEEN = "/"  # a method's name and one of `FIELDS`


@dataclass(frozen=True)
class Store:
    """The parts of a study, each written whole."""

    path: Path

    def read(self, name: str) -> dict[str, Forecast] | None:
        """Read the forecasts of a part by method; None where it is not done.

        Raises
        ------
        DataError
            The file is damaged.
        """
        file = self._part(name)
        if not file.is_file():
            return None
        try:
            tensors = load(file.read_bytes())
            methods = dict.fromkeys(key.partition(BETWEEN)[0] for key in tensors)
            return {method: _forecast_of(method, tensors) for method in methods}
        except (OSError, SafetensorError, KeyError) as error:
            raise DataError(f"{file} is damaged; delete it, and run the same command with --resume.") from error

    def write(self, name: str, forecasts: dict[str, Forecast]) -> None:
        """Keep the forecasts of a part."""
        tensors = {
            f"{method}{BETWEEN}{field}": np.ascontiguousarray(values)
            for method, forecast in forecasts.items()
            for field in FIELDS
            if (values := getattr(forecast, field)) is not None
        }
        write_whole(self._part(name), save(tensors))

    def read_model(self, name: str, like: DemandGRU) -> DemandGRU | None:
        """Read a model into one of the plan's shape; None where it is not trained."""
        file = self._model(name)
        if not file.is_file():
            return None
        load_model(like, file)
        return like

    def write_model(self, name: str, model: DemandGRU) -> None:
        """Keep a model."""
        save_model(model.cpu(), self._model(name))

    def _part(self, name: str) -> Path:
        return self.path / "parts" / f"{name}.safetensors"

    def _model(self, name: str) -> Path:
        return self.path / "models" / f"{name}.safetensors"


def _forecast_of(method: str, tensors: dict[str, np.ndarray]) -> Forecast:
    mean, median = (tensors[f"{method}{BETWEEN}{field}"] for field in ("mean", "median"))
    quantiles, probability = (tensors.get(f"{method}{BETWEEN}{field}") for field in ("quantiles", "probability"))
    return Forecast(mean, median, quantiles, probability)
