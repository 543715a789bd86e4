"""Run a plan with every combination of some values, and set the runs side by side."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from common.errors import ConfigError, HansaError
from common.plan.reading import read_plan
from common.plan.schema import Plan
from simulation.command.run import choose_device
from simulation.command.terminal import make_console, split_words, write_text
from simulation.evaluation.summary import HEADLINE
from simulation.experiment.folder import RunFolder
from simulation.experiment.progress_bar import ProgressBar
from simulation.experiment.run import run_plan
from simulation.experiment.sweep import (
    SCHEMA,
    UNACCOUNTED,
    USED_UP,
    Point,
    choose_origins,
    describe_run,
    make_csv,
    make_points,
    parse_setting,
)
from simulation.method.method import check_methods


def sweep(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs and their comparison.")],
    settings: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE,…", help="A key of the plan and its values; repeat it.")
    ],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    only: Annotated[str, typer.Option(help="Methods to run, separated by commas; all of the plan's if left out.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="First seed of weights, batches and simulated noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    use_last_origin: Annotated[
        bool, typer.Option("--use-last-origin", help="Also look at the plan's last origin; no test is left then.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the sweep that the folder holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print sweep.json instead of a table.")] = False,
) -> None:
    """Run PLAN with every combination of the values of some keys, and compare the runs."""
    torch.set_num_threads(1)  # the engine has threads of its own; torch's would contend with them
    plan = read_plan(plan_file)
    origins = choose_origins(plan, with_last=use_last_origin)
    points = make_points(plan, [parse_setting(text) for text in settings], origins)
    job = Job(out, data_root, split_words(only) or plan.evaluation.methods, seed, choose_device(device), resume)
    for point in points:
        check_methods(job.methods, point.plan)
    document = _head(plan, origins, seed, use_last_origin)
    _require_own(out, document, resume=resume)
    console = make_console(stderr=as_json)
    for number, point in enumerate(points, start=1):
        console.print(f"Run {number} of {len(points)}: {point.name}")
        document["runs"].append(run_point(point, job, console))
        _keep(document, out)
    _require_one(document)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    console.print(make_sweep_table(document, HEADLINE[plan.evaluation.task]))
    typer.echo("\n".join(document["notes"]))
    typer.echo(f"The numbers are in {out / 'sweep.json'} and {out / 'sweep.csv'}.")


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
        folder.open(point.plan, seed=job.seed, command=command, resume=job.resume)
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
        there = json.loads((out / "sweep.json").read_text())
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
    write_text(out / "sweep.json", json.dumps(document, indent=2) + "\n")
    write_text(out / "sweep.csv", make_csv(document["runs"]))


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
