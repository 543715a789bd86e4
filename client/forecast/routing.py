"""Serve a merchant by the average of several methods, weighed by how each rehearsed on the merchant's last horizon.

    … days before the last horizon  | the last horizon before the origin | the horizon to forecast
    rehearsal: every candidate as it would have been then, held against what came
    forecast: every candidate fitted again, on these days too

Two sides are averaged. One is what the merchant learned alone: trees, classic methods, a network of its own. The other
is a network that came from outside, as it is and fitted to the merchant: the federation's, or the public one, which
learned from invented demand and which anybody can have. A merchant that stays alone has the public one in the very
place of the federation's. So a federation that has learned nothing gains exactly nothing here, and what `routed` gains
over `routed_own` was learned from others.

The sides begin at an even split: forecasts that err differently err less together, if they err alike. With less than a
year of history the own side begins with less, by what its methods could not learn yet. Evidence moves it, slowly; where
there is little of it, or none, the merchant's own side serves.

Everything here is of one merchant and stays there; a simulation does it once per merchant.

Guarantee: no candidate is weighed on days that it has learned from. That is for whoever makes the rehearsals to keep:
`client.forecast.candidate` at a merchant, `simulation.method.routing` in a simulation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit

from client.forecast.combination import POWER, average, known_share, shrunk_excess, usual_share, weigh_methods
from client.forecast.evidence import block_losses
from common.forecast.method import Method
from common.forecast.metric import Forecast, Outcome
from common.plan.schema import Plan

BLOCKS_TO_SHARE = 30  # of an entity and a week: with as many the side from outside begins at a quarter


@dataclass(frozen=True)
class Candidate:
    """What one method said of the last horizon before it was there, and says of the one ahead."""

    rehearsed: Forecast
    forecast: Forecast


@dataclass(frozen=True)
class Routed:
    """A forecast, and the share of each candidate in it."""

    forecast: Forecast
    weights: dict[Method, float]


@dataclass(frozen=True)
class _Judge:
    """What happened in the last horizon, and how forecasts are averaged and held against it."""

    outcome: Outcome
    plan: Plan
    history_days: int

    def average(self, forecasts: list[Forecast], weights: Iterable[float]) -> Forecast:
        return average(forecasts, list(weights), counts=self.plan.model.likelihood != "log_normal")

    def rehearsed(self, side: Mapping[Method, float], candidates: Mapping[Method, Candidate]) -> Forecast:
        return self.average([candidates[method].rehearsed for method in side], side.values())

    def weigh(self, candidates: Mapping[Method, Candidate]) -> dict[Method, float]:
        """Share one side among its candidates."""
        losses = {method: self._losses(candidate.rehearsed) for method, candidate in candidates.items()}
        return weigh_methods(losses, history_days=self.history_days)

    def share(self, outside: Forecast, own: Forecast, *, known: float) -> float:
        """Give the share of the side from outside: a half, less where there is little evidence, moved by it.

        Parameters
        ----------
        known
            How much the merchant's own side has to say (`client.forecast.combination.known_share`): its odds are that
            much lower. So what learns alone has lost to a short history goes to the other side.
        """
        losses, others = self._losses(outside), self._losses(own)
        begin = 0.5 * losses.size / (losses.size + BLOCKS_TO_SHARE)
        return float(expit(logit(begin) - np.log(known) - POWER * shrunk_excess(losses, others)))

    def _losses(self, forecast: Forecast) -> Float[np.ndarray, "entity week"]:
        plan = self.plan
        return block_losses(forecast, self.outcome, task=plan.evaluation.task, bucket_days=plan.model.bucket_days)


def route(candidates: Mapping[Method, Candidate], outcome: Outcome, plan: Plan, *, history_days: int) -> Routed:
    """Average the candidates' forecasts by how their rehearsals went.

    Where nothing can be compared the method serves alone that is the best of the merchant's own as a rule.

    Parameters
    ----------
    outcome
        What happened in the last horizon, of the entities that the rehearsals are of. Those that take part only by
        now are in the forecasts alone.
    history_days
        Days before the last horizon, which the rehearsals could learn from.
    """
    judge, total = _Judge(outcome, plan, history_days), dict.fromkeys(candidates, 0.0)
    usual = [({choose_usual(candidates, history_days=history_days): 1.0}, 1.0)]
    for side, share in _share_sides(candidates, judge) if outcome.counted.any() else usual:
        total |= {method: weight * share for method, weight in side.items()}
    forecasts = [candidate.forecast for candidate in candidates.values()]
    return Routed(judge.average(forecasts, total.values()), total)


def choose_usual(methods: Iterable[Method], *, history_days: int) -> Method:
    """Choose what serves where nothing can be compared: the merchant's own before what came from outside."""
    return max(
        methods,
        key=lambda method: (
            not method.is_from_outside,
            usual_share(method, history_days=history_days),
            method.personalised,
        ),
    )


def _share_sides(candidates: Mapping[Method, Candidate], judge: _Judge) -> list[tuple[dict[Method, float], float]]:
    """Give each side, with its share in the whole."""
    own, outside = (
        {method: candidate for method, candidate in candidates.items() if method.is_from_outside == from_outside}
        for from_outside in (False, True)
    )
    if not own or not outside:
        return [(judge.weigh(candidates), 1.0)]
    sides = judge.weigh(own), judge.weigh(outside)
    known = known_share(own, history_days=judge.history_days)
    share = judge.share(*(judge.rehearsed(side, candidates) for side in reversed(sides)), known=known)
    return [(sides[0], 1.0 - share), (sides[1], share)]
