"""Personalised and routed methods: a merchant's own last horizon decides how, and with what, it is served.

One federation serves them all. It closes one horizon before the origin, so that horizon is new to it:

    … days that the federation learns from | rehearsal: the last horizon before the origin | the horizon to forecast

- A rehearsal is the forecast that a method would have made of the last horizon, on the day it began.
- `…_personalised` fits that federation's model to the merchant's own days up to the origin, and chooses how far it may
  move on the rehearsal days.
- `routed` serves each merchant by the candidate whose rehearsal went best (`client.route`); then the merchant's own
  methods are fitted again up to the origin, while the federation's model stays as it was released. `routed_own` chooses
  among the candidates that need no federation: what the merchant could do alone.

Only the federation's rounds are charged; the choice and the fit never leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from client.forecast import forecast_demand
from client.personalise import personalise
from client.route import choose_method, demand_losses, purchase_losses
from common.errors import ConfigError
from common.metric import QUANTILE_LEVELS, Forecast
from common.model import DemandGRU, load_model
from common.plan import Plan
from common.warm.start import start_model
from simulation.folder import Part, RunFolder
from simulation.trial import Trial

PERSONALISED = "_personalised"
ROUTED = ("routed", "routed_own")


@dataclass(frozen=True)
class Routed:
    """A forecast, and which candidate serves each merchant."""

    forecast: Forecast
    choices: dict[str, str]


def is_federated(name: str) -> bool:
    """Whether a method rests on a federation, by its name."""
    return name.startswith("federated")


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
    if part.method.endswith(PERSONALISED):
        return [replace(part, method=part.method.removesuffix(PERSONALISED), rehearsal=True)]
    if part.method not in ROUTED:
        return []
    needed: list[Part] = []
    for candidate in candidates_of(part.method, plan):
        needed += [
            step for read in _readings(candidate, part, first_seed) for step in (*prerequisites(read, plan, 0), read)
        ]
    return needed


def _readings(candidate: str, part: Part, first_seed: int) -> tuple[Part, ...]:
    """List the parts of one candidate: its rehearsal, and its forecast unless the released model makes that."""
    seed = part.seed if is_federated(candidate) else first_seed
    rehearsal = Part(candidate, part.origin, seed, rehearsal=True)
    return (rehearsal,) if _is_released(candidate) else (rehearsal, replace(rehearsal, rehearsal=False))


def _is_released(candidate: str) -> bool:
    return is_federated(candidate) and not candidate.endswith(PERSONALISED)


def run_personalised(part: Part, trial: Trial, folder: RunFolder) -> Forecast:
    """Fit the federation's model to every merchant, and forecast the trial's horizon."""
    model = _released_model(part, trial, folder)
    rows_of = [trial.rows_of(merchant) for merchant in trial.merchants]
    forecasts = []
    for rows in rows_of:
        own = personalise(model, trial.panel.select(rows), trial.plan.model, trial.day)
        forecasts.append(forecast_demand(own, trial.series.select(torch.from_numpy(rows)), device=torch.device("cpu")))
    return Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of)))


def run_routed(part: Part, trial: Trial, rehearsal: Trial, folder: RunFolder, *, first_seed: int) -> Routed:
    """Serve every merchant by the candidate whose rehearsal went best."""
    candidates = candidates_of(part.method, trial.plan)
    losses_of = purchase_losses if trial.plan.evaluation.task == "purchase" else demand_losses
    losses, forecasts = {}, {}
    for candidate in candidates:
        rehearsed, *final = _readings(candidate, part, first_seed)
        size = len(rehearsal.panel.entities)
        losses[candidate] = losses_of(folder.read_forecast(rehearsed, size), rehearsal.outcome)
        forecasts[candidate] = (
            folder.read_forecast(final[0], len(trial.panel.entities))
            if final
            else _released_forecast(rehearsed, trial, folder)
        )
    counted = np.flatnonzero(rehearsal.outcome.counted.any(axis=1))
    choices = {}
    for merchant in trial.merchants:
        rows = np.intersect1d(rehearsal.rows_of(merchant), counted)
        choices[merchant] = choose_method({name: losses[name][rows] for name in candidates})
    return Routed(_join(trial, forecasts, choices), choices)


def _join(trial: Trial, forecasts: dict[str, Forecast], choices: dict[str, str]) -> Forecast:
    rows_of = [trial.rows_of(merchant) for merchant in choices]
    parts = [
        _with_quantiles(forecasts[name]).select(rows) for name, rows in zip(choices.values(), rows_of, strict=True)
    ]
    return Forecast.concatenate(parts).select(np.argsort(np.concatenate(rows_of)))


def _with_quantiles(forecast: Forecast) -> Forecast:
    """Let a point stand for every quantile, so that it can stand beside forecasts that have some."""
    if forecast.quantiles is not None:
        return forecast
    return replace(forecast, quantiles=np.repeat(forecast.median[:, :, None], len(QUANTILE_LEVELS), axis=2))


def _released_forecast(rehearsed: Part, trial: Trial, folder: RunFolder) -> Forecast:
    model = _released_model(rehearsed, trial, folder)
    return forecast_demand(model, trial.series, device=torch.device("cpu"))


def _released_model(part: Part, trial: Trial, folder: RunFolder) -> DemandGRU:
    """Read the model of the federation that closed one horizon before the origin."""
    model = start_model(trial.plan.model, trial.series, seed=0, warm=False)
    released = replace(part, method=part.method.removesuffix(PERSONALISED), rehearsal=True)
    load_model(model, folder.model_path(released))
    return model


def share_of_choices(choices: Sequence[dict[str, str]]) -> dict[str, dict[str, float]]:
    """Tell for each merchant how often each candidate served it, over origins and seeds."""
    merchants = sorted({merchant for chosen in choices for merchant in chosen})
    shares: dict[str, dict[str, float]] = {}
    for merchant in merchants:
        chosen = [choice[merchant] for choice in choices if merchant in choice]
        shares[merchant] = {name: chosen.count(name) / len(chosen) for name in sorted(set(chosen))}
    return shares
