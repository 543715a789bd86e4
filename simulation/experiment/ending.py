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
from common.forecast.method import POINTS, Method
from common.forecast.metric import Forecast
from common.model.demand_gru import load_model, make_model
from common.plan.schema import Section
from simulation.evaluation.group import group_by_size
from simulation.evaluation.history import TrialMethod, describe_history, measure_curves
from simulation.evaluation.learned import choose_federated
from simulation.evaluation.money import PIECES, WEEKLY, measure_money
from simulation.evaluation.results import Results, read_results
from simulation.evaluation.verdict import OWN, RESAMPLES, answer, choose_pair
from simulation.experiment.folder import Part, RunFolder
from simulation.method.method import Progress, run_method
from simulation.origin.origin import Trial
from simulation.report.page import make_page


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
    trained = [name for name in methods if folder.model_path(Part(Method.parse(name), trial.origin, seed)).exists()]
    federated = choose_federated(trained)
    if not federated:
        return
    own = {name: _own_method(name, seed, device) for name in cheap_methods(trial)}
    model = make_model(
        trial.plan.model, num_features=trial.series.num_features, num_future=trial.series.num_future, seed=seed
    )
    load_model(model, folder.model_path(Part(Method.parse(federated), trial.origin, seed)))
    curves = measure_curves(trial, own, lambda cut: forecast_demand(model, cut.series, device=device))
    found = describe_history(curves, names=tuple(own), seed=seed)
    if found is not None:
        folder.write_json("history.json", {"origin": str(trial.origin), "federated": federated, **found})


def cheap_methods(trial: Trial) -> tuple[str, ...]:
    """Name the own methods that train in seconds on any length of history."""
    purchases = trial.plan.evaluation.task == "purchase"
    return (*POINTS, "anchor", *(["logistic_local"] if purchases else []))


def _own_method(name: str, seed: int, device: torch.device) -> TrialMethod:
    def forecast(trial: Trial) -> Forecast:
        return run_method(Method(name), trial, seed=seed, device=device, progress=Progress()).forecast

    return forecast
