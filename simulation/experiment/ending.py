"""The end of a run: what history is worth, the answer in `summary.json`, and the page that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from client.decision.stock.cost import StockCosts
from client.decision.stock.walk import Rhythm
from client.forecast.released import forecast_demand
from common.disk.reading import read_file_json
from common.errors import DataError
from common.forecast.method import OWN as OWN_KINDS
from common.forecast.method import POINTS, Method
from common.forecast.metric import Forecast
from common.model.demand_gru import draw_model, load_model
from common.model.warm.start import warm_path
from common.plan.schema import Section
from simulation.evaluation.group import group_by_size
from simulation.evaluation.history import FEWER_MONTHS, MONTHS, TrialMethod, describe_history, measure_curves
from simulation.evaluation.learned import choose_federated
from simulation.evaluation.money import PIECES, WEEKLY, measure_money
from simulation.evaluation.results import Results, read_results
from simulation.evaluation.verdict import OWN, RESAMPLES, answer, choose_pair
from simulation.experiment.folder import Part, RunFolder
from simulation.method.method import Progress, run_method
from simulation.method.routing import models_of, run_personalised
from simulation.origin.origin import Trial
from simulation.report.page import make_page

FITTED = "warm_personalised"
SLOW_SECONDS = 30.0  # of a method at one origin, beyond which it is not trained anew at every length of history


class _Length(Section):
    """A length of history; None stands for more months than there are."""

    months: float
    federated: float
    own: float
    own_method: str
    equal_months: float | None
    low: float | None
    high: float | None


class _History(Section):
    """What `history.json` holds."""

    origin: str
    federated: str
    confidence: float
    lengths: list[_Length]


def conclude(
    folder: RunFolder,
    *,
    method: str = "",
    against: str = "",
    resamples: int = RESAMPLES,
    costs: StockCosts = PIECES,
    rhythm: Rhythm = WEEKLY,
) -> dict[str, Any]:
    """Answer from a finished run, write the answer and the page, and return the summary with the answer in it."""
    results = read_results(folder.path)
    pair = choose_pair(results, method, against)
    found = None if pair is None else answer(results, pair, resamples=resamples, seed=results.summary["seed"])
    if found is not None:
        found["history"] = read_history(folder)
        own = [name for name in own_methods(results) if name != found["method"]]
        others = own if found["chosen"] in {"nearest", OWN} else [found["against"]]
        merchants = found["metrics"][results.metrics[0]]["merchants"]
        found["money"] = measure_money(
            results,
            found["method"],
            others,
            costs=costs,
            rhythm=rhythm,
            resamples=resamples,
            sizes=group_by_size({name: each["entities"] for name, each in merchants.items()}),
        )
    summary = {**results.summary, "answer": found}
    folder.write_json("summary.json", summary)
    folder.write_text("report.html", make_page(Results(results.path, results.plan, summary)))
    return summary


def own_methods(results: Results) -> list[str]:
    """Name what a merchant of the run can do alone."""
    return [name for name in results.methods if Method.parse(name).is_own]


def read_history(folder: RunFolder) -> dict[str, Any] | None:
    """Read what `write_history` wrote; None where there is none.

    Raises
    ------
    DataError
        It is damaged.
    """
    file = folder.path / "history.json"
    if not file.exists():
        return None
    try:
        return _History.model_validate(read_file_json(file)).model_dump()
    except (OSError, ValueError) as error:
        sentence = str(error).splitlines()[0]
        raise DataError(f"Cannot read {file}: {sentence}; delete it, or run the plan again.") from error


def write_history(folder: RunFolder, trial: Trial, methods: Sequence[str], *, seed: int, device: torch.device) -> None:
    """Measure how many months of own history the run's federation is worth, where it has trained one."""
    parts = {
        name: Part(Method.parse(name), trial.origin, seed) for name in (*methods, *trial.plan.evaluation.candidates)
    }
    federated = choose_federated([name for name, part in parts.items() if _is_trained(part, folder)])
    if not federated:
        return
    results = read_results(folder.path)
    best = best_alone(results)
    fitted = fitted_public(trial) if parts[federated].method.personalised else ()
    names = dict.fromkeys((*cheap_methods(trial), *fitted, *([best] if best else [])))
    own = {name: Part(Method.parse(name), trial.origin, seed) for name in names}
    is_slow = results.summary["timing_seconds"].get(best, 0.0) > SLOW_SECONDS * len(results.summary["origins"])
    lengths = FEWER_MONTHS if is_slow else MONTHS
    curves = measure_curves(
        trial,
        {name: _kept(part, trial, folder, _own_method(part, device)) for name, part in own.items()},
        _kept(parts[federated], trial, folder, _federated_method(parts[federated], folder, device)),
        lengths=lengths,
    )
    found = describe_history(curves, names=tuple(own), seed=seed)
    if found is not None:
        folder.write_json("history.json", {"origin": str(trial.origin), "federated": federated, **found})


def _is_trained(part: Part, folder: RunFolder) -> bool:
    """Whether the run holds the models of a federation, as it is or fitted to each merchant."""
    if not (part.method.is_federated and part.method.is_real):
        return False
    return all(folder.model_path(needed).exists() for needed in models_of(part))


def _federated_method(part: Part, folder: RunFolder, device: torch.device) -> TrialMethod:
    """Forecast with a federation's model from whatever past a trial has, fitted to that where it is fitted at all."""
    if part.method.personalised:
        return lambda trial: run_personalised(part, trial, folder)

    def forecast(trial: Trial) -> Forecast:
        model = draw_model(trial.plan.model, trial.series, seed=part.seed)
        load_model(model, folder.model_path(part))
        return forecast_demand(model, trial.series, device=device)

    return forecast


def best_alone(results: Results) -> str:
    """Name the best of a merchant's own methods that average no others; empty where there is none."""
    headline, scores = results.metrics[0], results.summary["methods"]
    alone = [name for name in own_methods(results) if not Method.parse(name).is_routed]
    known = {name: loss for name in alone if (loss := scores[name][headline]) is not None}
    return min(known, key=lambda name: known[name], default="")


def fitted_public(trial: Trial) -> tuple[str, ...]:
    """Name the public model that is fitted to each merchant, where it is a method: a fitted federation meets a fit."""
    there = warm_path(trial.plan.model).is_file() and Method.parse(FITTED).kind in OWN_KINDS
    return (FITTED,) if there else ()


def cheap_methods(trial: Trial) -> tuple[str, ...]:
    """Name the own methods that train in seconds on any length of history, the public model among them."""
    purchases = trial.plan.evaluation.task == "purchase"
    public = ["warm"] if warm_path(trial.plan.model).is_file() else []
    return (*POINTS, "anchor", *public, *(["logistic_local"] if purchases else []))


def _kept(part: Part, whole: Trial, folder: RunFolder, method: TrialMethod) -> TrialMethod:
    """Read what the run has forecast from the whole past, which is the longest; forecast from all others."""

    def forecast(trial: Trial) -> Forecast:
        if trial is whole and folder.read_part(part) is not None:
            return folder.read_forecast(part, len(whole.panel.entities))
        return method(trial)

    return forecast


def _own_method(part: Part, device: torch.device) -> TrialMethod:
    def forecast(trial: Trial) -> Forecast:
        return run_method(part.method, trial, seed=part.seed, device=device, progress=Progress()).forecast

    return forecast
