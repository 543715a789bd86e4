"""Was it worth joining? A merchant's own rows answer, from the days that the federation has not learned from.

What the released model forecast of them, as it is, fitted to the merchant, and averaged with the plan's other
candidates as `client.forecast.candidate` serves them, is held against what the merchant could have said alone. The best
of those is chosen with hindsight, which favours staying alone. What is public needs no federation: the public model,
and its fit to the merchant, are among what it could have said alone, and what the federation added to them is told by
itself. Nothing of this leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import torch

from client.daemon.store import Model
from client.decision.stock.cost import StockCosts, cost_of_price
from client.decision.stock.horizon import Joining, is_long_enough, keep_horizon, measure_joining
from client.decision.stock.walk import Rhythm
from client.forecast.candidate import FEDERATED, PERSONALISED, call, choose_candidates, forecast_by, serve
from client.forecast.own import POINTS
from client.forecast.prediction import ReleasedContext, learned_until, set_up
from client.forecast.view import View
from common.errors import ConfigError, DataError
from common.forecast.entity_loss import COMPARED, entity_losses, entity_weights
from common.forecast.gain import Gain, estimate_gain
from common.forecast.method import OWN, Method
from common.forecast.metric import Forecast, Outcome, observe, score_demand, score_purchases
from common.model.warm.start import warm_path
from common.plan.schema import Plan

ROUTER = Method("routed")
PUBLIC = {call(FEDERATED): "warm", call(PERSONALISED): "warm_personalised"}  # what each is held against
WEEKLY = Rhythm()
PIECES = cost_of_price(np.array(1.0))  # where no price is known


@dataclass(frozen=True)
class Added:
    """What the federation added to a public model.

    Attributes
    ----------
    against
        The public model's name; `anchor`, which nobody trained, where there is none of the plan's shape.
    gain
        None where there was no demand.
    """

    against: str
    gain: Gain | None


@dataclass(frozen=True)
class Proof:
    """How every method forecast one horizon.

    Attributes
    ----------
    last
        Last day of the horizon.
    metric
        What gains are measured in: wql (`common.forecast.metric`) for demand, log_loss for purchases.
    scores
        METHOD → METRIC → value; the federation's methods last.
    best_own
        The merchant's own method with the lowest loss, in hindsight.
    gains
        Of the released model, as it is and fitted to the merchant, and of what is routed, over that one; None where
        there was no demand.
    added
        The federation's model, as it is and fitted to the merchant → what it added to the public one, as it is and
        fitted; without the latter where that is no method of this version.
    weights
        METHOD → its share in what is routed; empty where nothing could be weighed without looking at days that the
        model has learned from.
    left_out
        METHOD → why a candidate of the plan has no part.
    joining
        What joining was worth as stock; None for purchases, and where the horizon is too short for two orders.
    warnings
        What could not be used of the merchant's files, and what they do not tell of the horizon, in sentences.
    """

    origin: date
    last: date
    entities: int
    metric: str
    scores: dict[str, dict[str, float | None]]
    best_own: str
    gains: dict[str, Gain | None]
    added: dict[str, Added]
    weights: dict[str, float]
    left_out: dict[str, str]
    joining: Joining | None = None
    warnings: tuple[str, ...] = ()

    @property
    def served(self) -> str:
        """Name what stands for joining: what is routed where that could be weighed, else the fitted model."""
        return next(name for name in (call(ROUTER), call(PERSONALISED)) if name in self.gains)


def prove(
    model: Model,
    data_root: Path,
    origin: date,
    *,
    device: torch.device,
    rehearsal: Model | None = None,
    costs: StockCosts = PIECES,
    rhythm: Rhythm = WEEKLY,
) -> Proof:
    """Forecast the horizon from `origin` as if it were that day, and hold every method against what happened.

    Parameters
    ----------
    costs
        What stock costs the merchant; the share to be served is their service level.
    rhythm
        How it orders.

    Raises
    ------
    ConfigError
        The model has learned from days of that horizon.
    DataError
        The rows end before the horizon does, or as `client.forecast.prediction.set_up` says.
    """
    learned = learned_until(model)
    if origin < learned:
        raise ConfigError(
            f"--origin {origin} lies before {learned}, up to which this model has learned: it would prove nothing; "
            f"choose {learned} or later."
        )
    context = set_up(model, data_root, origin, rehearsal=rehearsal)
    view = context.view
    last = origin + timedelta(days=view.plan.model.horizon_days - 1)
    _require_rows(context, last, later=origin > learned)
    methods, left_out = choose_methods(view.plan)
    made = {method: forecast_by(method, view, context.models, device=device) for method in methods}
    routed = serve(ROUTER, view, context.models, device=device, made=made)
    forecasts = {call(method): forecast for method, forecast in made.items()}
    joins = routed.weighed_on is not None and not {call(FEDERATED), call(PERSONALISED)}.isdisjoint(routed.weights)
    if joins:
        forecasts[call(ROUTER)] = routed.forecast
    weights = routed.weights if joins else {}
    proof = _compare(view, forecasts, last, weights, {**left_out, **routed.left_out})
    return replace(
        proof,
        joining=_measure_joining(view, forecasts, costs, rhythm),
        warnings=(*context.left_out, *context.gaps),
    )


def _measure_joining(view: View, forecasts: dict[str, Forecast], costs: StockCosts, rhythm: Rhythm) -> Joining | None:
    """Live through the horizon with the stock that each method orders."""
    plan = view.plan
    if plan.evaluation.task != "demand" or not is_long_enough(plan.model.horizon_days, plan.model.bucket_days, rhythm):
        return None
    outcome, counts = observe(view.panel, plan.model, view.day), plan.model.likelihood != "log_normal"
    ledgers = {
        name: keep_horizon(forecast, outcome.actual, outcome.counted, costs, rhythm, counts=counts)
        for name, forecast in forecasts.items()
    }
    joint = [call(method) for method in (ROUTER, FEDERATED, PERSONALISED) if call(method) in ledgers]
    return measure_joining(
        {name: ledgers[name] for name in joint},
        {name: ledger for name, ledger in ledgers.items() if name not in joint},
        fill_rate=costs.service_level,
        rhythm=rhythm,
        currency=costs.currency,
    )


def choose_methods(plan: Plan) -> tuple[tuple[Method, ...], dict[str, str]]:
    """Choose what is held against what: the quick methods, the plan's own candidates, and the federation's model."""
    quick = [Method(kind) for kind in (*POINTS, "anchor")]
    purchases = [Method("logistic_local")] if plan.evaluation.task == "purchase" else []
    candidates, left_out = choose_candidates(ROUTER, plan)
    return tuple(
        dict.fromkeys((*quick, *public_methods(plan), *purchases, *candidates, FEDERATED, PERSONALISED))
    ), left_out


def public_methods(plan: Plan) -> tuple[Method, ...]:
    """Name the public model and its fit to a merchant, where there is one of the plan's shape."""
    there = warm_path(plan.model).is_file()
    return tuple(Method.parse(name) for name in PUBLIC.values() if there and Method.parse(name).kind in OWN)


