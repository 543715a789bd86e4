"""Serve a merchant from what it has: a federation's released model, and every method that it can use alone.

| name           | what it is                                                                                  |
|----------------|---------------------------------------------------------------------------------------------|
| federated      | the released model as it is; also `released`, and whatever epsilon a plan calls it by       |
| personalised   | that model, fitted to the merchant's own rows                                               |
| anchor, …      | a method of `client.forecast.own`; without the `_local` that a simulation puts behind it    |
| routed         | the average of the plan's candidates, and of the public model beside the federation's,      |
|                | weighed by how each would have forecast the last horizon (`client.forecast.routing`)        |
| routed_own     | the same of those candidates that need no federation                                        |

Guarantee: candidates are weighed on days only that none of them has learned from. A released model has learned up to
the last origin of its plan. It is weighed on a last horizon after that day, or else its federation's earlier model
stands in for it (`ReleasedModels.rehearsed`); where neither can be it has no part, since nothing tells whether it helps
here. Where nothing at all can be weighed the best of the merchant's own serves alone, as a rule tells it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import torch

from client.forecast.own import find_obstacle, forecast_own
from client.forecast.personalise import personalise
from client.forecast.public import add_public
from client.forecast.released import forecast_demand
from client.forecast.routing import Candidate, choose_usual, route
from client.forecast.view import View
from common.errors import ConfigError, DataError
from common.forecast.method import OWN, Method
from common.forecast.metric import Forecast, observe
from common.model.demand_gru import DemandGRU
from common.plan.schema import Plan

FEDERATED, PERSONALISED = Method("federated"), Method("federated", personalised=True)
FITTED = Method("warm", personalised=True)
USUAL = (FEDERATED, PERSONALISED, Method("anchor"))  # where a plan names no candidates
LOCAL = "_local"
NO_HORIZON = "there is no horizon of history before the origin to weigh methods on"
LEARNED = (
    "has learned from the last horizon before the origin, so it cannot be weighed on it; it can be from one horizon "
    "after its last training day on"
)


@dataclass(frozen=True)
class ReleasedModels:
    """What a federation gave to a merchant.

    Attributes
    ----------
    served
        The newest model.
    rehearsed
        One that has learned nothing of the last horizon before the origin, to weigh `served` by: itself, where it is
        that old, or its federation's earlier model. None where there is none.
    """

    served: DemandGRU
    rehearsed: DemandGRU | None


@dataclass(frozen=True)
class Served:
    """A forecast, and what it was made of.

    Attributes
    ----------
    weights
        METHOD → its share, by the names above.
    weighed_on
        First and last day of the horizon that the methods were weighed on; None where nothing was weighed.
    reason
        Why nothing was weighed; empty where something was, or where one method was asked for.
    left_out
        METHOD → why a candidate of the plan has no part.
    """

    forecast: Forecast
    weights: dict[str, float]
    weighed_on: tuple[date, date] | None = None
    reason: str = ""
    left_out: dict[str, str] = field(default_factory=dict)


def call(method: Method) -> str:
    """Name a method as a merchant reads it."""
    if method.is_federated:
        return "personalised" if method.personalised else "federated"
    return method.name.removesuffix(LOCAL)


def read_method(name: str) -> Method:
    """Read the name of a method as a merchant, a plan or a summary writes it.

    Raises
    ------
    ConfigError
        There is none that a merchant can use.
    """
    known = {call(method): method for method in (FEDERATED, PERSONALISED, *map(Method, OWN), FITTED, Method("routed"))}
    known |= {"released": FEDERATED, "routed_own": Method("routed_own")}
    method = known.get(name) or _as_here(Method.parse(name))
    if method not in known.values():
        raise ConfigError(f"There is no method {name!r} for --method; there are {', '.join(sorted(known))}.")
    return method


def _as_here(method: Method) -> Method:
    """Take whatever federation a plan names for the one whose model is here."""
    here = method.is_federated and method.is_real
    return Method("federated", personalised=method.personalised) if here else method


def choose_candidates(router: Method, plan: Plan) -> tuple[tuple[Method, ...], dict[str, str]]:
    """Give the plan's candidates that can be used here, the public model beside them, and why the others cannot.

    Raises
    ------
    ConfigError
        None of them can.
    """
    said = tuple(map(_as_here, map(Method.parse, plan.evaluation.candidates))) or USUAL
    named = add_public(said, plan.model)
    wanted = [method for method in named if router.kind == "routed" or not method.is_federated]
    left_out = {call(method): reason for method in wanted if (reason := _say_obstacle(method, plan))}
    usable = tuple(method for method in wanted if call(method) not in left_out)
    if not usable:
        raise ConfigError(f"The plan {plan.name} names no candidate that can be used here; choose one with --method.")
    return usable, left_out


def _say_obstacle(method: Method, plan: Plan) -> str:
    if not method.is_federated and method.kind not in OWN:
        return "is no method that a merchant can use alone"
    return find_obstacle(method, plan) or ""


def forecast_by(method: Method, view: View, models: ReleasedModels, *, device: torch.device) -> Forecast:
    """Forecast by one method that is no router.

    Raises
    ------
    ConfigError
        It cannot be used here.
    """
    obstacle = _say_obstacle(method, view.plan)
    if obstacle:
        raise ConfigError(f"{call(method)} {obstacle}; or choose another --method.")
    if not method.is_federated:
        return forecast_own(method, view, device=device)
    network = models.served
    if method.personalised:
        network = personalise(network, view.panel, view.plan.model, view.day, earlier=models.rehearsed)
    return forecast_demand(network, view.ahead, device=device)


def serve(
    method: Method,
    view: View,
    models: ReleasedModels,
    *,
    device: torch.device,
    doubt: str = "",
    made: Mapping[Method, Forecast] = {},
) -> Served:
    """Forecast the horizon of a merchant's entities by one method, or by the average of several.

    Parameters
    ----------
    doubt
        Why the last horizon is not to be trusted, where it is not: then nothing is weighed on it.
    made
        Forecasts of the same horizon that are there already.

    Raises
    ------
    ConfigError
        The method, or every candidate of the plan, cannot be used here.
    DataError
        Forecasts are not finite.
    """
    if method.is_routed:
        return _serve_routed(method, view, models, device=device, doubt=doubt, made=made)
    forecast = made.get(method) or forecast_by(method, view, models, device=device)
    if not forecast.is_finite():
        raise DataError(_say_infinite(method, forecast, view))
    return Served(forecast, {call(method): 1.0})


def _serve_routed(
    router: Method,
    view: View,
    models: ReleasedModels,
    *,
    device: torch.device,
    doubt: str,
    made: Mapping[Method, Forecast],
) -> Served:
    candidates, left_out = choose_candidates(router, view.plan)
    candidates, learned = _leave_out_learned(candidates, models)
    left_out |= learned
    rehearsal = view.rehearsal()
    reason = doubt or ("" if rehearsal else NO_HORIZON) or _why_not_weighed(candidates, models)
    if reason:
        alone = serve(choose_usual(candidates, history_days=view.history_days), view, models, device=device, made=made)
        return Served(alone.forecast, alone.weights, reason=reason, left_out=left_out)
    assert rehearsal is not None  # noqa: S101  for mypy: there would be a reason
    earlier = ReleasedModels(models.rehearsed or models.served, models.rehearsed)
    taken: dict[Method, Candidate] = {}
    for method in candidates:
        forecast = made.get(method) or forecast_by(method, view, models, device=device)
        rehearsed = forecast_by(method, rehearsal, earlier, device=device)
        if forecast.is_finite() and rehearsed.is_finite():
            taken[method] = Candidate(rehearsed, forecast)
        else:
            left_out[call(method)] = "forecasts numbers that are not finite"
    if not taken:
        raise DataError(_say_infinite(candidates[0], forecast, view))
    outcome = observe(rehearsal.panel, view.plan.model, rehearsal.day)
    routed = route(taken, outcome, view.plan, history_days=rehearsal.history_days)
    last = view.origin - timedelta(days=1)
    weights = {call(method): weight for method, weight in routed.weights.items()}
    return Served(routed.forecast, weights, weighed_on=(rehearsal.origin, last), left_out=left_out)


def _leave_out_learned(
    candidates: tuple[Method, ...], models: ReleasedModels
) -> tuple[tuple[Method, ...], dict[str, str]]:
    """Leave out a released model that has learned from the days it would be weighed on, if there is another."""
    others = tuple(method for method in candidates if not method.is_federated)
    if models.rehearsed is not None or not others:
        return candidates, {}
    return others, {call(method): LEARNED for method in candidates if method.is_federated}


def _why_not_weighed(candidates: tuple[Method, ...], models: ReleasedModels) -> str:
    learned = models.rehearsed is None and any(method.is_federated for method in candidates)
    return f"the model {LEARNED}" if learned else ""


def _say_infinite(method: Method, forecast: Forecast, view: View) -> str:
    parts = (forecast.mean, forecast.median, forecast.quantiles, forecast.probability)
    bad = np.zeros(len(view.panel.entities), bool)
    for part in parts:
        if part is not None:
            bad |= ~np.isfinite(part).reshape(len(bad), -1).all(axis=1)
    first = view.panel.entities[np.flatnonzero(bad)[0]] if bad.any() else view.panel.entities[0]
    return (
        f"{call(method)} forecasts numbers that are not finite for {max(int(bad.sum()), 1)} of {len(bad)} entities, "
        f"{str(first)!r} first; look at their rows with hansa-client check, or choose another --method."
    )
