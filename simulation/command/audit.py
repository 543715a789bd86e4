"""Look for a broken promise at one merchant of a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import torch
import typer

from client.audit.level import LEVELS
from common.plan.reading import read_plan
from simulation.command.terminal import EXIT_VIOLATION, split_words
from simulation.experiment.audit import ALL_LEVELS, audit_plan


def audit(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    level: Annotated[
        str, typer.Option(help=f"Levels, separated by commas, out of {', '.join(ALL_LEVELS)}.")
    ] = ",".join(LEVELS),
    merchant: Annotated[str, typer.Option(help="Merchant to audit; the smallest with two entities if left out.")] = "",
    epsilon: Annotated[
        float | None, typer.Option(min=0.01, help="The promise; the plan's strictest method if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Look for a broken promise at one merchant of PLAN; exit code 1 says that one was found."""
    torch.set_num_threads(1)
    report = audit_plan(read_plan(plan_file), data_root, levels=split_words(level), merchant=merchant, epsilon=epsilon)
    typer.echo(json.dumps(report.as_json(), indent=2) if as_json else report.as_text())
    if not report.clean:
        raise typer.Exit(EXIT_VIOLATION)
