"""Point forecasts that need no training: what a model must beat.

Each looks at one entity's own open days before the origin and says 0 for a closed day, since closed days are
known ahead. A day out of stock counts as what was probably wanted (`common.model.sold_out`). An entity without a past
is forecast 0; a weekday without a past takes the moving average.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from common.data.panel import Panel
from common.forecast.metric import Forecast
from common.model.sold_out import fill_in
from common.plan.schema import ModelPlan

AVERAGE_DAYS = 28
AVERAGE_WEEKS = 4


def forecast_seasonal_naive(panel: Panel, plan: ModelPlan, origin: int) -> Forecast:
    """Repeat the last open day of the same weekday; where a bucket has more days, the sum of the last."""
    panel = fill_in(panel, plan, until=origin)
    if plan.bucket_days == 1:
        return _forecast_days(panel, plan, origin, _weekday_means(panel, origin, weeks=1))
    last = slice(max(origin - plan.bucket_days, 0), origin)
    total = (panel.target[:, last] * panel.open[:, last]).sum(axis=1, dtype=np.float64)
    return _point_forecast(total[:, None] * _open_ahead(panel, plan, origin).any(axis=2))


def forecast_moving_average(panel: Panel, plan: ModelPlan, origin: int) -> Forecast:
    """Repeat the mean of the open days among the last 28 days."""
    panel = fill_in(panel, plan, until=origin)
    return _forecast_days(panel, plan, origin, np.repeat(_moving_average(panel, origin)[:, None], 7, axis=1))


def forecast_weekday_mean(panel: Panel, plan: ModelPlan, origin: int) -> Forecast:
    """Repeat the mean of the last four open days of the same weekday."""
    panel = fill_in(panel, plan, until=origin)
    return _forecast_days(panel, plan, origin, _weekday_means(panel, origin, weeks=AVERAGE_WEEKS))


def _moving_average(panel: Panel, origin: int) -> Float[np.ndarray, " entity"]:
    last = slice(max(origin - AVERAGE_DAYS, 0), origin)
    is_open = panel.open[:, last]
    total = (panel.target[:, last] * is_open).sum(axis=1, dtype=np.float64)
    average: np.ndarray = total / np.maximum(is_open.sum(axis=1), 1)
    return average


def _weekday_means(panel: Panel, origin: int, *, weeks: int) -> Float[np.ndarray, "entity 7"]:
    """Mean of each weekday's last `weeks` open days; column `w` holds the days d with d % 7 = w."""
    means = np.repeat(_moving_average(panel, origin)[:, None], 7, axis=1)
    for weekday in range(min(7, origin)):
        days = np.arange(weekday, origin, 7)[::-1]
        is_open = panel.open[:, days]
        recent = is_open & (np.cumsum(is_open, axis=1) <= weeks)
        seen = recent.sum(axis=1)
        total = (panel.target[:, days] * recent).sum(axis=1, dtype=np.float64)
        means[:, weekday] = np.where(seen > 0, total / np.maximum(seen, 1), means[:, weekday])
    return means


def _forecast_days(panel: Panel, plan: ModelPlan, origin: int, by_weekday: Float[np.ndarray, "entity 7"]) -> Forecast:
    """Lay the weekdays out over the horizon and add the open days of each bucket."""
    is_open = _open_ahead(panel, plan, origin)
    days = by_weekday[:, (origin + np.arange(plan.horizon_days)) % 7].reshape(is_open.shape)
    return _point_forecast((days * is_open).sum(axis=2))


def _open_ahead(panel: Panel, plan: ModelPlan, origin: int) -> Bool[np.ndarray, "entity bucket day"]:
    ahead = panel.open[:, origin : origin + plan.horizon_days]
    return ahead.reshape(-1, plan.horizon, plan.bucket_days)


def _point_forecast(point: Float[np.ndarray, "entity bucket"]) -> Forecast:
    """Read a point as the mean of a Poisson count where a probability is asked for."""
    return Forecast(mean=point, median=point, quantiles=None, probability=-np.expm1(-point.sum(axis=1)))
