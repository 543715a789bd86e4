"""Personalised and routed methods: a merchant's own last horizon decides how, and by what, it is served.

One federation serves them all, in two goes:

    … days before the last horizon  | the last horizon before the origin | the horizon to forecast
    rehearsal: two thirds of the rounds
    served: the last third of the rounds learns from these days too

- A rehearsal is the forecast that a method would have made of the last horizon, on the day it began. Those days are
  new to every method that is compared on them.
- `…_personalised` fits the served model to the merchant's own days up to the origin. How far it may move was chosen by
  moving the rehearsed one, on the rehearsal days.
- `routed` serves each merchant by the average of the candidates, weighed by how their rehearsals went
  (`client.forecast.routing`, which serves a merchant too), each fitted again up to the origin. `routed_own` averages
  among the candidates that need no federation: what the merchant could do alone. Wherever a federation's model is a
  candidate the public model is one too (`client.forecast.public`).
- `routed_null` and `routed_shuffled` are `routed` with a federation that cannot help (`simulation.method.control`).

All of the federation's rounds are charged, once; the choice and the fit never leave. Without noise nothing is charged,
so there the rehearsal runs all rounds, and what serves is the whole federation of the table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from client.forecast.personalise import personalise
from client.forecast.public import add_public
from client.forecast.released import forecast_demand
from client.forecast.routing import Candidate, Routed, route
from common.errors import ConfigError
from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU, load_model
from common.model.warm.start import start_model
from common.plan.leg import count_served_rounds
from common.plan.schema import Plan, TrainingPlan
from simulation.experiment.folder import Part, RunFolder
from simulation.method.control import same_as
from simulation.origin.origin import Trial


@dataclass(frozen=True)
class RoutedMerchants:
    """A forecast, and the weight of each candidate in what serves each merchant."""

    forecast: Forecast
    choices: dict[str, dict[str, float]]


def federation_of(method: Method, plan: Plan) -> Method | None:
    """Name the federation that a method rests on; None for what a merchant does alone.

    Raises
    ------
    ConfigError
        The candidates of `routed` rest on more than one federation.
    """
    if method.is_federated:
        return method.federation
    if method.kind != "routed":
        return None
    candidates = _named_candidates(method, plan)
    federations = {candidate.federation for candidate in candidates if candidate.is_federated}
    if len(federations) > 1:
        names = sorted(federation.name for federation in federations)
        raise ConfigError(
            f"evaluation.candidates rest on {len(names)} federations ({', '.join(names)}); "
            "a merchant pays for one: keep one."
        )
    return next(iter(federations), None)


def candidates_of(method: Method, plan: Plan) -> tuple[Method, ...]:
    """List what a routed method averages: the plan's candidates, and the public model beside the federation's.

    Raises
    ------
    ConfigError
        There is none.
    """
    candidates = add_public(_named_candidates(method, plan), plan.model)
    if method.kind == "routed_own":
        candidates = tuple(candidate for candidate in candidates if not candidate.is_federated)
    if not candidates:
        raise ConfigError(f"{method.name} has nothing to choose from; list methods in evaluation.candidates.")
    return candidates


def _named_candidates(method: Method, plan: Plan) -> tuple[Method, ...]:
    """List the plan's candidates, with a control in place of the federation where the router is one."""
    named = map(Method.parse, plan.evaluation.candidates)
    if not method.control:
        return tuple(named)
    return tuple(replace(each, control=method.control) if each.is_federated else each for each in named)


def prerequisites(part: Part, plan: Plan, first_seed: int) -> list[Part]:
    """List the parts that a part reads, each after those that it reads itself."""
    read: list[Part] = []
    if part.method.is_routed:
        for candidate in candidates_of(part.method, plan):
            read += _readings(candidate, part, plan, first_seed).values()
    elif part.method.is_federated and (part.stage == "served" or part.method.personalised):
        rehearsal = replace(part, method=part.method.federation, stage="rehearsal")
        read.append(rehearsal)
        if part.stage == "whole":
            read.append(_serving(rehearsal))
    return [step for needed in read for step in (*prerequisites(needed, plan, first_seed), needed)]


def _serving(rehearsal: Part) -> Part:
    """Name the federation that serves after a rehearsal: its second leg where rounds have a price."""
    return replace(rehearsal, stage="served" if rehearsal.method.is_private else "whole")


def _readings(candidate: Method, part: Part, plan: Plan, first_seed: int) -> dict[str, Part]:
    """Name the two parts of one candidate: its rehearsal, and what it forecasts after the origin."""
    candidate = same_as(candidate, plan)
    rehearsal = Part(candidate, part.origin, part.seed if candidate.is_federated else first_seed, "rehearsal")
    released = candidate.is_federated and not candidate.personalised
    return {"rehearsal": rehearsal, "forecast": _serving(rehearsal) if released else replace(rehearsal, stage="whole")}


