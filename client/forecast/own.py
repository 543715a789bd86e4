"""What a merchant can say without anybody: every method that one panel is enough for, by name.

| methods                                 | need                                          |
|-----------------------------------------|-----------------------------------------------|
| seasonal_naive, moving_average,         | nothing                                       |
| weekday_mean, anchor, warm,             |                                               |
| warm_personalised, gru_local            |                                               |
| logistic_local                          | scikit-learn                                  |
| lightgbm_local                          | lightgbm, of the extra `forecast`             |
| auto_ets, croston, tsb, imapa           | statsforecast, of the extra `forecast`        |
| chronos, fracast                        | their packages, of the extra `foundation`     |

`_local` is what a simulation calls a method that it runs once per merchant, on that merchant's entities alone; here
there are no others.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import torch

from client.forecast.method.alone import train_alone
from client.forecast.method.classic import forecast_auto_ets, forecast_croston, forecast_imapa, forecast_tsb
from client.forecast.method.foundation import chronos_folder, forecast_chronos, forecast_fracast, say_folder
from client.forecast.method.logistic import forecast_logistic
from client.forecast.method.naive import forecast_moving_average, forecast_seasonal_naive, forecast_weekday_mean
from client.forecast.method.trees.boosted import forecast_boosted
from client.forecast.personalise import personalise
from client.forecast.released import forecast_demand
from client.forecast.view import View
from common.errors import ConfigError
from common.forecast.method import FOUNDATION, OWN, PURCHASES_ONLY, Method
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU
from common.model.features import build_series
from common.model.warm.start import start_model
from common.plan.schema import Plan

POINTS = {
    "seasonal_naive": forecast_seasonal_naive,
    "moving_average": forecast_moving_average,
    "weekday_mean": forecast_weekday_mean,
}
CLASSICS = {
    "auto_ets": forecast_auto_ets,
    "croston": forecast_croston,
    "tsb": forecast_tsb,
    "imapa": forecast_imapa,
}
LIBRARIES = {
    **dict.fromkeys(CLASSICS, "statsforecast"),
    "lightgbm_local": "lightgbm",
    "lightgbm_pooled": "lightgbm",
    "chronos": "chronos",
    "fracast": "fracast",
}
PACKAGES = {"chronos": "chronos-forecasting"}  # where it is not called as its module is
NETWORKS = ("anchor", "warm")
CPU = torch.device("cpu")


def forecast_own(
    method: Method,
    view: View,
    *,
    seed: int = 0,
    device: torch.device = CPU,
    on_step: Callable[[float], None] = lambda share: None,
) -> Forecast:
    """Fit where the method fits, on the days before the view's, and forecast the horizon.

    Raises
    ------
    ConfigError
        No merchant can use the method alone.
    """
    plan, panel, day, kind = view.plan, view.panel, view.day, method.kind
    if kind in POINTS:
        return POINTS[kind](panel, plan.model, day)
    if kind in CLASSICS:
        return CLASSICS[kind](panel, plan.model, day, on_step=on_step)
    if kind in NETWORKS:
        network = start_network(method, view, seed=seed)
        if method.personalised:
            network = personalise(network, panel, plan.model, day)
        return forecast_demand(network, view.ahead, device=device)
    if kind == "logistic_local":
        return forecast_logistic(panel, plan.model, day)
    if kind == "lightgbm_local":
        return forecast_boosted(panel, plan, day, seed=seed, on_step=on_step)
    if kind == "chronos":
        return forecast_chronos(panel, plan.model, day, seed=seed, on_step=on_step)
    if kind == "fracast":
        return forecast_fracast(panel, plan.model, day, on_step=on_step)
    if kind == "gru_local":
        everyone = [np.arange(len(panel.entities))]
        return train_alone(panel, everyone, plan.model, plan.evaluation.alone, day, seed=seed, device=device)
    raise ConfigError(f"{method.name} is no method that a merchant can use alone; there are {', '.join(OWN)}.")


def start_network(method: Method, view: View, *, seed: int) -> DemandGRU:
    """Make the network of a method that does not train it: untrained, or the public one."""
    columns = build_series(view.panel.select(slice(0)), view.plan.model, view.day)
    return start_model(view.plan.model, columns, seed=seed, warm=method.kind == "warm")


def find_obstacle(method: Method, plan: Plan) -> str | None:
    """Say in half a sentence why a method cannot run here under a plan; None where it can."""
    if method.kind in PURCHASES_ONLY and plan.evaluation.task != "purchase":
        return 'forecasts purchases; set evaluation.task = "purchase"'
    library = missing_library(method)
    if library is not None:
        extra = "foundation" if method.kind in FOUNDATION else "forecast"
        return f"needs {library}, which is not installed: pip install 'hansa[{extra}]'"
    return say_folder() if method.kind == "chronos" and chronos_folder() is None else None


def missing_library(method: Method) -> str | None:
    """Name the library that a method needs and that is not installed; None where there is none."""
    library = LIBRARIES.get(method.kind)
    return PACKAGES.get(library, library) if library and importlib.util.find_spec(library) is None else None
