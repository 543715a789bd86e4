"""Explain a shop's own forecast: fit it as `hansa-client forecast` does, and take what it says apart.

    usual day × days + what each method moves, by its share + put right as new + a person's override = the forecast

Every method begins from the same usual day (`start`), so shares of methods are shares of what moves it from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from jaxtyping import Bool

from client.explanation.asked import Asked
from client.explanation.group import GROUPS, START, Group
from client.explanation.network import has_captum, split_network
from client.explanation.part import Daily, Parts, no_parts, place
from client.explanation.plain import split_plain
from client.explanation.similar import Similar, find_similar
from client.explanation.start import Start, find_start
from client.explanation.tree import split_trees
from client.shop.calendar.kept import Kept
from client.shop.forecast.candidate import Batch, Learned, forecast_means, step_back
from client.shop.forecast.fit import Fitted, correct
from client.shop.forecast.learnt import Learnt, learn_shop
from client.shop.forecast.life import State
from client.shop.forecast.period import Period
from client.shop.forecast.released import FEDERATED
from client.shop.forecast.serving import forecast_all, places_of
from client.shop.forecast.setting import OnStep, Setting
from client.shop.forecast.weight import fill_silence, mix
from client.shop.settings import Shop
from common.model.features import Series, build_series

NETWORKS = ("warm", FEDERATED)


@dataclass(frozen=True)
class Ready:
    """A shop, learned: any of its products can be explained by it, and any period within the days ahead."""

    learnt: Learnt
    period: Period
    warnings: tuple[str, ...]
    names: Mapping[str, str]

    @property
    def setting(self) -> Setting:
        """What is the same for all products."""
        return self.learnt.setting

    @property
    def fitted(self) -> Fitted:
        """What was found once."""
        return self.learnt.fitted


@dataclass(frozen=True)
class Explanation:
    """Why so much of one product is forecast for some days.

    Attributes
    ----------
    mean, low, high
        As `hansa-client forecast` says it.
    parts
        Pieces by group; they add up to `mean`.
    methods
        Method → its share, what it says, and its own parts.
    error
        What the parts of networks miss of what these say, in pieces; it is in the rest.
    before
        Sold in each of the four weeks before the forecast.
    federation
        Whose released model may be among the methods; "" where there is none.
    """

    product: str
    name: str
    state: State
    origin: date
    period: Period
    open_days: int
    mean: float
    low: float
    high: float
    parts: dict[Group, float]
    methods: dict[str, Method]
    error: float
    before: tuple[float, ...]
    similar: tuple[Similar, ...]
    federation: str = ""

    @property
    def start(self) -> float:
        """Pieces that are usual for these days."""
        return sum(self.parts[group] for group in START)


@dataclass(frozen=True)
class Method:
    """One method of an average."""

    share: float
    mean: float
    parts: dict[Group, float]


def get_ready(
    history: Kept, shop: Shop, asked: Asked, *, today: date, on_step: OnStep = lambda what, share: None
) -> Ready:
    """Fit the forecast that is to be explained.

    Raises
    ------
    ConfigError
        The question cannot be answered as it is put.
    DataError
        There is nothing to forecast from.
    """
    return make_ready(learn_shop(history, shop, asked.question, today=today, on_step=on_step), asked.period)


def make_ready(learnt: Learnt, period: Period) -> Ready:
    """Explain by what was learned already."""
    called = dict(zip(learnt.products["product"].to_pylist(), learnt.products["name"].to_pylist(), strict=True))
    warnings = list(learnt.warnings)
    if any(learnt.fitted.weighed.weights.get(name, 0.0) > 0 for name in NETWORKS) and not has_captum():
        warnings.append("What a network says is one part, since captum is not installed: pip install 'hansa[forecast]'")
    return Ready(learnt, period, tuple(warnings), called)


def explain(ready: Ready, products: Sequence[str], period: Period | None = None) -> tuple[Explanation, ...]:
    """Explain the forecasts of some products.

    Parameters
    ----------
    period
        Any within the days ahead; the one that was asked for if left out.

    Raises
    ------
    ConfigError
        A product was never sold, or the period lies beyond.
    """
    period = period or ready.period
    learnt = ready.learnt.over((period,))
    setting, fitted = learnt.setting, learnt.fitted
    wanted = places_of(setting.sales, products)
    table, _ = forecast_all(setting, fitted, wanted, lambda what, share: None)
    rows = table.to_pylist()
    first = (period.first - setting.known.origin).days
    days = slice(first, first + period.days)
    batch = _now(setting.batch(wanted))
    whole = take_apart(batch, fitted, setting, days)
    found = {
        row["product"]: _describe(ready, period, row, number, batch, whole, days) for number, row in enumerate(rows)
    }
    return tuple(found[product] for product in products or found)


def _now(batch: Batch) -> Batch:
    """Leave past origins out."""
    return replace(batch, origins=batch.origins[-1:])


@dataclass(frozen=True)
class Apart:
    """All products of a batch, taken apart: by method, and as served."""

    means: dict[str, np.ndarray]
    methods: dict[str, Parts]
    served: Parts
    error: np.ndarray


def take_apart(batch: Batch, fitted: Fitted, setting: Setting, days: slice) -> Apart:
    """Take every method of a batch apart, and the average of them."""
    weights = {name: weight for name, weight in fitted.weighed.weights.items() if weight > 0}
    trees = fitted.learned.trees
    learned = Learned(None if trees is None else trees[-1:], fitted.learned.warm)
    series = batch.read()
    start = find_start(batch, series, setting.days.closed)
    spoken = forecast_means(batch, learned, tuple(weights))
    says = np.isfinite(spoken[FEDERATED][-1]) if FEDERATED in spoken else np.zeros((0, 0), bool)
    means = {name: mean[-1] for name, mean in fill_silence(spoken, weights).items()}
    begun, error = start.parts(days), np.zeros(len(start.usual))
    methods = dict[str, Parts]()
    for name, mean in means.items():
        if name == FEDERATED:
            moved, missed = _move_joined(mean, says, batch, start, days)
        else:
            moved, missed = _move(name, mean, batch, learned, series, start, days)
        parts = begun + moved
        parts[place("rest")] += mean[:, days].sum(axis=1) - parts.sum(axis=0)  # rounding
        methods[name], error = parts, error + weights[name] * missed
    served = sum((weights[name] * parts for name, parts in methods.items()), no_parts(len(start.usual)))
    daily = mix({name: mean[None] for name, mean in means.items()}, weights)
    right = correct(daily, batch, fitted.levels.level, fitted.births)
    served[place("new")] += (right - daily)[0][:, days].sum(axis=1)
    sums = {name: mean[:, days].sum(axis=1) for name, mean in means.items()}
    return Apart(sums, methods, served, error)


def _move(
    name: str, mean: Daily, batch: Batch, learned: Learned, series: Series, start: Start, days: slice
) -> tuple[Parts, np.ndarray]:
    """Give what a method says beyond the anchor, and what its parts miss of that."""
    nothing, origin = np.zeros(len(mean)), batch.origins[-1]
    if name == "anchor":
        return no_parts(len(mean)), nothing
    if name == "lightgbm" and learned.trees is not None:
        return split_trees(learned.trees[-1], batch.panel, series, origin, days), nothing
    if name == "warm" and learned.warm is not None:
        if not has_captum():
            return _as_one(mean, start, days), nothing
        split = split_network(learned.warm, step_back(series, origin), days)
        return split.parts * (batch.panel.first_day < origin), np.abs(split.error)
    return split_plain(mean, start, days), nothing


def _move_joined(
    mean: Daily, says: Bool[np.ndarray, "product day"], batch: Batch, start: Start, days: slice
) -> tuple[Parts, np.ndarray]:
    """Take a released model apart by its own columns; where it says nothing of some day, all is one part.

    It begins from its plan's anchor, so how far that lies from the shop's usual days is part of how products alike go
    on.
    """
    parts, missed = _as_one(mean, start, days), np.zeros(len(mean))
    released, origin = batch.released, batch.dates[-1]
    assert released is not None  # noqa: S101  for mypy: it has a share
    found, learner = released.view([str(name) for name in batch.panel.entities], origin), released.learner_at(origin)
    if found is None or learner is None or not has_captum() or days.stop > released.plan.model.horizon_days:
        return parts, missed
    places, view = found
    whole = says[places][:, days].all(axis=1)
    series = build_series(view.panel, view.plan.model, view.day)
    split = split_network(learner.network, series, days)
    apart, own = split.parts[:, whole], places[whole]
    apart[place("alike")] += parts[:, own].sum(axis=0) - apart.sum(axis=0)
    parts[:, own], missed[own] = apart, np.abs(split.error[whole])
    return parts, missed


def _as_one(mean: Daily, start: Start, days: slice) -> Parts:
    """Take all that a network says beyond the anchor as one part."""
    parts = no_parts(len(mean))
    parts[place("alike")] = (mean - start.anchor * start.is_open)[:, days].sum(axis=1)
    return parts


def _describe(
    ready: Ready, period: Period, row: Mapping[str, Any], number: int, batch: Batch, whole: Apart, days: slice
) -> Explanation:
    parts = whole.served[:, number].copy()
    parts[place("rest")] += row["without"] - parts.sum()  # rounding
    parts[place("override")] += row["mean"] - row["without"]
    one = replace(batch, panel=batch.panel.select(np.array([number])))
    before, similar = find_similar(one, days)
    weights = ready.fitted.weighed.weights
    return Explanation(
        product=row["product"],
        name=ready.names.get(row["product"]) or "",
        state=row["state"],
        origin=ready.setting.known.origin,
        period=period,
        open_days=row["open_days"],
        mean=row["mean"],
        low=row["q10"],
        high=row["q90"],
        parts=_by_group(parts),
        methods={
            name: Method(weights[name], float(whole.means[name][number]), _by_group(own[:, number]))
            for name, own in whole.methods.items()
        },
        error=float(whole.error[number]),
        before=before,
        similar=similar,
        federation="" if batch.released is None else batch.released.federation,
    )


def _by_group(parts: np.ndarray) -> dict[Group, float]:
    return {group: float(parts[number]) for number, group in enumerate(GROUPS)}
