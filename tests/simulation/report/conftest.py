"""Records of one method at one origin, by hand."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from common.forecast.metric import Forecast
from simulation.evaluation.results import Record


@pytest.fixture
def make_record() -> Callable[..., Record]:
    """Make a record of what happened, entity by bucket; forecasts are zero where they are not given."""

    def make(
        actual: Any, *, counted: Any = None, quantiles: Any = None, probability: Any = None, seed: int = 0
    ) -> Record:
        actual = np.asarray(actual, float)
        nothing = np.zeros_like(actual)
        names = np.array([f"e{number}" for number in range(len(actual))], dtype=object)
        return Record(
            origin=date(2024, 3, 1),
            seed=seed,
            merchants=np.full(len(actual), "shop", dtype=object),
            entities=names,
            day=np.datetime64("2024-03-01") + np.arange(actual.shape[1]),
            forecast=Forecast(
                nothing, nothing, quantiles, None if probability is None else np.asarray(probability, float)
            ),
            actual=actual,
            counted=np.ones(actual.shape, bool) if counted is None else np.asarray(counted),
        )

    return make
