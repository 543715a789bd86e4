"""Look for a broken promise at one merchant of a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import say
from common.command.program import EXIT_NO


def audit(
    plan_file: PlanArgument,
    data_root: DataRootOption = Path(),
    level: Annotated[
        str,
        typer.Option(
            help="Out of l0, l1, independence, accounting, restart, ledger, channels, size, sum, bulk, l2; all "
            "but bulk and l2 if left out."
        ),
    ] = "",
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Look at more of everything: all levels but l2, 1.5 GB of memory.")
    ] = False,
    merchant: Annotated[str, typer.Option(help="Merchant to audit; the smallest with two entities if left out.")] = "",
    epsilon: Annotated[
        float | None, typer.Option(min=0.01, help="Promise to audit; that of the plan's strictest method if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look for a broken promise.

    At one merchant of PLAN, on copies of its rows; exit code 1 says that one was found.
    """
    import torch  # heavy, as is what follows

    from client.audit.level import choose_levels, effort_of
    from simulation.experiment.audit import audit_plan
    from simulation.experiment.plans import read_named_plan

    torch.set_num_threads(1)
    report = audit_plan(
        read_named_plan(plan_file),
        data_root,
        levels=choose_levels(level, thorough=thorough),
        merchant=merchant,
        epsilon=epsilon,
        effort=effort_of(thorough=thorough),
        on_level=lambda name: typer.echo(f"looking at {name} …", err=True),
    )
    say(report.as_json(), report.as_text(), as_json=as_json)
    if not report.clean:
        raise typer.Exit(EXIT_NO)
