"""`hansa-client check`: whether a shop's history is ready, and what a round of a plan reads of its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.folder import PlaceOption, write_new
from common.command.app import DataRootOption, JsonOption
from common.command.output import print_json, say
from common.command.program import EXIT_MISTAKE
from common.errors import ConfigError


def check(
    plan_file: Annotated[
        Path | None, typer.Argument(metavar="PLAN", help="A plan; the shop's own history if left out.")
    ] = None,
    data_root: DataRootOption = Path(),
    folder: PlaceOption = Path(),
    page: Annotated[
        Path | None, typer.Option("--page", help="Without PLAN: also write the report as a page.", show_default=False)
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help="Without PLAN: take up a proposal by its key, or all.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with your data.

    Without PLAN: whether the shop's history is ready to forecast from; what each problem does to a forecast, and how
    to mend it. With PLAN: what a round would read of your files, what it would leave out, and what looks odd. Nothing
    leaves; exit code 2 where something is wrong.
    """
    if plan_file is None:
        _check_shop(folder, page, accept or [], as_json=as_json)
        return
    if page is not None or accept:
        raise ConfigError("--page and --accept are for the shop's own history; leave PLAN out, or leave them out.")
    from client.data.check.inspection import inspect_files  # heavy, as is what follows
    from common.plan.reading import read_plan

    report = inspect_files(read_plan(plan_file), data_root)
    say(report.as_json(), report.as_text(), as_json=as_json)
    if report.fails:
        raise typer.Exit(EXIT_MISTAKE)


def _check_shop(folder: Path, page: Path | None, keys: list[str], *, as_json: bool) -> None:
    from client.shop.history.history import History  # heavy, as is what follows
    from client.shop.readiness.acceptance import accept, choose
    from client.shop.readiness.inspection import inspect_shop
    from client.shop.settings import read_shop

    shop = read_shop(folder)
    with History.open(folder) as history:
        report = inspect_shop(history, shop)
        entries = accept(history, choose(report, keys))
        if entries:
            report = inspect_shop(history, shop)
    if page is not None:
        write_new(page, report.as_page())
    if as_json:
        print_json({**report.as_json(), "accepted": [{"import": each.number, "what": each.origin} for each in entries]})
    else:
        for each in entries:
            typer.echo(
                f"Accepted as import {each.number}; take it back with: hansa-client history --undo {each.number}"
            )
        typer.echo(report.as_text())
        if page is not None:
            typer.echo(f"Wrote {page}.")
    if report.fails:
        raise typer.Exit(EXIT_MISTAKE)
