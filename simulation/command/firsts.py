"""Say what a federation knows that a merchant who was not in it has not lived yet."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import make_console
from common.errors import ConfigError, HansaError
from simulation.command.terminal import split_words
from simulation.command.warm import read_origins

ALL_DAYS = "all"


def firsts(
    plan_file: PlanArgument,
    out: Annotated[Path, typer.Option(help="Folder for what is measured.", show_default=False)],
    data_root: DataRootOption = Path(),
    days: Annotated[str, typer.Option(help="Days of history left to a merchant, separated by commas.")] = "60,120,365",
    origins: Annotated[str, typer.Option(help="Dates, separated by commas; the plan's origins if left out.")] = "",
    only: Annotated[str, typer.Option(help="Federations, separated by commas; all of the plan's if left out.")] = "",
    folds: Annotated[int, typer.Option(min=2, help="Each is left out of one training.")] = 3,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions of each federation.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="First seed, and the seed of the folds.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what the folder holds.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure first weeks and first Christmases.

    Merchants of PLAN are left out of a federation of the others, their histories are cut short, and it forecasts for
    them, against the best that each could do alone.
    """
    import torch  # heavy, as is what follows

    from simulation.command.report import say_study
    from simulation.experiment.fingerprint import fingerprint_data
    from simulation.experiment.firsts.pool import pool_firsts
    from simulation.experiment.firsts.reading import FIRSTS
    from simulation.experiment.firsts.store import Store
    from simulation.experiment.firsts.study import Asked, federations_of, measure_firsts
    from simulation.experiment.folder import RunFolder
    from simulation.experiment.plans import read_named_plan
    from simulation.experiment.progress_bar import ProgressBar
    from simulation.method.method import check_methods
    from simulation.origin.origin import load_panel

    torch.set_num_threads(1)
    plan = read_named_plan(plan_file)
    methods = federations_of(plan, split_words(only))
    check_methods((*(method.name for method in methods), "routed_own"), plan)
    chosen = read_origins(origins) or plan.evaluation.origins
    asked = Asked(chosen, read_lengths(days), methods, folds=folds, seeds=seeds, seed=seed)
    folder, command = RunFolder(out), shlex.join(["hansa-sim", *sys.argv[1:]])
    data = fingerprint_data(plan, data_root)
    with folder.held(), ProgressBar(make_console(stderr=True)) as display:
        folder.open(plan, seed=seed, data=data, command=command, resume=resume)
        panel = load_panel(plan, data_root)
        try:
            losses = measure_firsts(plan, panel, asked, Store(out), on_share=display.follow)
        except KeyboardInterrupt as stop:
            raise HansaError("stopped; what is done is kept, go on with the same command and --resume.") from stop
        found = pool_firsts(losses, plan)
        folder.write_json(FIRSTS, found)
    say_study(out, as_json=as_json)


def read_lengths(text: str) -> tuple[int, ...]:
    """Read lengths of history that stand between commas; `all` is 0."""
    words = split_words(text)
    try:
        lengths = tuple(0 if word == ALL_DAYS else int(word) for word in words)
    except ValueError as error:
        raise ConfigError(f"--days {text} is no list of days: write 60,120,365,all.") from error
    if not lengths or any(length < 1 and word != ALL_DAYS for length, word in zip(lengths, words, strict=True)):
        raise ConfigError(f"--days {text} must name lengths of at least one day: write 60,120,365,all.")
    return tuple(dict.fromkeys(lengths))
