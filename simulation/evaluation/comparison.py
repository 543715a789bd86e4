"""Runs side by side: what differs between them, and every metric of every method with its difference to the first.

The comparison is one JSON document:

runs            folder, plan, plan_hash, seed, complete, command
differences     KEY → value in each run, for keys of the plan, the seed and the versions that are not all alike;
                a key that a run's plan does not have is null
methods         METHOD → METRIC → values, one per run, and differences, each to the first run
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from simulation.evaluation.results import Results
from simulation.evaluation.summary import HEADLINE
from simulation.report.wording import number

SECONDS = "seconds"
LONGEST_VALUE = 60  # characters in a terminal; JSON and the page have it whole


def compare_runs(runs: Sequence[Results]) -> dict[str, Any]:
    """Set runs beside each other."""
    told = ("plan", "plan_hash", "seed", "complete", "command")
    return {
        "runs": [{"folder": str(run.path), **{key: run.summary[key] for key in told}} for run in runs],
        "differences": _differences([_facts(run) for run in runs]),
        "methods": {
            method: _lines(runs, method) for method in dict.fromkeys(method for run in runs for method in run.methods)
        },
    }


def label_runs(runs: Sequence[Results]) -> list[str]:
    """Name each run by its folder, or by the whole path where two folders are named alike."""
    names = [run.path.resolve().name for run in runs]
    return [name if names.count(name) == 1 else str(run.path) for name, run in zip(names, runs, strict=True)]


def make_comparison_table(compared: Mapping[str, Any], labels: Sequence[str]) -> Table:
    """Lay the comparison out for a terminal: one row per method and metric."""
    table = Table(title=Text("Runs side by side"), box=SIMPLE)
    table.add_column("method", no_wrap=True)
    table.add_column("metric", no_wrap=True)
    for place, label in enumerate(labels):
        table.add_column(Text(label), justify="right")
        if place:
            table.add_column("change", justify="right")
    for method, lines in compared["methods"].items():
        for place, (metric, line) in enumerate(lines.items()):
            cells = [number(line["values"][0])]
            for value, change in zip(line["values"][1:], line["differences"][1:], strict=True):
                cells += [number(value), "–" if change is None else f"{change:+.4f}"]
            table.add_row("" if place else method, metric, *cells)
        table.add_section()
    return table


def make_difference_table(compared: Mapping[str, Any], labels: Sequence[str]) -> Table:
    """Lay out what differs between the runs."""
    table = Table(title=Text("What differs"), box=SIMPLE)
    table.add_column("key")
    for label in labels:
        table.add_column(Text(label))
    for key, values in compared["differences"].items():
        table.add_row(Text(key), *(Text(_shorten(value)) for value in values))
    return table


def _shorten(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _lines(runs: Sequence[Results], method: str) -> dict[str, Any]:
    """Give the method's metrics that are defined in at least one run."""
    tasks = dict.fromkeys(run.plan.evaluation.task for run in runs)
    metrics = [*(metric for task in tasks for metric in HEADLINE[task]), SECONDS]
    values = {metric: [_value(run, method, metric) for run in runs] for metric in metrics}
    return {metric: _line(found) for metric, found in values.items() if any(value is not None for value in found)}


def _value(run: Results, method: str, metric: str) -> float | None:
    if metric == SECONDS:
        value: float | None = run.summary["timing_seconds"].get(method)
        return value
    return run.summary["methods"].get(method, {}).get(metric)


def _line(values: Sequence[float | None]) -> dict[str, Any]:
    first = values[0]
    differences = [None if value is None or first is None else value - first for value in values]
    return {"values": list(values), "differences": differences}


def _facts(run: Results) -> dict[str, Any]:
    """Flatten the plan, the seed and the versions into one level of dotted keys."""
    return {
        **dict(_flatten(run.plan.model_dump(mode="json"), "plan")),
        "seed": run.summary["seed"],
        **dict(_flatten(run.summary["versions"], "versions")),
    }


def _flatten(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flatten(inner, f"{key}.{name}")
    else:
        yield key, value


def _differences(facts: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    keys = dict.fromkeys(key for known in facts for key in known)
    beside = {key: [known.get(key) for known in facts] for key in keys}
    return {key: values for key, values in beside.items() if any(value != values[0] for value in values)}
