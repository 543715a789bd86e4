"""The regression of `client.forecast.method.logistic` once per merchant; what it reaches alone."""

from __future__ import annotations

import numpy as np

from client.forecast.method.logistic import SNAPSHOTS, forecast_logistic
from common.data.panel import Panel
from common.forecast.metric import Forecast
from common.plan.schema import ModelPlan


def forecast_logistic_local(panel: Panel, plan: ModelPlan, origin: int, *, num_snapshots: int = SNAPSHOTS) -> Forecast:
    """Forecast from one regression per merchant, each over that merchant's own entities."""
    rows_of = [np.flatnonzero(panel.merchants == merchant) for merchant in np.unique(panel.merchants)]
    own = [forecast_logistic(panel.select(rows), plan, origin, num_snapshots=num_snapshots) for rows in rows_of]
    return Forecast.concatenate(own).select(np.argsort(np.concatenate(rows_of)))
