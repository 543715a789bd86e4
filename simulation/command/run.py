"""Run every method of a plan."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.command.app import DataRootOption, DeviceOption, JsonOption, PlanArgument
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError, HansaError
from simulation.command.report import say_answer
from simulation.command.terminal import split_words

if TYPE_CHECKING:
    from simulation.engine.cluster.engine import Cluster


def run(
    plan_file: PlanArgument,
    out: Annotated[Path, typer.Option(help="Folder for everything that the run leaves.", show_default=False)],
    data_root: DataRootOption = Path(),
    only: Annotated[str, typer.Option(help="Methods to run, separated by commas; all of the plan's if left out.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="First seed of weights, batches and simulated noise.")] = 0,
    device: DeviceOption = "auto",
    engine: Annotated[str, typer.Option(help="fast, or flower: Flower's simulation on Ray.")] = "fast",
    ray_address: Annotated[str, typer.Option(help="Ray cluster of --engine flower, HOST:PORT; here if left out.")] = "",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that the folder holds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run PLAN's methods and compare them.

    Every method at every origin. Stopped at any moment, the folder keeps what is done; --resume goes on.
    """
    import torch  # heavy, as is what follows

    from common.machine.device import choose_device
    from simulation.evaluation.results import read_results
    from simulation.evaluation.summary import make_table
    from simulation.experiment.fingerprint import fingerprint_data
    from simulation.experiment.folder import RunFolder
    from simulation.experiment.plans import read_named_plan
    from simulation.experiment.progress_bar import ProgressBar
    from simulation.experiment.run import run_plan
    from simulation.method.method import check_methods

    torch.set_num_threads(1)  # the engine has threads of its own; torch's would contend with them
    plan = read_named_plan(plan_file)
    methods = split_words(only) or plan.evaluation.methods
    check_methods(methods, plan)
    chosen_device = choose_device(device)
    cluster = choose_cluster(engine, ray_address, out)
    data = fingerprint_data(plan, data_root)
    folder = RunFolder(out)
    command = shlex.join(["hansa-sim", *sys.argv[1:]])
    console = make_console(stderr=as_json)
    with folder.held():
        folder.open(plan, seed=seed, data=data, command=command, resume=resume)
        try:
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
        except KeyboardInterrupt as stop:
            raise HansaError("stopped; what is done is kept, go on with the same command and --resume.") from stop
    if as_json:
        print_json(summary)
    else:
        print_table(console, make_table(summary, plan.evaluation.task))
        say_answer(read_results(out))
        typer.echo(f"Everything is in {out}, the numbers in {out / 'summary.json'}, the page in {out / 'report.html'}.")


def choose_cluster(engine: str, address: str, out: Path) -> Cluster | None:
    """Give the cluster that federations run on, once it is known to answer; None for the fast engine."""
    from simulation.engine.cluster.engine import Cluster, check_cluster

    if engine not in {"fast", "flower"}:
        raise ConfigError(f"--engine {engine} is none of fast, flower.")
    if engine == "fast":
        if address:
            raise ConfigError("--ray-address goes with --engine flower; add that, or leave the address out.")
        return None
    cluster = Cluster(address or os.environ.get("RAY_ADDRESS", ""), out / "flower.log")
    check_cluster(cluster)
    return cluster
