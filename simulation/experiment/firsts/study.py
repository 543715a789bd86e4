"""Run a study of firsts: at every origin merchants are left out of a federation, and their histories are cut short.

    origin ─┬─ history of D days ── what each merchant forecasts alone, all merchants at once
            └─ fold ── a federation of the other merchants, on all of their days before the origin
                        └─ history of D days ── what it forecasts for the merchants of the fold

Every entity of every merchant is forecast by everything, so all methods are compared on the same entities. What a
merchant is served after it joined is `routed` (`simulation.experiment.firsts.served`), and `routed_null` the same where
the federation learned nothing: what that gains over `routed_own` is no merit of a federation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from common.data.panel import Panel
from common.errors import ConfigError
from common.forecast.entity_loss import COMPARED, entity_losses, entity_weights
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.plan.schema import Plan
from simulation.evaluation.history import shorten
from simulation.experiment.firsts.fold import deal_folds
from simulation.experiment.firsts.kind import find_kinds, has_past
from simulation.experiment.firsts.own import ROUTED_OWN
from simulation.experiment.firsts.part import WHOLE, Parts, Told, Young
from simulation.experiment.firsts.served import ROUTED, ROUTED_NULL, serve
from simulation.experiment.firsts.store import Store
from simulation.method.control import same_as
from simulation.method.routing import federation_of
from simulation.origin.origin import Trial, make_trial

OnShare = Callable[[str, float], None]


@dataclass(frozen=True)
class Asked:
    """What a study is made of.

    Attributes
    ----------
    days
        Lengths of history; `WHOLE` is all there is.
    methods
        Federations without `_personalised`, which is told beside each. `routed` is told of the one that is a candidate
        of the plan's, if it is among them.
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
    parts = Parts(trial, tuple(deal_folds(trial, asked.folds, seed=asked.seed)), store, asked.seed, on_share)
    for days in asked.days:
        young = Young.of(shorten(trial, days) if days != WHOLE else trial, days)
        for name, forecast in _measure_young(parts, young, asked):
            yield _lose(young.trial, days, name, forecast)


def _measure_young(parts: Parts, young: Young, asked: Asked) -> Iterator[tuple[str, Forecast]]:
    """Give every forecast for merchants with one length of history, those with noise once per seed."""
    alone, served = parts.alone(young), federation_of(ROUTED, young.trial.plan)
    yield from alone.forecasts.items()
    yield ROUTED_OWN.name, serve(ROUTED_OWN, young, alone)
    for method in asked.methods:
        for seed in range(asked.seed, asked.seed + asked.seeds):
            yield from parts.joined(young, method, seed=seed).forecasts.items()
            if method == served:
                yield ROUTED.name, serve(ROUTED, young, alone, parts.in_legs(young, method, seed=seed))
        if method == served:
            yield ROUTED_NULL.name, serve(ROUTED_NULL, young, alone, _null(parts, young, method, alone))


def _null(parts: Parts, young: Young, method: Method, alone: Told) -> Told | None:
    """Forecast by a federation that learns nothing; what is the public model has been forecast already."""
    null = replace(method, control=ROUTED_NULL.control)
    names = {each.name: same_as(each, young.trial.plan).name for each in (null, replace(null, personalised=True))}
    if any(name in names for name in names.values()):
        return parts.in_legs(young, null, seed=parts.seed)
    return Told(
        *(
            {null: told[name] for null, name in names.items() if name in told}
            for told in (alone.forecasts, alone.rehearsed)
        )
    )


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
