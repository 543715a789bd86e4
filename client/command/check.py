"""`hansa-client check`: what a round of a plan would read of a merchant's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.folder import JsonOption, print_json
from common.plan.reading import read_plan

EXIT_FAULT = 2


def check(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what a round of PLAN would read of your files, what it would leave out, and what is odd."""
    from client.data.check.inspection import inspect_files  # heavy, and needed here alone

    report = inspect_files(read_plan(plan_file), data_root)
    if as_json:
        print_json(report.as_json())
    else:
        typer.echo(report.as_text())
    if report.fails:
        raise typer.Exit(EXIT_FAULT)
