"""Serve a merchant by the average of several methods, weighed by how each rehearsed on the merchant's last horizon.

    … days before the last horizon  | the last horizon before the origin | the horizon to forecast
    rehearsal: every candidate as it would have been then, held against what came
    forecast: every candidate fitted again, on these days too

Everything here is of one merchant and stays there; a simulation does it once per merchant.

Guarantee: no candidate is weighed on days that it has learned from. That is for whoever makes the rehearsals to keep:
`client.forecast.candidate` at a merchant, `simulation.method.routing` in a simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from client.forecast.combination import average, weigh_methods
from common.forecast.entity_loss import COMPARED, entity_losses
from common.forecast.metric import Forecast, Outcome
from common.plan.schema import Plan


@dataclass(frozen=True)
class Candidate:
    """What one method said of the last horizon before it was there, and says of the one ahead."""

    rehearsed: Forecast
    forecast: Forecast


@dataclass(frozen=True)
class Routed:
    """A forecast, and the share of each candidate in it."""

    forecast: Forecast
    weights: dict[str, float]


def route(candidates: Mapping[str, Candidate], outcome: Outcome, plan: Plan) -> Routed:
    """Average the candidates' forecasts by how their rehearsals went; the first serves where nothing can be compared.

    Parameters
    ----------
    outcome
        What happened in the last horizon, of the entities that the rehearsals are of. Those that take part only by
        now are in the forecasts alone.
    """
    counted, metric = outcome.counted.any(axis=1), COMPARED[plan.evaluation.task][0]
    losses = {
        name: entity_losses(candidate.rehearsed, outcome.actual, outcome.counted, metric=metric)[counted]
        for name, candidate in candidates.items()
    }
    weights = weigh_methods(losses)
    forecasts = [candidate.forecast for candidate in candidates.values()]
    counts = plan.model.likelihood != "log_normal"
    return Routed(average(forecasts, list(weights.values()), counts=counts), weights)
