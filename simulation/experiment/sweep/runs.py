"""Run the plans of a sweep one after another, and keep what they reached as JSON, CSV and a table."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from common.disk.file import write_whole
from common.disk.reading import read_file_json
from common.errors import ConfigError, HansaError
from common.plan.schema import Plan
from simulation.experiment.fingerprint import fingerprint_data
from simulation.experiment.folder import RunFolder
from simulation.experiment.progress_bar import ProgressBar
from simulation.experiment.run import run_plan
from simulation.experiment.sweep.grid import SCHEMA, UNACCOUNTED, USED_UP, Point, describe_run, make_csv


@dataclass(frozen=True)
class Job:
    """What all runs of a sweep share."""

    out: Path
    data_root: Path
    methods: tuple[str, ...]
    seed: int
    device: torch.device
    resume: bool


def run_point(point: Point, job: Job, console: Console) -> dict[str, Any]:
    """Run one plan of the grid in a folder of its own; what it cannot do is noted, and the next one runs."""
    folder, command = RunFolder(job.out / point.name), shlex.join(["hansa-sim", *sys.argv[1:]])
    try:
        data = fingerprint_data(point.plan, job.data_root)
        with folder.held():
            folder.open(point.plan, seed=job.seed, data=data, command=command, resume=job.resume)
            with ProgressBar(console) as display:
                summary = run_plan(
                    point.plan,
                    folder,
                    data_root=job.data_root,
                    methods=job.methods,
                    seed=job.seed,
                    device=job.device,
                    command=command,
                    display=display,
                )
    except HansaError as error:
        console.print(f"  failed: {error}")
        return describe_run(point, summary=None, failure=str(error))
    return describe_run(point, summary=summary, failure=None)


def run_points(
    plan: Plan, points: Sequence[Point], job: Job, origins: tuple[Any, ...], console: Console, *, with_last: bool
) -> dict[str, Any]:
    """Run every plan of the grid, keep the document after each, and return it.

    Raises
    ------
    ConfigError
        The folder holds another sweep, or no run was finished.
    """
    document = _head(plan, origins, job.seed, with_last)
    _require_own(job.out, document, resume=job.resume)
    for number, point in enumerate(points, start=1):
        console.print(f"Run {number} of {len(points)}: {point.name}")
        document["runs"].append(run_point(point, job, console))
        _keep(document, job.out)
    _require_one(document)
    return document


def _head(plan: Plan, origins: tuple[Any, ...], seed: int, with_last: bool) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "plan": plan.name,
        "plan_hash": plan.hash,
        "seed": seed,
        "origins": [str(origin) for origin in origins],
        "last_origin_used": with_last,
        "notes": [UNACCOUNTED, *([USED_UP] * with_last)],
        "runs": [],
    }


def _require_own(out: Path, document: dict[str, Any], *, resume: bool) -> None:
    """Refuse to write over a sweep, unless to go on with it."""
    try:
        there = read_file_json(out / "sweep.json")
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {out / 'sweep.json'}; choose another --out.") from error
    if not resume:
        raise ConfigError(f"{out} already holds a sweep; go on with --resume or choose another --out.")
    if any(there.get(key) != document[key] for key in ("plan_hash", "seed", "origins")):
        raise ConfigError(f"{out} holds a sweep of another plan, seed or origins; choose another --out.")


def _keep(document: dict[str, Any], out: Path) -> None:
    """Write what is done so far."""
    write_whole(out / "sweep.json", (json.dumps(document, indent=2) + "\n").encode())
    write_whole(out / "sweep.csv", make_csv(document["runs"]).encode())


def _require_one(document: dict[str, Any]) -> None:
    failures = [run["failure"] for run in document["runs"]]
    if all(failures):
        raise ConfigError(f"No run of the sweep was finished; the last one says: {failures[-1]}")


def make_sweep_table(document: dict[str, Any], metrics: tuple[str, ...]) -> Table:
    """Lay a sweep out for a terminal: one row per run and method."""
    runs = document["runs"]
    keys = list(runs[0]["settings"])
    table = Table(title=f"{document['plan']}: mean over {', '.join(document['origins'])}", box=SIMPLE)
    for name in (*keys, "method"):
        table.add_column(name)
    for name in metrics:
        table.add_column(name, justify="right")
    for run in runs:
        settings = [str(run["settings"][key]) for key in keys]
        if run["failure"]:
            table.add_row(*settings, "failed")
        for method, scores in run["methods"].items():
            table.add_row(*settings, method, *(_show(scores.get(name)) for name in metrics))
    return table


def _show(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
