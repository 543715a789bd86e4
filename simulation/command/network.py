"""Try the network on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.plan.reading import read_plan
from simulation.localhost.export import export_merchants
from simulation.localhost.federation import run_localhost_federation


def export(
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for the merchants' folders.")],
    data_root: Annotated[Path, typer.Option(help="Folder that data.path starts from.")] = Path("."),
    merchants: Annotated[int | None, typer.Option(min=1, help="Only so many, the largest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the rows of each merchant of PLAN to a file of its own, to try the network with."""
    sizes = export_merchants(read_plan(plan_file), data_root, out, merchants=merchants)
    if as_json:
        typer.echo(json.dumps(sizes, indent=2))
    for name, size in {} if as_json else sizes.items():
        typer.echo(f"{out / name / 'sales.csv'}: {size} entities")


def federation(
    out: Annotated[Path, typer.Option(help="New folder for the coordinator's and the merchants' folders.")],
    plan_file: Annotated[Path, typer.Option("--plan", help="The plan to launch.")] = Path("plans/federation.toml"),
    source_file: Annotated[Path, typer.Option("--from", help="The plan whose merchants take part.")] = Path(
        "plans/demo.toml"
    ),
    merchants: Annotated[int, typer.Option(min=2, help="How many, the largest.")] = 5,
    epsilon: Annotated[float, typer.Option(min=0.1, max=32.0, help="What each gives to the plan.")] = 8.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a federation of separate processes over TLS on this machine, and show what each merchant gets of it."""
    console = Console(stderr=as_json)
    said = run_localhost_federation(plan_file, source_file, out, merchants=merchants, epsilon=epsilon, console=console)
    if as_json:
        typer.echo(json.dumps(said, indent=2))
        return
    seconds = [line["seconds"] for line in said["launch"]["last_rounds"]]
    typer.echo(
        f"{said['launch']['round']} rounds over TLS, the last {len(seconds)} took {sum(seconds) / len(seconds):.2f} s "
        f"each; {said['seconds']:.0f} s with everything. Every ledger, model and forecast is in {out}."
    )
