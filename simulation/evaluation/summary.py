"""What a run found, as one JSON document and one table.

    schema           1
    plan, plan_hash, seed, command
    complete         whether every part is done
    methods          METHOD → METRIC → mean over origins and seeds
    spread           METHOD → METRIC → standard deviation over seeds of the mean over origins; private methods only
    origins          ORIGIN → METHOD → METRIC, mean over seeds
    merchants        METHOD → MERCHANT → METRIC, mean over origins and seeds; `entities` is their mean number
    small_merchants  METHOD → METRIC, all merchants with fewer than 150 entities pooled, mean over origins and seeds
    busiest          METHOD → METRIC, the 500 entities with the most demand before the origin, where there are more than
                     500; mean over origins and seeds
    choices          METHOD → MERCHANT → CANDIDATE → its weight in what served the merchant, mean over origins and seeds
    privacy          METHOD → unit, adjacency, epsilon, delta, mu, noise_multiplier, clipping_norm, num_rounds, ...
    data             entities and days of the panel, merchants at the first origin
    answer           is it worth joining? see `simulation.evaluation.verdict`; null before the run is complete
    timing_seconds   METHOD → training and forecasting, summed over origins and seeds; `total` of the whole run, with
                     what personalised and routed methods needed besides
    versions         of Python and of the libraries that matter

A metric that is not defined (no distribution, one class) is null. Purchases are scored by auc, log_loss, brier,
accuracy, precision and recall; demand by wape, rmsse, rmspe, wql, coverage80, coverage80_mid and bias
(`common.forecast.metric`).
"""

from __future__ import annotations

import math
import platform
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import numpy as np
from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from common.forecast.method import POOLED, Method
from common.forecast.metric import Forecast, Outcome, score_demand, score_purchases
from common.plan.schema import Plan
from common.privacy.accounting import customer_mu, epsilon_of
from common.secure_sum.cohort import usual_cohort_terms
from simulation.engine.shared_noise import usual_share
from simulation.method.method import delta_of_plan, epsilon_of_method, mechanism_of, plan_of
from simulation.method.routing import federation_of, share_of_choices
from simulation.origin.origin import Trial

SMALL_MERCHANT_ENTITIES = 150
BUSIEST_ENTITIES = 500
CONTROL_WORDS = {"null": "learns nothing", "shuffled": "learns noise"}
LIBRARIES = ("hansa", "torch", "opacus", "flwr", "numpy", "pandas", "scikit-learn")
HEADLINE = {
    "demand": ("wape", "rmsse", "rmspe", "wql", "coverage80", "coverage80_mid", "bias"),
    "purchase": ("auc", "log_loss", "brier", "accuracy", "precision", "recall"),
}

Metrics = dict[str, float | None]


def score_part(forecast: Forecast, trial: Trial) -> dict[str, Any]:
    """Score one forecast over everyone, per merchant, over all small merchants together, and over who sells most."""
    merchants, sizes = {}, {}
    for merchant in trial.merchants:
        rows = trial.rows_of(merchant)
        sizes[merchant] = len(rows)
        merchants[merchant] = {
            "entities": len(rows),
            **_score(forecast.select(rows), trial.outcome.select(rows), trial),
        }
    small = [trial.rows_of(merchant) for merchant, size in sizes.items() if size < SMALL_MERCHANT_ENTITIES]

    def score_some(rows: np.ndarray) -> Metrics:
        return _score(forecast.select(rows), trial.outcome.select(rows), trial)

    return {
        "all": _score(forecast, trial.outcome, trial),
        "merchants": merchants,
        "small_merchants": score_some(np.sort(np.concatenate(small))) if small else {},
        "busiest": score_some(busiest) if len(busiest := _find_busiest(trial)) else {},
    }


def _find_busiest(trial: Trial) -> np.ndarray:
    """Rows of the entities with the most demand before the origin; none where that would be nearly everyone."""
    if len(trial.panel.entities) <= BUSIEST_ENTITIES:
        return np.array([], int)
    demand = trial.panel.target[:, : trial.day].sum(axis=1, dtype=np.float64)
    return np.sort(np.argsort(-demand, kind="stable")[:BUSIEST_ENTITIES])


def _score(forecast: Forecast, outcome: Outcome, trial: Trial) -> Metrics:
    if trial.plan.evaluation.task == "demand":
        return score_demand(forecast, outcome)
    probability = forecast.probability if forecast.probability is not None else np.zeros(len(outcome.actual))
    return score_purchases(probability, outcome.actual.sum(1) > 0)


def describe_privacy(method: Method, plan: Plan, size_classes: Iterable[int]) -> dict[str, Any] | None:
    """State the guarantee of a private method; None for every other, and for a control, which promises nothing."""
    federation = federation_of(method, plan)
    if federation is None or federation.epsilon is None or method.control:
        return None
    size_classes = tuple(size_classes)
    largest = max(size_classes)
    delta, mechanism = delta_of_plan(plan, largest), mechanism_of(method, plan, largest)
    num_rounds, num_origins = plan_of(method, plan).privacy.training.num_rounds, len(plan.evaluation.origins)
    mu = math.sqrt(num_rounds * mechanism.mu_squared)
    statement: dict[str, Any] = {
        "unit": plan.privacy.unit,
        "adjacency": f"add or remove one {plan.privacy.unit} with everything it did at one merchant",
        "epsilon": epsilon_of(mu, delta),
        "delta": delta,
        "mu": mu,
        "noise_multiplier": mechanism.noise_multiplier,
        "clipping_norm": mechanism.clipping_norm,
        "num_rounds": num_rounds,
        "epsilon_if_all_origins_were_released": epsilon_of(mu * math.sqrt(num_origins), delta),
        "noise": "seeded, for simulation only: replayable, so it hides nothing from whoever knows the seed",
        "not_protected": "a merchant's size class and participation; one entity at two merchants is two units",
    }
    if plan.privacy.unit != "customer":
        statement["customer_guarantee"] = "none: a customer who touched k units changes k records, by up to 2C each"
        statement["epsilon_of_a_customer_by_units_touched"] = {
            str(k): epsilon_of(customer_mu(mu, k), delta) for k in (1, 5)
        }
    if federation.trusts_sum:
        statement |= _describe_trust(plan, len(size_classes), mu, delta)
    return statement


