"""Run a plan with every combination of some values, and set the runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, DeviceOption, JsonOption, PlanArgument
from common.command.output import make_console, print_json, print_table
from simulation.command.terminal import split_words


def sweep(
    plan_file: PlanArgument,
    out: Annotated[Path, typer.Option(help="Folder for the runs and their comparison.", show_default=False)],
    settings: Annotated[
        list[str],
        typer.Option(
            "--set", metavar="KEY=VALUE,…", help="A key of the plan and its values; repeat it.", show_default=False
        ),
    ],
    data_root: DataRootOption = Path(),
    only: Annotated[str, typer.Option(help="Methods to run, separated by commas; all of the plan's if left out.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="First seed of weights, batches and simulated noise.")] = 0,
    device: DeviceOption = "auto",
    use_last_origin: Annotated[
        bool,
        typer.Option("--use-last-origin", help="Also look at the plan's last origin; nothing is left to test on then."),
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the sweep that the folder holds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run PLAN with combinations of values.

    Every combination of the values of some keys, each in a folder of its own, side by side at the end.
    """
    import torch  # heavy, as is what follows

    from common.machine.device import choose_device
    from simulation.evaluation.summary import HEADLINE
    from simulation.experiment.plans import read_named_plan
    from simulation.experiment.sweep.grid import choose_origins, make_points, parse_setting
    from simulation.experiment.sweep.runs import Job, make_sweep_table, run_points
    from simulation.method.method import check_methods

    torch.set_num_threads(1)  # the engine has threads of its own; torch's would contend with them
    plan = read_named_plan(plan_file)
    origins = choose_origins(plan, with_last=use_last_origin)
    points = make_points(plan, [parse_setting(text) for text in settings], origins)
    job = Job(out, data_root, split_words(only) or plan.evaluation.methods, seed, choose_device(device), resume)
    for point in points:
        check_methods(job.methods, point.plan)
    console = make_console(stderr=as_json)
    document = run_points(plan, points, job, origins, console, with_last=use_last_origin)
    if as_json:
        print_json(document)
        return
    print_table(console, make_sweep_table(document, HEADLINE[plan.evaluation.task]))
    typer.echo("\n".join(document["notes"]))
    typer.echo(f"The numbers are in {out / 'sweep.json'} and {out / 'sweep.csv'}.")
