"""`hansa-client audit`: a merchant's own raw data, under the noise that its own policy would choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.folder import MerchantFolder, PlaceOption
from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import say
from common.command.program import EXIT_NO


def audit(
    plan_file: PlanArgument,
    data_root: DataRootOption = Path(),
    level: Annotated[
        str,
        typer.Option(
            help="Levels, separated by commas, out of l0, l1, independence, accounting, restart, ledger, channels, "
            "size, sum, bulk; all but bulk if left out."
        ),
    ] = "",
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Look at more of everything: every level, minutes, 1.5 GB of memory.")
    ] = False,
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Look for a broken promise.

    On copies of your own data; nothing is sent or spent. Exit code 1 says that one was found.
    """
    import torch  # heavy, as is what follows, and needed here alone

    from client.account.policy import read_policy
    from client.audit.level import audit_merchant, choose_levels, effort_of
    from client.audit.subject import make_subject
    from common.plan.reading import read_plan

    torch.set_num_threads(1)
    subject = make_subject(read_plan(plan_file), data_root, read_policy(MerchantFolder(folder).policy))
    report = audit_merchant(
        subject,
        levels=choose_levels(level, thorough=thorough),
        effort=effort_of(thorough=thorough),
        on_level=lambda name: typer.echo(f"looking at {name} …", err=True),
    )
    say(report.as_json(), report.as_text(), as_json=as_json)
    if not report.clean:
        raise typer.Exit(EXIT_NO)
