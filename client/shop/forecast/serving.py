"""Forecast every product by what was found for the shop, batch by batch: a row per product and period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from client.shop.forecast.candidate import (
    Batch,
    Means,
    forecast_means,
)
from client.shop.forecast.fit import Fitted, correct, sum_up
from client.shop.forecast.life import State
from client.shop.forecast.period import Period
from client.shop.forecast.sales import Sales
from client.shop.forecast.setting import OnStep, Setting
from client.shop.forecast.weight import mix
from common.data.panel import Panel
from common.errors import ConfigError
from common.forecast.metric import QUANTILE_LEVELS
from common.forecast.table import QUANTILES

TOGETHER = 1000  # products of a batch


def places_of(sales: Sales, products: Sequence[str]) -> Int[np.ndarray, " product"]:
    """Find the products that are asked for; all where none is named."""
    if not products:
        return np.arange(len(sales.products))
    places = {name: place for place, name in enumerate(sales.products)}
    unknown = [name for name in products if name not in places]
    if unknown:
        raise ConfigError(f"No product {unknown[0]!r} was ever sold in this shop; see: hansa-client history.")
    return np.array(sorted({places[name] for name in products}))


def forecast_all(
    setting: Setting, fitted: Fitted, wanted: Int[np.ndarray, " product"], on_step: OnStep
) -> tuple[pa.Table, dict[State, int]]:
    """Forecast in batches; who was learned from has been forecast already."""
    parts, states = list[pa.Table](), dict[State, int]()
    for part in forecast_parts(setting, fitted, wanted):
        own = part.batch.states()
        columns = [_describe(period, setting, fitted, part) for period in setting.periods]
        parts.append(_lay_out(setting, part.batch.panel, columns, own))
        for state in own:
            states[state] = states.get(state, 0) + 1
        on_step("forecasting", part.share)
    return pa.concat_tables(parts), states


@dataclass(frozen=True)
class Part:
    """A batch of products and what is served of each.

    Attributes
    ----------
    served
        At past origins, and now with the overrides of persons.
    without
        Of the days ahead, as it would be without them.
    share
        Of all products, that are done then.
    """

    batch: Batch
    served: Means
    without: Float[np.ndarray, "product day"]
    share: float


def forecast_parts(setting: Setting, fitted: Fitted, wanted: Int[np.ndarray, " product"]) -> Iterator[Part]:
    """Give batches of products with what is served of each, overrides in it."""
    told = _share_totals_out(setting, fitted) if setting.change.needs_all else {}
    is_open = ~setting.days.closed[setting.days.origin :]
    for batch, served, share in _batches(setting, fitted, wanted):
        names, without = [str(name) for name in batch.panel.entities], served[-1]
        if setting.change.touches(names).any():
            if told:
                changed = np.stack([told.get(name, own) for name, own in zip(names, without, strict=True)])
            else:
                changed = setting.change.apply(without, names, is_open)
            served = np.concatenate([served[:-1], changed[None]])
        yield Part(batch, served, without, share)


def _share_totals_out(setting: Setting, fitted: Fitted) -> dict[str, Float[np.ndarray, " day"]]:
    """Forecast all products that share a total someone expects, and give what each has then."""
    names = np.array(setting.sales.products, dtype=object)
    places = np.flatnonzero(setting.change.touches(list(names)))
    means = [served[-1] for _, served, _ in _batches(setting, fitted, places)]
    chosen = [str(name) for name in names[places]]
    is_open = ~setting.days.closed[setting.days.origin :]
    changed = setting.change.apply(np.concatenate(means), chosen, is_open) if means else np.zeros((0, 0))
    return dict(zip(chosen, changed, strict=True))


def _batches(
    setting: Setting, fitted: Fitted, wanted: Int[np.ndarray, " product"]
) -> Iterator[tuple[Batch, Means, float]]:
    """Give batches of products, what is served of each, and the share that is done then."""
    if np.isin(wanted, fitted.places).all():
        own = np.searchsorted(fitted.places, wanted)
        yield replace(fitted.batch, panel=fitted.batch.panel.select(own)), fitted.served[:, own], 1.0
        return
    used = tuple(name for name in fitted.names if fitted.weighed.weights[name] > 0)
    for first in range(0, len(wanted), TOGETHER):
        batch = setting.batch(wanted[first : first + TOGETHER])
        served = mix(forecast_means(batch, fitted.learned, used), fitted.weighed.weights)
        served = correct(served, batch, fitted.levels.level, fitted.births)
        yield batch, served, min(first + TOGETHER, len(wanted)) / len(wanted)


@dataclass(frozen=True)
class _Column:
    """What is said of one period."""

    mean: Float[np.ndarray, " product"]
    without: Float[np.ndarray, " product"]
    quantiles: Float[np.ndarray, "product level"]
    probability: Float[np.ndarray, " product"]
    open_days: int


def _describe(period: Period, setting: Setting, fitted: Fitted, part: Part) -> _Column:
    batch, served = part.batch, part.served
    first, spread = (period.first - setting.known.origin).days, fitted.spreads[period.days]
    mean = served[-1, :, first : first + period.days].sum(axis=1)
    factor = np.ones(len(mean))
    if len(batch.origins) > 1:
        factor = spread.own_factor(sum_up(served, batch, period.days))
    factor = factor * fitted.levels.widths_of(batch.states())
    closed = setting.days.closed[setting.days.origin + first :][: period.days]
    probability = spread.probability(mean, factor)
    without = part.without[:, first : first + period.days].sum(axis=1)
    return _Column(mean, without, spread.quantiles(mean, factor, QUANTILE_LEVELS), probability, int((~closed).sum()))


def _lay_out(setting: Setting, panel: Panel, columns: Sequence[_Column], states: Sequence[State]) -> pa.Table:
    """Lay a batch out in rows: product by product, period by period."""
    number, periods = len(panel.entities), setting.periods

    def repeat(values: Sequence[object]) -> list[object]:
        return list(values) * number

    means, without = (np.stack([getattr(column, name) for column in columns], axis=1) for name in ("mean", "without"))
    quantiles = np.stack([column.quantiles for column in columns], axis=1)
    probability = np.stack([column.probability for column in columns], axis=1)
    return pa.table(
        {
            "product": np.repeat(panel.entities.astype(str), len(periods)),
            "period": pa.array(repeat([period.name for period in periods]), pa.string()),
            "first": pa.array(repeat([period.first for period in periods]), pa.date32()),
            "last": pa.array(repeat([period.last for period in periods]), pa.date32()),
            "open_days": pa.array(repeat([column.open_days for column in columns]), pa.int64()),
            "partial": pa.array(repeat([period.is_partial for period in periods]), pa.bool_()),
            "mean": means.ravel(),
            **{name: quantiles[:, :, place].ravel() for place, name in enumerate(QUANTILES)},
            "probability": probability.ravel(),
            "state": pa.array(np.repeat(np.array(states), len(periods)), pa.string()),
            "without": without.ravel(),
        }
    )


def with_names(table: pa.Table, products: pa.Table) -> pa.Table:
    """Put what each product is called beside it."""
    place = pc.index_in(table["product"], value_set=products["product"].combine_chunks())
    return table.add_column(1, "name", pc.fill_null(pc.take(products["name"], place), ""))
