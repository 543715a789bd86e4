"""`hansa-client doctor`: whether everything is there that a round needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from client.folder import JsonOption, MerchantFolder, PlaceOption, print_json
from common.plan.reading import read_plan

EXIT_FAULT = 1


def doctor(
    plan_file: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="Also check this plan, and your data against it.")
    ] = None,
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path(),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    folder: PlaceOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Check policy, ledger, keys, certificate, clock, gateway, disk, device and data, and say how to mend each."""
    from client.diagnosis.doctor import examine  # heavy, and needed here alone

    plan = None if plan_file is None else read_plan(plan_file)
    verdicts = examine(MerchantFolder(folder), plan, data_root=data_root, device=device)
    if as_json:
        print_json([asdict(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            typer.echo(f"{'FAULT' if verdict.is_fault else 'ok':5}  {verdict.name}: {verdict.sentence}")
    if any(verdict.is_fault for verdict in verdicts):
        raise typer.Exit(EXIT_FAULT)