def _require_rows(context: ReleasedContext, last: date, *, later: bool) -> None:
    """Refuse to take days that are not in the file yet for days without demand."""
    if context.idle_days > context.tolerated_days:
        raise DataError(
            f"Nothing was sold on the last {context.idle_days} open days up to {last}, the end of the horizon, so "
            "those rows seem to be missing: what came of the forecast is not known yet; come back when it is"
            f"{', or choose an earlier --origin' if later else ''}."
        )


def _compare(
    view: View, forecasts: dict[str, Forecast], last: date, weights: dict[str, float], left_out: dict[str, str]
) -> Proof:
    """Score every forecast by what happened, and hold those that rest on the federation against the best own."""
    outcome, task = observe(view.panel, view.plan.model, view.day), view.plan.evaluation.task
    losses = {
        name: entity_losses(forecast, outcome.actual, outcome.counted, metric=COMPARED[task][0])
        for name, forecast in forecasts.items()
    }
    joint = [name for name in (call(FEDERATED), call(PERSONALISED), call(ROUTER)) if name in losses]
    best_own = min((name for name in losses if name not in joint), key=lambda name: losses[name].sum())
    entities = entity_weights(outcome.actual, outcome.counted, task=task)

    def gain(name: str, against: str) -> Gain | None:
        return estimate_gain(losses[name], losses[against], entities)

    public = {name: known if known in losses else "anchor" for name, known in PUBLIC.items()}
    if public[call(PERSONALISED)] == "anchor":  # a model that is fitted is no fair match for one that is not
        del public[call(PERSONALISED)]
    return Proof(
        origin=view.origin,
        last=last,
        entities=len(view.panel.entities),
        metric=COMPARED[task][0],
        scores={name: _score(forecast, outcome, view.plan) for name, forecast in forecasts.items()},
        best_own=best_own,
        gains={name: gain(name, best_own) for name in joint},
        added={name: Added(known, gain(name, known)) for name, known in public.items()},
        weights=weights,
        left_out=left_out,
    )


def _score(forecast: Forecast, outcome: Outcome, plan: Plan) -> dict[str, float | None]:
    if plan.evaluation.task == "demand":
        return score_demand(forecast, outcome)
    assert forecast.probability is not None  # noqa: S101  for mypy: every method here gives one
    return score_purchases(forecast.probability, outcome.actual.sum(axis=1) > 0)
