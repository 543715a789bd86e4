"""`hansa-client audit`: a merchant's own raw data, under the noise that its own policy would choose."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.account.policy import read_policy
from client.folder import JsonOption, MerchantFolder, PlaceOption, print_json
from common.plan.reading import read_plan

EXIT_VIOLATION = 1


def audit(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path(),
    level: Annotated[
        str, typer.Option(help="Levels, separated by commas, out of l0, l1, independence, accounting; all if left out.")
    ] = "",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Look for a broken promise on copies of your own data; nothing is sent or spent."""
    import torch  # heavy, as is what follows, and needed here alone

    from client.audit.level import LEVELS, audit_merchant
    from client.audit.subject import make_subject

    torch.set_num_threads(1)
    subject = make_subject(read_plan(plan_file), data_root, read_policy(MerchantFolder(folder).policy))
    report = audit_merchant(subject, levels=tuple(name.strip() for name in level.split(",")) if level else LEVELS)
    if as_json:
        print_json(report.as_json())
    else:
        typer.echo(report.as_text())
    if not report.clean:
        raise typer.Exit(EXIT_VIOLATION)
