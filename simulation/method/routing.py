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
  (`client.forecast.combination`), each fitted again up to the origin. `routed_own` averages among the candidates that
  need no federation: what the merchant could do alone.

All of the federation's rounds are charged, once; the choice and the fit never leave. Without noise nothing is charged,
so there the rehearsal runs all rounds, and what serves is the whole federation of the table.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from client.forecast.combination import average, weigh_methods
from client.forecast.personalise import personalise
from client.forecast.released import forecast_demand
from common.errors import ConfigError
from common.forecast.entity_loss import COMPARED, entity_losses
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU, load_model
from common.model.warm.start import start_model
from common.plan.schema import Plan, TrainingPlan
from simulation.experiment.folder import Part, RunFolder
from simulation.origin.origin import Trial

PERSONALISED = "_personalised"
ROUTED = ("routed", "routed_own")
SERVED_SHARE = 3  # one in so many rounds comes after the rehearsal


@dataclass(frozen=True)
class Routed:
    """A forecast, and the weight of each candidate in what serves each merchant."""

    forecast: Forecast
    choices: dict[str, dict[str, float]]


def is_federated(name: str) -> bool:
    """Whether a method rests on a federation, by its name."""
    return name.startswith("federated")


def is_private(name: str) -> bool:
    """Whether the federation that a method rests on has a price, by its name."""
    return name.startswith("federated_eps")


def federation_of(name: str, plan: Plan) -> str | None:
    """Name the federation that a method rests on; None for what a merchant does alone.

    Raises
    ------
    ConfigError
        The candidates of `routed` rest on more than one federation.
    """
    if is_federated(name):
        return name.removesuffix(PERSONALISED)
    if name != "routed":
        return None
    federations = {candidate.removesuffix(PERSONALISED) for candidate in plan.evaluation.candidates}
    federations = {name for name in federations if is_federated(name)}
    if len(federations) > 1:
        raise ConfigError(
            f"evaluation.candidates rest on {len(federations)} federations ({', '.join(sorted(federations))}); "
            "a merchant pays for one: keep one."
        )
    return next(iter(federations), None)


def candidates_of(name: str, plan: Plan) -> tuple[str, ...]:
    """List what a routed method chooses from.

    Raises
    ------
    ConfigError
        There is none.
    """
    candidates = plan.evaluation.candidates
    if name == "routed_own":
        candidates = tuple(candidate for candidate in candidates if not is_federated(candidate))
    if not candidates:
        raise ConfigError(f"{name} has nothing to choose from; list methods in evaluation.candidates.")
    return candidates


def prerequisites(part: Part, plan: Plan, first_seed: int) -> list[Part]:
    """List the parts that a part reads, each after those that it reads itself."""
    read: list[Part] = []
    if part.method in ROUTED:
        for candidate in candidates_of(part.method, plan):
            read += _readings(candidate, part, first_seed).values()
    elif part.stage == "served" or part.method.endswith(PERSONALISED):
        rehearsal = replace(part, method=part.method.removesuffix(PERSONALISED), stage="rehearsal")
        read.append(rehearsal)
        if part.stage == "whole":
            read.append(_serving(rehearsal))
    return [step for needed in read for step in (*prerequisites(needed, plan, first_seed), needed)]


def _serving(rehearsal: Part) -> Part:
    """Name the federation that serves after a rehearsal: its second leg where rounds have a price."""
    return replace(rehearsal, stage="served" if is_private(rehearsal.method) else "whole")


def _readings(candidate: str, part: Part, first_seed: int) -> dict[str, Part]:
    """Name the two parts of one candidate: its rehearsal, and what it forecasts after the origin."""
    rehearsal = Part(candidate, part.origin, part.seed if is_federated(candidate) else first_seed, "rehearsal")
    released = is_federated(candidate) and not candidate.endswith(PERSONALISED)
    return {"rehearsal": rehearsal, "forecast": _serving(rehearsal) if released else replace(rehearsal, stage="whole")}


def rounds_of(part: Part, training: TrainingPlan) -> tuple[int, int]:
    """Count the rounds of a part's federation that came before it, and those that it runs itself.

    Raises
    ------
    ConfigError
        A single round cannot be shared between two legs.
    """
    served = max(training.num_rounds // SERVED_SHARE, 1) if is_private(part.method) else 0
    if part.stage != "whole" and served == training.num_rounds:
        raise ConfigError(
            f"{part.method} has one round, and what is personalised or routed needs two: one before the last horizon "
            "and one after it; raise privacy.training.num_rounds."
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
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]

    def serve(rows: np.ndarray) -> Forecast:
        own = personalise(model, trial.panel.select(rows), trial.plan.model, trial.day, earlier=earlier)
        return forecast_demand(own, trial.series.select(torch.from_numpy(rows)), device=torch.device("cpu"))

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        forecasts = list(pool.map(serve, rows_of))
    return Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of)))


def run_routed(part: Part, trial: Trial, rehearsal: Trial, folder: RunFolder, *, first_seed: int) -> Routed:
    """Serve every merchant by the average of the candidates, weighed by how their rehearsals went."""
    candidates = candidates_of(part.method, trial.plan)
    outcome, metric = rehearsal.outcome, COMPARED[trial.plan.evaluation.task][0]
    losses, forecasts = {}, {}
    for candidate in candidates:
        read = _readings(candidate, part, first_seed)
        rehearsed = folder.read_forecast(read["rehearsal"], len(rehearsal.panel.entities))
        losses[candidate] = entity_losses(rehearsed, outcome.actual, outcome.counted, metric=metric)
        forecasts[candidate] = folder.read_forecast(read["forecast"], len(trial.panel.entities))
    counted = np.flatnonzero(outcome.counted.any(axis=1))
    choices, rows_of, served = {}, [], []
    for merchant in trial.merchants:
        compared, rows = np.intersect1d(rehearsal.rows_of(merchant), counted), trial.rows_of(merchant)
        choices[merchant] = weigh_methods({name: losses[name][compared] for name in candidates})
        rows_of.append(rows)
        own, weights = [forecasts[name].select(rows) for name in candidates], list(choices[merchant].values())
        served.append(average(own, weights, counts=trial.plan.model.likelihood != "log_normal"))
    return Routed(Forecast.concatenate(served).select(np.argsort(np.concatenate(rows_of))), choices)


def _released_model(part: Part, trial: Trial, folder: RunFolder) -> DemandGRU:
    """Read what the federation behind a part released at one stage."""
    model = start_model(trial.plan.model, trial.series, seed=0, warm=False)
    load_model(model, folder.model_path(replace(part, method=part.method.removesuffix(PERSONALISED))))
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
