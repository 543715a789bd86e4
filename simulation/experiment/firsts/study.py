"""Run a study of firsts: at every origin merchants are left out of a federation, and their histories are cut short.

    origin ─┬─ history of D days ── what each merchant forecasts alone, all merchants at once
            └─ fold ── a federation of the other merchants, on all of their days before the origin
                        └─ history of D days ── what it forecasts for the merchants of the fold

Every entity of every merchant is forecast by everything, so all methods are compared on the same entities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from common.data.panel import Panel
from common.errors import ConfigError
from common.forecast.entity_loss import COMPARED, entity_losses, entity_weights
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU
from common.model.warm.start import start_model
from common.plan.schema import Plan
from simulation.evaluation.history import shorten
from simulation.experiment.firsts.fold import Fold, deal_folds, keep
from simulation.experiment.firsts.joined import forecast_joined, train_without
from simulation.experiment.firsts.kind import find_kinds, has_past
from simulation.experiment.firsts.own import forecast_own_all
from simulation.experiment.firsts.store import Store
from simulation.origin.origin import Trial, make_trial

WHOLE = 0  # days of a history that is not cut

OnShare = Callable[[str, float], None]


@dataclass(frozen=True)
class Asked:
    """What a study is made of.

    Attributes
    ----------
    days
        Lengths of history; `WHOLE` is all there is.
    methods
        Federations without `_personalised`, which is told beside each.
    seeds
        Repetitions of each federation, from `seed` on.
    """

    origins: tuple[date, ...]
    days: tuple[int, ...]
    methods: tuple[Method, ...]
    folds: int = 3
    seeds: int = 1
    seed: int = 0


def federations_of(plan: Plan, names: tuple[str, ...]) -> tuple[Method, ...]:
    """List the federations among some methods, the plan's if none is named.

    Raises
    ------
    ConfigError
        There is none.
    """
    methods = map(Method.parse, names or plan.evaluation.methods)
    found = tuple(dict.fromkeys(method.federation for method in methods if method.is_federated))
    if not found:
        raise ConfigError(
            f"{'--only' if names else f'evaluation.methods of the plan {plan.name}'} names no federation; "
            "name one, as federated_eps8_sum."
        )
    return found


def measure_firsts(plan: Plan, panel: Panel, asked: Asked, store: Store, *, on_share: OnShare) -> pd.DataFrame:
    """Run what is not done yet, and give what each entity adds to the headline metric.

    Returns
    -------
    pd.DataFrame
        One row per origin, days, kind, method, merchant and entity, means over seeds: entities of its merchant, loss
        and weight. The metric is the sum of losses over the sum of weights.
    """
    tables = [
        table
        for origin in asked.origins
        for table in _measure_origin(make_trial(plan, panel, origin), asked, store, on_share)
    ]
    return pd.concat(tables, ignore_index=True)


def _measure_origin(trial: Trial, asked: Asked, store: Store, on_share: OnShare) -> Iterator[pd.DataFrame]:
    folds = tuple(deal_folds(trial, asked.folds, seed=asked.seed))
    young = {days: shorten(trial, days) if days != WHOLE else trial for days in asked.days}
    for days, short in young.items():
        for name, forecast in _own(short, days, asked, store, on_share).items():
            yield _lose(short, days, name, forecast)
    for seed in range(asked.seed, asked.seed + asked.seeds):
        for method in asked.methods:
            for days, forecasts in _joined(trial, young, folds, method, seed, asked, store, on_share):
                for name, forecast in forecasts.items():
                    yield _lose(young[days], days, name, forecast)


def _own(young: Trial, days: int, asked: Asked, store: Store, on_share: OnShare) -> dict[str, Forecast]:
    name = f"own-{young.origin}-{days}"
    found = store.read(name)
    if found is None:
        label = f"{young.origin}, {say_days(days)} of history"
        found = forecast_own_all(
            young, seed=asked.seed, on_share=lambda what, share: on_share(f"{label}, {what}", share)
        )
        store.write(name, found)
    return found


def _joined(
    trial: Trial,
    young: dict[int, Trial],
    folds: tuple[Fold, ...],
    method: Method,
    seed: int,
    asked: Asked,
    store: Store,
    on_share: OnShare,
) -> Iterator[tuple[int, dict[str, Forecast]]]:
    """Put what the folds' federations forecast together, so that every entity is forecast by one it was not in."""
    where = f"{method.name}-{trial.origin}-{seed}-of-{asked.folds}"
    for days, short in young.items():
        name = f"{where}-{days}"
        found = store.read(name)
        if found is None:
            parts, rows = [], []
            for fold in folds:
                model = _model(trial, fold, f"{where}-{fold.number}", method, seed, store, on_share)
                parts.append(forecast_joined(model, method, keep(short, fold.is_out)))
                rows.append(np.flatnonzero(fold.is_out))
            back = np.argsort(np.concatenate(rows))
            found = {key: Forecast.concatenate([part[key] for part in parts]).select(back) for key in parts[0]}
            store.write(name, found)
        yield days, found


def _model(
    trial: Trial, fold: Fold, name: str, method: Method, seed: int, store: Store, on_share: OnShare
) -> DemandGRU:
    model = store.read_model(name, start_model(trial.plan.model, trial.series, seed=0, warm=False))
    if model is None:
        label = f"{trial.origin}, without fold {fold.number}"
        model = train_without(
            method,
            keep(trial, ~fold.is_out),
            seed=seed,
            on_share=lambda what, share: on_share(f"{label}, {what}", share),
        )
        store.write_model(name, model)
    return model


def _lose(young: Trial, days: int, name: str, forecast: Forecast) -> pd.DataFrame:
    """Give what each entity adds to the headline metric, for each kind of day."""
    task, panel = young.plan.evaluation.task, young.panel
    metric, actual, known = COMPARED[task][0], young.outcome.actual, has_past(young)
    _, place, sizes = np.unique(panel.merchants.astype(str), return_inverse=True, return_counts=True)
    tables = []
    for kind, buckets in find_kinds(young):
        counted = young.outcome.counted & buckets & known[:, None]
        there = counted.any(axis=1)
        tables.append(
            pd.DataFrame(
                {
                    "origin": young.origin,
                    "days": days,
                    "kind": kind,
                    "method": name,
                    "merchant": panel.merchants.astype(str),
                    "entity": panel.entities.astype(str),
                    "entities": sizes[place],
                    "loss": entity_losses(forecast, actual, counted, metric=metric),
                    "weight": entity_weights(actual, counted, task=task),
                }
            )[there]
        )
    return pd.concat(tables)


def say_days(days: int) -> str:
    """Say a length of history."""
    return "all" if days == WHOLE else f"{days} days"