def models_of(part: Part) -> list[Part]:
    """List the parts whose models a federated part forecasts with: its own, or what its fit starts from."""
    if not part.method.personalised:
        return [part]
    rehearsal = replace(part, method=part.method.federation, stage="rehearsal")
    return [rehearsal, _serving(rehearsal)]


def rounds_of(part: Part, training: TrainingPlan) -> tuple[int, int]:
    """Count the rounds of a part's federation that came before it, and those that it runs itself.

    Raises
    ------
    ConfigError
        A single round cannot be shared between two legs.
    """
    served = count_served_rounds(training.num_rounds) if part.method.is_private else 0
    if part.stage != "whole" and served == training.num_rounds:
        raise ConfigError(
            f"{part.method.name} has one round, and what is personalised or routed needs two: one before the last "
            "horizon and one after it; raise privacy.training.num_rounds."
        )
    if part.stage == "rehearsal":
        return 0, training.num_rounds - served
    return (training.num_rounds - served, served) if part.stage == "served" else (0, training.num_rounds)


def rehearsed_model(part: Part, trial: Trial, folder: RunFolder) -> DemandGRU:
    """Read the model of the federation that has not seen the last horizon."""
    return _released_model(replace(part, stage="rehearsal"), trial, folder)


def run_personalised(part: Part, trial: Trial, folder: RunFolder) -> Forecast:
    """Fit the federation's model to every merchant, and forecast the trial's horizon."""
    earlier = rehearsed_model(part, trial, folder)
    model = earlier if part.stage == "rehearsal" else _released_model(_serving(part), trial, folder)
    return fit_each(model, trial, earlier=earlier)


def fit_each(model: DemandGRU, trial: Trial, *, earlier: DemandGRU) -> Forecast:
    """Fit a model to every merchant's own days, and forecast the trial's horizon.

    Parameters
    ----------
    earlier
        What tells how far it may move: that has learned nothing of the last horizon.
    """
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]

    def serve(rows: np.ndarray) -> Forecast:
        own = personalise(model, trial.panel.select(rows), trial.plan.model, trial.day, earlier=earlier)
        return forecast_demand(own, trial.series.select(torch.from_numpy(rows)), device=torch.device("cpu"))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        forecasts = list(pool.map(serve, rows_of))
    return Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of)))


def run_routed(part: Part, trial: Trial, rehearsal: Trial, folder: RunFolder, *, first_seed: int) -> RoutedMerchants:
    """Serve every merchant by the average of the candidates, weighed by how their rehearsals went."""
    candidates = candidates_of(part.method, trial.plan)
    read = {candidate: _readings(candidate, part, trial.plan, first_seed) for candidate in candidates}
    everyone = {
        candidate: Candidate(
            folder.read_forecast(parts["rehearsal"], len(rehearsal.panel.entities)),
            folder.read_forecast(parts["forecast"], len(trial.panel.entities)),
        )
        for candidate, parts in read.items()
    }
    served = {merchant: _route(everyone, trial, rehearsal, merchant) for merchant in trial.merchants}
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
    forecasts = [routed.forecast for routed in served.values()]
    return RoutedMerchants(
        Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of))),
        {merchant: _name(routed.weights) for merchant, routed in served.items()},
    )


def _name(weights: Mapping[Method, float]) -> dict[str, float]:
    return {method.name: weight for method, weight in weights.items()}


def _route(everyone: Mapping[Method, Candidate], trial: Trial, rehearsal: Trial, merchant: str) -> Routed:
    """Serve one merchant, from its own entities' rehearsals alone."""
    rehearsed, rows = rehearsal.rows_of(merchant), trial.rows_of(merchant)
    own = {
        method: Candidate(candidate.rehearsed.select(rehearsed), candidate.forecast.select(rows))
        for method, candidate in everyone.items()
    }
    history_days = rehearsal.day - int(rehearsal.panel.first_day[rehearsed].min(initial=rehearsal.day))
    return route(own, rehearsal.outcome.select(rehearsed), trial.plan, history_days=history_days)


def _released_model(part: Part, trial: Trial, folder: RunFolder) -> DemandGRU:
    """Read what the federation behind a part released at one stage."""
    model = start_model(trial.plan.model, trial.series, seed=0, warm=False)
    load_model(model, folder.model_path(replace(part, method=part.method.federation)))
    return model


def share_of_choices(choices: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Tell for each merchant the weight of each candidate in what it was served, over origins and seeds."""
    merchants = sorted({merchant for chosen in choices for merchant in chosen})
    shares: dict[str, dict[str, float]] = {}
    for merchant in merchants:
        served = [choice[merchant] for choice in choices if merchant in choice]
        names = sorted({name for weights in served for name in weights})
        shares[merchant] = {name: sum(weights.get(name, 0.0) for weights in served) / len(served) for name in names}
    return shares
