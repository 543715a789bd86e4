"""Forecast categories and the whole shop by the paths of their products, so that all levels tell one story.

The mean of a category is the sum of its products' means, to rounding. Its interval comes from sums of paths: products
that are low together make it wider than products by themselves would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from client.shop.forecast.fit import Fitted
from client.shop.forecast.life import State
from client.shop.forecast.path import Course, generator_of
from client.shop.forecast.question import Of
from client.shop.forecast.serving import forecast_parts
from client.shop.forecast.setting import OnStep, Setting
from common.forecast.metric import QUANTILE_LEVELS
from common.forecast.table import QUANTILES

NUM_DRAWS = 400
WITHOUT_CATEGORY = "no category"


@dataclass(frozen=True)
class _Sums:
    """What is gathered of each group and period, batch by batch."""

    mean: Float[np.ndarray, "group period"]
    without: Float[np.ndarray, "group period"]
    draws: Float[np.ndarray, "draw group period"]
    products: Int[np.ndarray, " group"]


def forecast_groups(
    setting: Setting, fitted: Fitted, wanted: Int[np.ndarray, " product"], of: Of, name: str, on_step: OnStep
) -> tuple[pa.Table, dict[State, int]]:
    """Forecast the categories of some products, or all of them as one shop of that name: a row per group and period."""
    names = (name,) if of == "shop" else (*setting.categories.names, WITHOUT_CATEGORY)
    days = (setting.periods[-1].last - setting.periods[0].first).days + 1
    course, states = Course(setting, fitted, days, NUM_DRAWS), dict[State, int]()
    shape = (len(names), len(setting.periods))
    sums = _Sums(np.zeros(shape), np.zeros(shape), np.zeros((NUM_DRAWS, *shape)), np.zeros(len(names), np.int64))
    for number, part in enumerate(forecast_parts(setting, fitted, wanted)):
        group = _groups(setting, part.batch.panel.entities, of)
        draws = course.draw(part.batch, part.served, generator_of(number)).draws
        _gather(sums, setting, part.served[-1], part.without, draws, group)
        for state in part.batch.states():
            states[state] = states.get(state, 0) + 1
        on_step("forecasting", part.share)
    return _lay_out(setting, sums, names, of), states


def _groups(setting: Setting, products: np.ndarray, of: Of) -> Int[np.ndarray, " product"]:
    if of == "shop":
        return np.zeros(len(products), np.int64)
    found = setting.categories.groups(products)
    return np.where(found < 0, len(setting.categories.names), found)


def _gather(
    sums: _Sums,
    setting: Setting,
    mean: Float[np.ndarray, "product day"],
    without: Float[np.ndarray, "product day"],
    draws: Float[np.ndarray, "draw product ahead"],
    group: Int[np.ndarray, " product"],
) -> None:
    begin = setting.periods[0].first
    offset = (begin - setting.known.origin).days
    member = np.zeros((len(group), len(sums.mean)))
    member[np.arange(len(group)), group] = 1.0
    sums.products[:] += member.sum(axis=0).astype(np.int64)
    for place, period in enumerate(setting.periods):
        first = (period.first - begin).days
        ahead = slice(offset + first, offset + first + period.days)
        sums.mean[:, place] += mean[:, ahead].sum(axis=1) @ member
        sums.without[:, place] += without[:, ahead].sum(axis=1) @ member
        sums.draws[:, :, place] += draws[:, :, first : first + period.days].sum(axis=2, dtype=np.float64) @ member


def _lay_out(setting: Setting, sums: _Sums, names: Sequence[str], of: Of) -> pa.Table:
    there, periods = np.flatnonzero(sums.products > 0), setting.periods
    quantiles = np.quantile(sums.draws[:, there], QUANTILE_LEVELS, axis=0)
    if setting.sales.are_counts:
        quantiles = np.rint(quantiles)
    closed, start = setting.days.closed, setting.days.start
    spans = [slice((period.first - start).days, (period.last - start).days + 1) for period in periods]

    def repeat(values: Sequence[object]) -> list[object]:
        return list(values) * len(there)

    return pa.table(
        {
            of: pa.array([names[int(group)] for group in there for _ in periods], pa.string()),
            "products": pa.array(np.repeat(sums.products[there], len(periods))),
            "period": pa.array(repeat([period.name for period in periods]), pa.string()),
            "first": pa.array(repeat([period.first for period in periods]), pa.date32()),
            "last": pa.array(repeat([period.last for period in periods]), pa.date32()),
            "open_days": pa.array(repeat([int((~closed[span]).sum()) for span in spans]), pa.int64()),
            "partial": pa.array(repeat([period.is_partial for period in periods]), pa.bool_()),
            "mean": sums.mean[there].ravel(),
            **{name: quantiles[place].ravel() for place, name in enumerate(QUANTILES)},
            "probability": (sums.draws[:, there] > 0).mean(axis=0).ravel(),
            "without": sums.without[there].ravel(),
        }
    )
