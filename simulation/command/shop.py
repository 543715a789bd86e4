"""A shop's folder made of a plan's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import say


def shop(
    plan_file: PlanArgument,
    out: Annotated[Path, typer.Option("--out", help="New folder.", show_default=False)],
    quantity: Annotated[str, typer.Option(help="Column that holds how many were sold.")] = "quantity",
    data_root: DataRootOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make a shop's folder of PLAN's rows.

    With it, what one shop does by itself can be measured on the data of a plan: `hansa-client forecast`, `hansa-sim
    joint` and others.
    """
    from simulation.experiment.plans import read_named_plan  # heavy, as is what follows
    from simulation.localhost.shop import found_shop

    lines = found_shop(read_named_plan(plan_file), data_root, out, quantity=quantity)
    say({"folder": str(out), "lines": lines}, f"Made {out} of {lines:,} lines.", as_json=as_json)
