"""Run every method of a plan."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from common.errors import ConfigError
from common.plan.reading import read_plan
from simulation.command.report import say_answer
from simulation.command.terminal import make_console, split_words
from simulation.engine.cluster.engine import Cluster, check_cluster
from simulation.evaluation.results import read_evidence
from simulation.evaluation.summary import make_table
from simulation.experiment.folder import RunFolder
from simulation.experiment.progress_bar import ProgressBar
from simulation.experiment.run import run_plan
from simulation.method.method import check_methods


def run(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for everything that the run leaves.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    only: Annotated[str, typer.Option(help="Methods to run, separated by commas; all of the plan's if left out.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="First seed of weights, batches and simulated noise.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    engine: Annotated[str, typer.Option(help="fast, or flower: Flower's simulation on Ray.")] = "fast",
    ray_address: Annotated[str, typer.Option(help="Ray cluster of --engine flower, HOST:PORT; here if left out.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that the folder holds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of a table.")] = False,
) -> None:
    """Run every method of PLAN at every origin and compare them."""
    torch.set_num_threads(1)  # the engine has threads of its own; torch's would contend with them
    plan = read_plan(plan_file)
    methods = split_words(only) or plan.evaluation.methods
    check_methods(methods, plan)
    chosen_device = choose_device(device)
    cluster = choose_cluster(engine, ray_address, out)
    folder = RunFolder(out)
    command = shlex.join(["hansa-sim", *sys.argv[1:]])
    folder.open(plan, seed=seed, command=command, resume=resume)
    console = make_console(stderr=as_json)
    with ProgressBar(console) as display:
        summary = run_plan(
            plan,
            folder,
            data_root=data_root,
            methods=methods,
            seed=seed,
            device=chosen_device,
            command=command,
            display=display,
            cluster=cluster,
        )
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
    else:
        console.print(make_table(summary, plan.evaluation.task))
        say_answer(read_evidence(out))
        typer.echo(f"Everything is in {out}; the numbers are in {out / 'summary.json'}.")


def choose_device(name: str) -> torch.device:
    """Take the GPU if there is one and nothing else was asked for."""
    if name not in {"auto", "cpu", "cuda"}:
        raise ConfigError(f"--device {name} is none of auto, cpu, cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: this machine shows no CUDA device; use --device auto.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_cluster(engine: str, address: str, out: Path) -> Cluster | None:
    """Give the cluster that federations run on, once it is known to answer; None for the fast engine."""
    if engine not in {"fast", "flower"}:
        raise ConfigError(f"--engine {engine} is none of fast, flower.")
    if engine == "fast":
        if address:
            raise ConfigError("--ray-address goes with --engine flower; add that, or leave the address out.")
        return None
    cluster = Cluster(address or os.environ.get("RAY_ADDRESS", ""), out / "flower.log")
    check_cluster(cluster)
    return cluster
