"""Try the network on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import DataRootOption, JsonOption, PlanArgument
from common.command.output import make_console, say


def export(
    plan_file: PlanArgument,
    out: Annotated[Path, typer.Option(help="Folder for the merchants' folders.", show_default=False)],
    data_root: DataRootOption = Path(),
    merchants: Annotated[int | None, typer.Option(min=1, help="Only so many, the largest; all if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write each merchant's rows to a file.

    One folder for each merchant of PLAN, to try the network with. A name that not every system takes
    for a folder, such as Meier/Soehne, is written with percent signs, and nothing is written outside --out.
    """
    from simulation.experiment.plans import read_named_plan
    from simulation.localhost.export import export_merchants, sales_file

    sizes = export_merchants(read_named_plan(plan_file), data_root, out, merchants=merchants)
    words = "\n".join(f"{sales_file(out, name)}: {size} entities" for name, size in sizes.items())
    say(sizes, words, as_json=as_json)


def federation(
    out: Annotated[
        Path, typer.Option(help="New folder for the coordinator's and the merchants' folders.", show_default=False)
    ],
    plan_file: Annotated[Path, typer.Option("--plan", help="The plan to launch.")] = Path("federation"),
    source_file: Annotated[Path, typer.Option("--from", help="The plan whose merchants take part.")] = Path("demo"),
    merchants: Annotated[int, typer.Option(min=2, help="How many take part: the largest.")] = 5,
    epsilon: Annotated[
        float, typer.Option(min=0.1, max=32.0, help="What each merchant's policy gives to the plan.")
    ] = 8.0,
    as_json: JsonOption = False,
) -> None:
    """Run a real federation on this machine.

    Coordinator and merchants are processes of their own that talk over TLS; at the end each merchant sees what it got
    out of it.
    """
    from simulation.experiment.plans import find_plan
    from simulation.localhost.federation import run_localhost_federation

    said = run_localhost_federation(
        find_plan(plan_file),
        find_plan(source_file),
        out,
        merchants=merchants,
        epsilon=epsilon,
        console=make_console(stderr=as_json),
    )
    seconds = [line["seconds"] for line in said["launch"]["last_rounds"]]
    say(
        said,
        f"{said['launch']['round']} rounds over TLS, the last {len(seconds)} took {sum(seconds) / len(seconds):.2f} s "
        f"each; {said['seconds']:.0f} s with everything. Every ledger, model and forecast is in {out}.",
        as_json=as_json,
    )