def _describe_trust(plan: Plan, num_members: int, mu: float, delta: float) -> dict[str, Any]:
    """State what a promise that rests on the secure sum supposes, and what is left of it where that is wrong."""
    terms = plan.privacy.sum
    share = terms.noise_share if terms else usual_share(num_members)
    return {
        "trust": "the secure sum: nobody sees one merchant's, and each adds a share of the noise",
        "colluders": terms.colluders if terms else usual_cohort_terms(num_members)[1],
        "epsilon_if_all_others_collude": epsilon_of(mu * math.sqrt(share), delta),
    }


def summarise(parts: list[dict[str, Any]], plan: Plan, header: dict[str, Any]) -> dict[str, Any]:
    """Average the scores of all finished parts; of those that only serve others the time alone counts."""
    total_seconds = sum(part["seconds"] for part in parts)
    parts = [part for part in parts if part["stage"] == "whole"]
    by_method = _group(parts, "method")
    return {
        "schema": 1,
        **header,
        "methods": {method: _mean(_per_seed(group)) for method, group in by_method.items()},
        "spread": {
            method: _deviation(_per_seed(group))
            for method, group in by_method.items()
            if epsilon_of_method(Method.parse(method), plan) is not None
        },
        "origins": {
            origin: {method: _mean(part["all"] for part in same) for method, same in _group(group, "method").items()}
            for origin, group in _group(parts, "origin").items()
        },
        "merchants": {method: _per_merchant(group) for method, group in by_method.items()},
        "small_merchants": {
            method: _mean(part["small_merchants"] for part in group) for method, group in by_method.items()
        },
        "busiest": {method: _mean(part["busiest"] for part in group) for method, group in by_method.items()},
        "choices": {
            method: share_of_choices([part["choices"] for part in group])
            for method, group in by_method.items()
            if Method.parse(method).is_routed
        },
        "privacy": {method: group[0]["privacy"] for method, group in by_method.items() if group[0]["privacy"]},
        "timing_seconds": {
            **{method: sum(part["seconds"] for part in group) for method, group in by_method.items()},
            "total": total_seconds,
        },
        "versions": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }


def _group(parts: Iterable[dict[str, Any]], key: str) -> dict[Any, list[dict[str, Any]]]:
    groups: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for part in parts:
        groups[part[key]].append(part)
    return groups


def _per_seed(parts: list[dict[str, Any]]) -> list[Metrics]:
    return [_mean(part["all"] for part in group) for group in _group(parts, "seed").values()]


def _per_merchant(parts: list[dict[str, Any]]) -> dict[str, Metrics]:
    names = sorted({name for part in parts for name in part["merchants"]})
    return {name: _mean(part["merchants"][name] for part in parts if name in part["merchants"]) for name in names}


def _mean(rows: Iterable[Metrics]) -> Metrics:
    return _reduce(rows, np.mean)


def _deviation(rows: Iterable[Metrics]) -> Metrics:
    return _reduce(rows, lambda values: np.std(values, ddof=1) if len(values) > 1 else 0.0)


def _reduce(rows: Iterable[Metrics], how: Any) -> Metrics:
    columns: dict[str, list[float | None]] = defaultdict(list)
    for row in rows:
        for metric, value in row.items():
            columns[metric].append(value)
    reduced: Metrics = {}
    for metric, values in columns.items():
        known = [value for value in values if value is not None and math.isfinite(value)]
        reduced[metric] = float(how(known)) if known else None
    return reduced


def make_table(summary: dict[str, Any], task: str) -> Table:
    """Lay the summary out for a terminal: one row per method, epsilon and unit beside it."""
    metrics = HEADLINE[task]
    origins = len(summary["origins"])
    table = Table(title=Text(f"{summary['plan']}: mean over {origins} origin{'s' * (origins > 1)}"), box=SIMPLE)
    table.add_column("method", no_wrap=True)
    table.add_column("privacy")
    for metric in (*metrics, "seconds"):
        table.add_column(metric, justify="right")
    for method, scores in summary["methods"].items():
        values = [_show(scores.get(metric)) for metric in metrics]
        table.add_row(
            name_in_table(method, summary),
            say_privacy(method, summary),
            *values,
            f"{summary['timing_seconds'][method]:.1f}",
        )
    return table


def name_in_table(method: str, summary: dict[str, Any]) -> str:
    """Name a method, and say so where it was run at fewer origins than others: its means are then of other days."""
    ran, origins = sum(method in scores for scores in summary["origins"].values()), len(summary["origins"])
    return method if ran == origins else f"{method} ({ran} of {origins} origins)"


def say_privacy(method: str, summary: dict[str, Any]) -> str:
    """Say a method's epsilon and unit, or where the data is without one."""
    stated = summary["privacy"].get(method)
    if not stated:
        return _place_of(Method.parse(method))
    return f"ε {stated['epsilon']:.3g} per {stated['unit']}" + (", trusting the sum" if stated.get("trust") else "")


def _place_of(method: Method) -> str:
    if method.control:
        return f"a control: {CONTROL_WORDS[method.control]}"
    if method.is_federated:
        return "none: no noise"
    return "none: pools all data" if method.kind in POOLED else "data stays"


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
