"""Make public models, and say what one is worth to a merchant on its first days."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError
from simulation.command.terminal import require_page, split_words, write_text


def warm(
    plan_file: PlanArgument,
    out: Annotated[Path | None, typer.Option(help="File to write; hansa's own public model if left out.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 1500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and of the invented worlds.")] = 0,
) -> None:
    """Make the public model for PLAN's shape.

    From invented demand; a federation of such a plan may start from it.
    """
    import torch  # heavy, as is what follows
    from safetensors import SafetensorError

    from common.model.warm.start import save_warm, warm_path
    from simulation.experiment.plans import read_named_plan
    from simulation.experiment.progress_bar import ProgressBar
    from simulation.synthetic.pretraining.train import measure_calendar, train_warm

    torch.set_num_threads(1)
    plan = read_named_plan(plan_file)
    path = out or warm_path(plan.model)
    with ProgressBar(make_console(stderr=True)) as display:
        display.begin(f"public model for {plan.name}, {steps} steps")
        model, series = train_warm(
            plan.model,
            num_steps=steps,
            seed=seed,
            on_step=lambda step, loss: display.show(step / steps, f"loss {loss:.4f}"),
        )
    try:
        moments = measure_calendar(plan.model, seed) if plan.model.calendar else None
        save_warm(model, series, path, moments=moments)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"Cannot write {path}: {error}; choose another --out.") from error
    typer.echo(f'Wrote {path}; plans of this shape start there with federation.start = "warm".')


def newcomer(
    plan_file: PlanArgument,
    data_root: DataRootOption = Path(),
    days: Annotated[int, typer.Option(min=1, help="Days of history that every merchant has.")] = 14,
    origins: Annotated[str, typer.Option(help="Dates, separated by commas; the plan's origins if left out.")] = "",
    rounds: Annotated[int, typer.Option(min=0, help="Also train so many rounds from both starts.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the cold start's weights.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Also write table and curves as a page, a .html file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what serves a merchant's first days.

    And with --rounds how many rounds the public model saves a federation of PLAN.
    """
    import torch  # heavy, as is what follows

    from simulation.experiment.newcomer import (
        describe_newcomers,
        make_newcomer_page,
        make_newcomer_table,
        race_starts,
        say_race,
        score_newcomers,
    )
    from simulation.experiment.plans import read_named_plan
    from simulation.origin.origin import load_panel, make_trial

    torch.set_num_threads(1)
    require_page(out)
    plan = read_named_plan(plan_file)
    panel = load_panel(plan, data_root)
    trials = [make_trial(plan, panel, origin) for origin in read_origins(origins) or plan.evaluation.origins]
    scores = [score_newcomers(trial, days) for trial in trials]
    race = race_starts(trials[0], num_rounds=rounds, seed=seed) if rounds else None
    found = describe_newcomers(plan, scores, days=days, race=race)
    if out is not None:
        write_text(out, make_newcomer_page(found))
    if as_json:
        print_json(found)
        return
    print_table(make_console(), make_newcomer_table(found))
    if race is not None:
        typer.echo(say_race(found["race"]))


def read_origins(text: str) -> tuple[date, ...]:
    """Read dates that stand between commas."""
    try:
        return tuple(date.fromisoformat(word) for word in split_words(text))
    except ValueError as error:
        raise ConfigError(f"--origins {text} is no list of dates: write 2011-06-12,2011-09-10.") from error
