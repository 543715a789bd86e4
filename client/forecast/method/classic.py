"""Classic forecasts of single series by `statsforecast`: exponential smoothing, and three methods for rare demand.

Each entity's open days before the origin are its series, alone. Exponential smoothing needs whole weeks, so a
closed day takes the value of the last open day of its weekday; methods for rare demand count only open days, so that a
closed day is no day without demand. Where a bucket has more days than one, the series is that of past buckets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from joblib import Parallel, delayed

from common.data.panel import Panel
from common.forecast.metric import MEDIAN, Forecast
from common.model.sold_out import fill_in
from common.plan.schema import ModelPlan

HISTORY = 182  # buckets that exponential smoothing looks back
SHORTEST = 8  # buckets; fewer are a tiny data set to AutoETS
SEASONS_TO_SEE_ONE = 3
FADING = 0.1  # of TSB, of both of what it smooths: in the middle of what its authors try (.05 to .3)
FEWEST_SALES = 2  # of an interval between sales there are two ends
NOT_WORTH_WORKERS = 64  # series; starting a worker takes seconds
CHUNK_ENTITIES = 16  # of one job
CENTRAL = (80, 60, 40, 20)  # intervals, in percent, whose ends are the quantiles around the median

OnStep = Callable[[float], None]


@dataclass(frozen=True)
class History:
    """One entity's past buckets.

    Attributes
    ----------
    demand
        From its first day on; NaN where the entity was closed.
    season
        Buckets in a week.
    horizon
        Buckets to forecast.
    """

    demand: Float[np.ndarray, " bucket"]
    season: int
    horizon: int


def forecast_auto_ets(panel: Panel, plan: ModelPlan, origin: int, *, on_step: OnStep = lambda share: None) -> Forecast:
    """Smooth exponentially, with error, trend and season chosen per entity by AICc (Hyndman et al. 2002)."""
    described = _do_all(_smooth, histories(panel, plan, origin), on_step)
    ahead = np.maximum(described, 0.0) * open_ahead(panel, plan, origin)[:, :, None]
    mean, quantiles = ahead[:, :, 0], ahead[:, :, 1:]
    return Forecast(mean, quantiles[:, :, MEDIAN], quantiles, _probability(mean))


def forecast_croston(panel: Panel, plan: ModelPlan, origin: int, *, on_step: OnStep = lambda share: None) -> Forecast:
    """Smooth the sizes of rare demand and the intervals between, each at its own best rate (Croston 1972)."""
    return _forecast_rates(_demand_rate, panel, plan, origin, on_step)


def forecast_tsb(panel: Panel, plan: ModelPlan, origin: int, *, on_step: OnStep = lambda share: None) -> Forecast:
    """Smooth the probability of demand and its size, so that what is not sold any more fades (Teunter et al. 2011).

    References
    ----------
    R. H. Teunter, A. A. Syntetos & M. Z. Babai, "Intermittent demand: linking forecasting to inventory obsolescence",
    EJOR 2011.
    """
    return _forecast_rates(_fading_rate, panel, plan, origin, on_step)


def forecast_imapa(panel: Panel, plan: ModelPlan, origin: int, *, on_step: OnStep = lambda share: None) -> Forecast:
    """Average the smoothed demand of days, of pairs of days, and so on (Petropoulos & Kourentzes 2015).

    References
    ----------
    F. Petropoulos & N. Kourentzes, "Forecast combinations for intermittent demand", JORS 2015.
    """
    return _forecast_rates(_aggregated_rate, panel, plan, origin, on_step)


def histories(panel: Panel, plan: ModelPlan, origin: int) -> list[History]:
    """Lay out every entity's whole buckets between its first day and the origin; days out of stock are filled in."""
    panel = fill_in(panel, plan, until=origin)
    days, season = plan.bucket_days, 7 if plan.bucket_days == 1 else 1
    past = slice(origin % days, origin)
    shape = (len(panel.entities), origin // days, days)
    is_open = panel.open[:, past].reshape(shape)
    total = (panel.target[:, past].reshape(shape) * is_open).sum(axis=2, dtype=np.float64)
    demand = np.where(is_open.any(axis=2), total, np.nan)
    age = np.maximum(origin - panel.first_day, 0) // days
    return [History(own[len(own) - whole :], season, plan.horizon) for own, whole in zip(demand, age, strict=True)]


def _smooth(history: History) -> Float[np.ndarray, "bucket 10"]:
    """Give mean and nine quantiles of each bucket ahead; of a tiny history its mean alone."""
    from statsforecast.models import AutoETS

    demand = _fill_closed(history)[-HISTORY:]
    if len(demand) < SHORTEST:
        return np.full((history.horizon, 10), demand.mean() if len(demand) else 0.0)
    season = history.season if len(demand) >= SEASONS_TO_SEE_ONE * history.season else 1
    with np.errstate(all="ignore"):  # a candidate that does not fit is tried, divides by zero and loses
        made = AutoETS(season_length=season).forecast(demand, h=history.horizon, level=sorted(CENTRAL))
    below, above = ([made[f"{side}-{percent}"] for percent in CENTRAL] for side in ("lo", "hi"))
    described: np.ndarray = np.stack([made["mean"], *below, made["mean"], *above[::-1]], axis=1)
    return described if np.isfinite(described).all() else np.full((history.horizon, 10), demand.mean())


def _fill_closed(history: History) -> Float[np.ndarray, " bucket"]:
    """Put the last open day of its weekday where a day was closed, or the mean where there is none before."""
    demand = history.demand
    is_open = ~np.isnan(demand)
    if not is_open.any():
        return np.zeros(0)
    whole_weeks = -(-len(demand) // history.season) * history.season
    weeks = np.pad(demand, (0, whole_weeks - len(demand)), constant_values=np.nan).reshape(-1, history.season)
    last = np.maximum.accumulate(np.where(np.isnan(weeks), -1, np.arange(len(weeks))[:, None]), axis=0)
    filled = np.where(last >= 0, np.take_along_axis(weeks, np.maximum(last, 0), axis=0), demand[is_open].mean())
    return filled.ravel()[: len(demand)]


def _forecast_rates(
    rate: Callable[[History], np.ndarray], panel: Panel, plan: ModelPlan, origin: int, on_step: OnStep
) -> Forecast:
    """Say the same point of every open bucket ahead."""
    rates = _do_all(rate, histories(panel, plan, origin), on_step)
    point = np.maximum(rates, 0.0) * open_ahead(panel, plan, origin)
    return Forecast(point, point, None, _probability(point))


def _demand_rate(history: History) -> Float[np.ndarray, " 1"]:
    from statsforecast.models import CrostonOptimized

    return _rate_of(CrostonOptimized(), history)


def _fading_rate(history: History) -> Float[np.ndarray, " 1"]:
    from statsforecast.models import TSB

    return _rate_of(TSB(alpha_d=FADING, alpha_p=FADING), history)


def _aggregated_rate(history: History) -> Float[np.ndarray, " 1"]:
    from statsforecast.models import IMAPA

    return _rate_of(IMAPA(), history)


def _rate_of(method: Any, history: History) -> Float[np.ndarray, " 1"]:
    """Demand per open bucket, by a model of `statsforecast`; 0 where there was none, the mean of a tiny history."""
    demand = history.demand[~np.isnan(history.demand)]
    if not demand.any():
        return np.zeros(1)
    if np.count_nonzero(demand) < FEWEST_SALES:
        return np.full(1, demand.mean())
    rate: np.ndarray = np.asarray(method.forecast(demand, h=1)["mean"])
    return rate if np.isfinite(rate).all() else np.full(1, demand.mean())


def _do_all(job: Callable[[History], np.ndarray], tasks: list[History], on_step: OnStep) -> np.ndarray:
    """Do every entity's job, on all cores where there are many, and tell the share that is done."""
    chunks = [tasks[start : start + CHUNK_ENTITIES] for start in range(0, len(tasks), CHUNK_ENTITIES)]
    workers = Parallel(os.cpu_count() if len(tasks) > NOT_WORTH_WORKERS else 1, return_as="generator")
    parts = []
    for part in workers(delayed(_do_chunk)(job, chunk) for chunk in chunks):
        parts.append(part)
        on_step(len(parts) / len(chunks))
    return np.concatenate(parts)


def _do_chunk(job: Callable[[History], np.ndarray], tasks: list[History]) -> np.ndarray:
    return np.stack([job(task) for task in tasks])


def open_ahead(panel: Panel, plan: ModelPlan, origin: int) -> Bool[np.ndarray, "entity bucket"]:
    """Tell which buckets of the horizon have an open day."""
    ahead = panel.open[:, origin : origin + plan.horizon_days]
    return np.asarray(ahead.reshape(-1, plan.horizon, plan.bucket_days).any(axis=2))


def _probability(mean: Float[np.ndarray, "entity bucket"]) -> Float[np.ndarray, " entity"]:
    """Read the mean as that of a Poisson count."""
    return -np.expm1(-mean.sum(axis=1))
