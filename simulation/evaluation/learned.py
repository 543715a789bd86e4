"""What a federation learned: what it adds to what is public, and what one that cannot help would seem to add.

`summary.json` keeps it under `answer`, by the run's headline metric:

    added       what the run can tell of routed over routed_own, of the federation over the public model, and of both
                fitted to each merchant: a list of method, against (both names), gain, low, high, verdict
    controls    CONTROL → the same of a federation that cannot help (`simulation.method.control`) in the place of the
                answer's, and the answer's gain `over` it; empty where none was run
    noise       the same of federations that do worse than one with more noise, as a list
    worth       yes, no, unclear, or not shown: better by what a federation that cannot help would be better by too

Yes is said where the method is clearly better than what it is held against, where no control is, and where it is
clearly better than every control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd

from common.forecast.method import CONTROLS, Method
from simulation.evaluation.paired import gain_of, pair_losses
from simulation.evaluation.results import Results, measure_losses

PUBLIC = Method("warm")
USUAL_EPSILON = 2.0


@dataclass(frozen=True)
class Comparer:
    """Compare methods of a run by its headline metric; what was read of one is kept for the next.

    Attributes
    ----------
    losses
        METHOD → what each entity adds, see `simulation.evaluation.results.measure_losses`.
    """

    results: Results
    losses: dict[str, pd.DataFrame]
    resamples: int
    seed: int

    def compare(self, method: str, against: str) -> dict[str, Any] | None:
        """Give the gain of one method over another; None where the run lacks one, or there is nothing to compare."""
        if method not in self.results.methods or against not in self.results.methods or method == against:
            return None
        found = [self._measure(name) for name in (method, against)]
        pairs = pair_losses(self.results, found[0], found[1], self.results.metrics[0])
        gain = gain_of(pairs, self.resamples, [self.seed, 0])  # the draws of the answer's own gain
        if gain is None:
            return None
        known = {key: gain[key] for key in ("gain", "low", "high", "verdict")}  # the losses are among the methods'
        return {"method": method, "against": against, **known}

    def _measure(self, name: str) -> pd.DataFrame:
        if name not in self.losses:
            self.losses[name] = measure_losses(self.results, name)
        return self.losses[name]


def describe_learning(
    comparer: Comparer, method: str, against: str, pooled: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Tell what the federation behind an answer learned.

    Parameters
    ----------
    pooled
        The answer's own gain, of `method` over `against`.
    """
    controls = find_controls(comparer, method, against)
    return {
        "worth": judge(pooled, controls),
        "added": find_added(comparer, federation_behind(comparer.results, method)),
        "controls": controls,
        "noise": find_noise(comparer),
    }


def judge(pooled: Mapping[str, Any] | None, controls: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in a word whether joining was worth it, by the answer's gain and by what the controls gained."""
    if pooled is None or pooled["verdict"] == "unclear":
        return "unclear"
    if pooled["verdict"] == "worse":
        return "no"
    earned = all(
        control["verdict"] != "better" and control["over"] is not None and control["over"]["verdict"] == "better"
        for control in controls.values()
    )
    return "yes" if earned else "not shown"


def find_controls(comparer: Comparer, method: str, against: str) -> dict[str, dict[str, Any]]:
    """Hold the control of a method against the same, and the method against its control."""
    real, found = Method.parse(method), {}
    for control in CONTROLS if real.is_real and (real.is_federated or real.kind == "routed") else ():
        name = replace(real, control=control).name
        gain = comparer.compare(name, against)
        if gain is not None:
            found[control] = {**gain, "over": comparer.compare(method, name)}
    return found


def find_added(comparer: Comparer, federation: Method | None) -> list[dict[str, Any]]:
    """Hold the routers against each other, and a federation against the public model, as it is and fitted.

    A run that lacks the public model may hold the same as the federation that hands out its start.
    """
    gains = [comparer.compare("routed", "routed_own")]
    for method in () if federation is None else (federation, replace(federation, personalised=True)):
        public = replace(PUBLIC, personalised=method.personalised).name
        there = public if public in comparer.results.methods else replace(method, control="null").name
        gains.append(comparer.compare(method.name, there))
    return [gain for gain in gains if gain is not None]


def federation_behind(results: Results, method: str) -> Method | None:
    """Name the federation that a method of a run rests on; the one at the epsilon nearest to 2 for any other."""
    named = Method.parse(method)
    candidates = map(Method.parse, results.plan.evaluation.candidates) if named.kind == "routed" else ()
    behind = (
        named
        if named.is_federated and named.is_real
        else next((each for each in candidates if each.is_federated), None)
    )
    if behind is None:
        chosen = choose_federated(results.methods)
        behind = Method.parse(chosen) if chosen else None
    return None if behind is None else behind.federation


def choose_federated(methods: Sequence[str]) -> str:
    """Name the method that stands for the federation: at the epsilon nearest to 2, personalised where there is one.

    Of two trusts it is the one that supposes less.
    """
    federated = [method for name in methods if (method := Method.parse(name)).is_federated and method.is_real]
    return min(federated, key=_distance).name if federated else ""


def _distance(method: Method) -> tuple[float, bool, bool]:
    epsilon = float("inf") if method.epsilon is None else method.epsilon
    return abs(epsilon - USUAL_EPSILON), method.trusts_sum, not method.personalised


def find_noise(comparer: Comparer) -> list[dict[str, Any]]:
    """Find federations that do worse than the same with the next smaller epsilon, hence more noise."""
    scores, headline = comparer.results.summary["methods"], comparer.results.metrics[0]
    federated = [method for name in scores if (method := Method.parse(name)).is_federated and method.is_real]
    private = [method for method in federated if method.is_private]
    found = []
    for trusts_sum, personalised in sorted({(method.trusts_sum, method.personalised) for method in private}):
        alike = [each for each in private if (each.trusts_sum, each.personalised) == (trusts_sum, personalised)]
        alike.sort(key=lambda method: method.epsilon or 0.0)
        for noisier, quieter in pairwise(method.name for method in alike):
            losses = [scores[name][headline] for name in (quieter, noisier)]
            if None not in losses and losses[0] > losses[1]:
                found.append(comparer.compare(quieter, noisier))
    return [gain for gain in found if gain is not None]
