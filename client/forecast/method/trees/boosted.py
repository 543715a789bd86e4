"""Boosted trees for whatever a plan's task is."""

from __future__ import annotations

from collections.abc import Callable

from client.forecast.method.trees.demand import forecast_boosted_demand
from client.forecast.method.trees.example import OWN_ROWS
from client.forecast.method.trees.purchase import forecast_boosted_purchases
from common.data.panel import Panel
from common.forecast.metric import Forecast
from common.plan.schema import Plan


def forecast_boosted(
    panel: Panel,
    plan: Plan,
    day: int,
    *,
    seed: int,
    num_rows: int = OWN_ROWS,
    num_threads: int = 1,
    on_step: Callable[[float], None] = lambda share: None,
) -> Forecast:
    """Fit on the past of one panel and forecast the horizon that starts on `day`."""
    if plan.evaluation.task == "purchase":
        return forecast_boosted_purchases(panel, plan.model, day, seed=seed, num_threads=num_threads)
    return forecast_boosted_demand(
        panel, plan.model, day, seed=seed, num_rows=num_rows, num_threads=num_threads, on_step=on_step
    )
