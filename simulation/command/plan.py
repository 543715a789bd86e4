"""Write a starter plan; look at what a plan's data holds."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from common.errors import ConfigError
from common.plan.reading import read_plan
from simulation.command.terminal import EXIT_MISTAKE, write_text
from simulation.experiment.check import check_plan


def plan(
    out: Annotated[Path | None, typer.Option(help="File to write; the terminal if left out.")] = None,
) -> None:
    """Write a commented starter plan."""
    text = files("simulation").joinpath("starter.toml").read_text()
    if out is None:
        typer.echo(text, nl=False)
    elif out.exists():
        raise ConfigError(f"{out} exists already; choose another --out.")
    else:
        write_text(out, text)
        typer.echo(f"Wrote {out}; describe your columns in it, then: hansa-sim run {out} --out runs/first")


def check(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and findings as JSON.")] = False,
) -> None:
    """Say what the data of PLAN holds and what would go wrong, before anything is trained."""
    report = check_plan(read_plan(plan_file), data_root)
    typer.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())
    if report.fails:
        raise typer.Exit(EXIT_MISTAKE)
