"""`hansa-client doctor`: whether everything is there that a round needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from client.folder import MerchantFolder, PlaceOption
from common.command.app import DataRootOption, DeviceOption, JsonOption
from common.command.output import say
from common.command.program import EXIT_NO


def doctor(
    plan_file: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="Also check this plan, and your data against it.")
    ] = None,
    data_root: DataRootOption = Path(),
    device: DeviceOption = "auto",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what a round still lacks.

    Looks at policy, ledger, keys, certificate, clock, gateway, disk, device and data, and says how to mend each; exit
    code 1 says that there is something to mend.
    """
    from client.diagnosis.doctor import examine  # heavy, and needed here alone
    from common.plan.reading import read_plan

    plan = None if plan_file is None else read_plan(plan_file)
    verdicts = examine(MerchantFolder(folder), plan, data_root=data_root, device=device)
    lines = [f"{'FAULT' if found.is_fault else 'ok':5}  {found.name}: {found.sentence}" for found in verdicts]
    say([asdict(verdict) for verdict in verdicts], "\n".join(lines), as_json=as_json)
    if any(verdict.is_fault for verdict in verdicts):
        raise typer.Exit(EXIT_NO)
