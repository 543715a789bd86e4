"""Series forecast per second: a trained model, AutoETS fitted to each series, and gradient boosted trees.

Ours and the trees are trained before the clock starts, and pay for their features; AutoETS is its own training. Ours
gives a distribution, the others a point.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from client.forecast.released import forecast_demand
from common.data.panel import Panel
from common.errors import ConfigError
from common.model.features import build_series
from simulation.bench.clock import compare, describe_timings, time_side_by_side
from simulation.bench.shop import HORIZON_DAYS, draw_panel, model_plan, new_model

SERIES, QUICK_SERIES, DAYS = 1000, 20, 400
LAGS = (7, 14, 21, 28)


def time_forecasts(*, quick: bool, patience_seconds: float, num_threads: int) -> dict[str, Any]:
    """Time a forecast of the same series by each.

    Raises
    ------
    ConfigError
        The extra `forecast` is not installed.
    """
    try:
        from lightgbm import LGBMRegressor
        from statsforecast import StatsForecast
        from statsforecast.models import AutoETS
    except ImportError as error:
        raise ConfigError("bench forecast needs statsforecast and lightgbm; pip install 'hansa[forecast]'.") from error
    panel = draw_panel(QUICK_SERIES if quick else SERIES, days=DAYS)
    model, plan = new_model(build_series(panel, model_plan(), DAYS)), model_plan()
    trees = LGBMRegressor(n_estimators=100, n_jobs=num_threads, verbose=-1)
    trees.fit(*_rows(panel, DAYS - HORIZON_DAYS))
    table = _long(panel)
    ets = StatsForecast(models=[AutoETS(season_length=7)], freq="D", n_jobs=num_threads)
    timings = time_side_by_side(
        {
            "hansa": lambda: forecast_demand(model, build_series(panel, plan, DAYS), device=torch.device("cpu")),
            "auto_ets": lambda: ets.forecast(df=table, h=HORIZON_DAYS),
            "lightgbm": lambda: trees.predict(_features(panel, DAYS)),
        },
        patience_seconds=patience_seconds,
    )
    series = len(panel.entities)
    return {
        "series": series,
        "days": DAYS,
        "horizon_days": HORIZON_DAYS,
        "timings": describe_timings(timings),
        "series_per_second": {name: series / timing.median_seconds for name, timing in timings.items()},
        "comparisons": [compare(timings, "auto_ets", "hansa"), compare(timings, "lightgbm", "hansa")],
    }


def _long(panel: Panel) -> pd.DataFrame:
    days = pd.date_range(panel.start, periods=DAYS)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(panel.entities, DAYS),
            "ds": np.tile(days, len(panel.entities)),
            "y": panel.target.ravel(),
        }
    )


def _rows(panel: Panel, origin: int) -> tuple[Float[np.ndarray, "row feature"], Float[np.ndarray, " row"]]:
    return _features(panel, origin), panel.target[:, origin : origin + HORIZON_DAYS].ravel()


def _features(panel: Panel, origin: int) -> Float[np.ndarray, "row feature"]:
    """Give every day of the horizon the same weekday of four weeks, their mean, the last month's, and the day ahead."""
    lead = np.arange(HORIZON_DAYS)
    lags = np.stack([panel.target[:, origin - lag + lead] for lag in LAGS], axis=2)
    recent = panel.target[:, origin - 28 : origin].mean(axis=1)
    shape = (len(panel.entities), HORIZON_DAYS, 1)
    ahead = np.broadcast_to(lead[None, :, None], shape)
    features = [lags, lags.mean(axis=2, keepdims=True), np.broadcast_to(recent[:, None, None], shape), ahead]
    return np.concatenate(features, axis=2).reshape(-1, len(LAGS) + 3)
