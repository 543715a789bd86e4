"""Write a starter plan, list those that hansa brings along, look at what a plan's data holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import say
from common.command.program import EXIT_MISTAKE
from simulation.command.terminal import write_text


def plan(
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out.")] = None,
) -> None:
    """Write a commented starter plan."""
    from importlib.resources import files

    from common.errors import ConfigError

    text = files("simulation").joinpath("starter.toml").read_text()
    if out is None:
        typer.echo(text, nl=False)
    elif out.exists():
        raise ConfigError(f"{out} exists already; choose another --out.")
    else:
        write_text(out, text)
        typer.echo(f"Wrote {out}; describe your columns in it, then: hansa-sim run {out} --out runs/first")


def plans(as_json: JsonOption = False) -> None:
    """List the plans that hansa brings.

    Wherever PLAN is asked for, the name of one of them will do.
    """
    from simulation.experiment.plans import bundled_plans

    found = {name: str(path) for name, path in bundled_plans().items()}
    width = max(map(len, found))
    say(found, "\n".join(f"{name:{width}}  {path}" for name, path in found.items()), as_json=as_json)


def check(plan_file: PlanArgument, data_root: DataRootOption = Path(), as_json: JsonOption = False) -> None:
    """Look at PLAN's data before a run.

    Says what it holds and what would go wrong, before anything is trained; exit code 2 where a run would fail.
    """
    from simulation.experiment.check import check_plan
    from simulation.experiment.plans import read_named_plan

    report = check_plan(read_named_plan(plan_file), data_root)
    say(report.as_json(), report.as_text(), as_json=as_json)
    if report.fails:
        raise typer.Exit(EXIT_MISTAKE)
