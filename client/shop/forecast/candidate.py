"""What each of a shop's own methods says of the mean of every day, at past origins and at the one that counts.

| candidate                       | what it is                                                                   |
|---------------------------------|------------------------------------------------------------------------------|
| seasonal_naive, moving_average, | simple: the last same weekday, four weeks, the last four same weekdays       |
| weekday_mean                    |                                                                              |
| anchor                          | weighted levels of the product's weekdays (`common.model.anchor`)            |
| lightgbm                        | own boosted trees, which correct the anchor; where lightgbm is installed     |
| warm                            | the public model, trained on invented demand alone; where demand is counted  |
| federated                       | a federation's released model, where one is here (`released`)                |
| croston, auto_ets               | classic methods of single series, when asked for; they need statsforecast    |

All that a past origin may not see is left out by construction: the features of a step are causal, and trees of an
origin learn from horizons that ended before it. So one pass over a batch of products gives all origins' features, and
a shop of any size is read in batches. A released model says nothing (NaN) where it had learned from what followed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import torch
from jaxtyping import Bool, Float

from client.forecast.method.classic import forecast_auto_ets, forecast_croston
from client.forecast.method.naive import forecast_moving_average, forecast_seasonal_naive, forecast_weekday_mean
from client.forecast.method.trees.demand import BoostedMean, enough_mean_trees, fit_boosted_mean
from client.forecast.method.trees.example import cut_horizon
from client.forecast.released import forecast_mean
from client.shop.forecast.life import State, tell_states
from client.shop.forecast.released import FEDERATED, Released
from common.data.panel import Panel
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU
from common.model.features import Series, build_series
from common.model.warm.start import start_model
from common.plan.schema import Plan

SIMPLE: dict[str, Callable[..., Forecast]] = {
    "seasonal_naive": forecast_seasonal_naive,
    "moving_average": forecast_moving_average,
    "weekday_mean": forecast_weekday_mean,
}
CLASSIC: dict[str, Callable[..., Forecast]] = {"croston": forecast_croston, "auto_ets": forecast_auto_ets}
LEARNED = ("lightgbm", "warm")
NAMES = (*SIMPLE, "anchor", *LEARNED, FEDERATED, *CLASSIC)
TREE_ROWS = 60_000  # that trees of one origin learn from
CPU = torch.device("cpu")

Means = Float[np.ndarray, "origin product day"]
Past = Float[np.ndarray, "past product day"]  # of the origins before the last


@dataclass(frozen=True)
class Batch:
    """Some products, and the days on which their forecasts begin: past ones first, the one that counts last.

    Attributes
    ----------
    first_sale
        Index of the day of the whole shop's first sale.
    released
        What a federation gave; None where there is nothing that can be used.
    """

    panel: Panel
    plan: Plan
    origins: tuple[int, ...]
    first_sale: int
    released: Released | None = None

    @property
    def horizon(self) -> int:
        """Days in each forecast."""
        return self.plan.model.horizon_days

    @property
    def dates(self) -> list[date]:
        """The days on which the forecasts begin."""
        return [self.panel.start + timedelta(days=day) for day in self.origins]

    def read(self) -> Series:
        """Work out the features of every step up to the last origin."""
        return build_series(self.panel, self.plan.model, self.origins[-1])

    def counted(self) -> Bool[np.ndarray, "origin product day"]:
        """Tell which days of each horizon are open and in stock, of products that had sold before it."""
        seen = self.panel.open & ~self.panel.censored
        days = [seen[:, day : day + self.horizon] for day in self.origins]
        born = [(self.panel.first_day < day)[:, None] for day in self.origins]
        return np.stack([own & there for own, there in zip(days, born, strict=True)])

    def states(self) -> list[State]:
        """Tell where each product stands in its life on the day that counts."""
        return tell_states(self.panel, self.origins[-1], self.first_sale)

    def past_states(self) -> list[list[State]]:
        """Tell the same at each past origin."""
        return [tell_states(self.panel, day, self.first_sale) for day in self.origins[:-1]]

    def actual(self) -> Past:
        """Give what was sold on the days of each past horizon."""
        days = [self.panel.target[:, day : day + self.horizon] for day in self.origins[:-1]]
        return np.array(days, dtype=np.float64).reshape(-1, len(self.panel.entities), self.horizon)


@dataclass(frozen=True)
class Learned:
    """What was fitted once for a shop, and serves every batch of its products.

    Attributes
    ----------
    trees
        For each origin the trees that know nothing of what follows it; None where there are none.
    warm
        The public model; None where there is none for such demand.
    """

    trees: tuple[BoostedMean, ...] | None
    warm: DemandGRU | None


def learn(batch: Batch, names: Sequence[str], *, seed: int, on_step: Callable[[float], None]) -> Learned:
    """Fit what learns on the products of one batch."""
    series = batch.read()
    trees = _fit_trees(batch, series, seed=seed, on_step=on_step) if "lightgbm" in names else None
    warm = start_model(batch.plan.model, series, seed=seed, warm=True) if "warm" in names else None
    return Learned(trees, warm)


def _fit_trees(batch: Batch, series: Series, *, seed: int, on_step: Callable[[float], None]) -> tuple[BoostedMean, ...]:
    """Fit the trees of each origin; how many are enough is seen before the first, so no origin is shown ahead."""
    first = batch.origins[0]
    enough = enough_mean_trees(batch.panel, series, first, seed=seed, num_rows=TREE_ROWS)
    fitted = []
    for number, day in enumerate(batch.origins, start=1):
        fitted.append(fit_boosted_mean(batch.panel, series, until=day, num_trees=enough, seed=seed, num_rows=TREE_ROWS))
        on_step(number / len(batch.origins))
    return tuple(fitted)


def missing_library(name: str) -> str:
    """Name the library that a candidate needs and that is not installed; "" where none is missing."""
    library = {"lightgbm": "lightgbm", "croston": "statsforecast", "auto_ets": "statsforecast"}.get(name, "")
    return library if library and importlib.util.find_spec(library) is None else ""


def forecast_means(batch: Batch, learned: Learned, names: Sequence[str]) -> dict[str, Means]:
    """Give what each candidate says of the mean, never negative and 0 on closed days.

    NaN where a released model says nothing, and nowhere else.
    """
    needed = {"anchor", *LEARNED} & set(names)
    series = batch.read() if needed else None
    made = {name: _forecast_one(name, batch, learned, series) for name in names}
    counted = batch.counted()
    sound = {name: mean if name == FEDERATED else np.nan_to_num(mean) for name, mean in made.items()}
    return {name: np.where(counted, np.maximum(mean, 0.0), 0.0) for name, mean in sound.items()}


def _forecast_one(name: str, batch: Batch, learned: Learned, series: Series | None) -> Means:
    panel, plan = batch.panel, batch.plan.model
    if name in SIMPLE or name in CLASSIC:
        method = (SIMPLE | CLASSIC)[name]
        return np.stack([method(panel, plan, day).mean for day in batch.origins])
    if name == FEDERATED:
        assert batch.released is not None  # noqa: S101  for mypy: chosen where it is here alone
        return batch.released.forecast([str(each) for each in panel.entities], batch.dates, batch.horizon)
    assert series is not None  # noqa: S101  for mypy
    if name == "anchor":
        shape = (len(panel.entities), batch.horizon)
        return np.stack([cut_horizon(panel, series, day).anchor.reshape(shape) for day in batch.origins])
    if name == "lightgbm" and learned.trees is not None:
        fitted = zip(learned.trees, batch.origins, strict=True)
        return np.stack([trees.forecast(panel, series, day) for trees, day in fitted])
    assert learned.warm is not None  # noqa: S101  for mypy
    return np.stack([forecast_mean(learned.warm, step_back(series, day), device=CPU) for day in batch.origins])


def step_back(series: Series, day: int) -> Series:
    """Take away the steps after a cut-off."""
    steps = int(np.searchsorted(series.cutoffs.numpy(), day, side="right"))
    return replace(
        series,
        inputs=series.inputs[:, :steps],
        cutoffs=series.cutoffs[:steps],
        level=series.level[:, :steps],
        cell_level=series.cell_level[:, :steps],
        spread=series.spread[:, :steps],
    )
