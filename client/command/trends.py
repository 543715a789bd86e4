"""`hansa-client trends`: what the market does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from client.command.day import read_day_or_none
from client.command.progress import Progress
from common.command.app import JsonOption
from common.command.output import print_json
from common.errors import ConfigError

TOP = 20  # products looked at one by one


def trends(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    top: Annotated[
        int | None, typer.Option("--top", min=0, help="Best-selling products to look at one by one; 20 if left out.")
    ] = None,
    product: Annotated[list[str] | None, typer.Option("--product", help="Only this product; can be repeated.")] = None,
    until: Annotated[str, typer.Option("--until", help="The last day to look at; all if left out.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every week to: .csv, .parquet or .xlsx.")
    ] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="File to draw into: .svg or .html.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what rises and falls.

    Level, trend and changes of the shop, its categories and its products, each with an interval and since when; and
    what sold more or less than expected in the last four weeks.
    """
    from client.decision.market.market import read_market  # heavy, as is what follows
    from client.decision.market.picture import draw
    from client.decision.market.wording import (
        describe_finding,
        describe_surprises,
        lay_out,
        say_findings,
        say_surprises,
    )
    from client.feedback.forecast import read_forecasts
    from client.language.count import count_rows
    from client.shop.forecast.picture import require_picture_file
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop
    from common.disk.file import write_whole

    if top is not None and product:
        raise ConfigError("--top and --product ask for different products; leave one of them out.")
    if out is not None:
        require_table_file(out)
    if picture is not None:
        require_picture_file(picture)
    last, shop = read_day_or_none("--until", until), read_shop(folder)
    with History.open(folder) as history:
        found = read_market(
            history,
            shop,
            read_forecasts(folder),
            products=tuple(product or ()),
            most=TOP if top is None else top,
            until=last,
            on_step=Progress(),
        )
    if out is not None and found.findings:
        write_rows(lay_out(found.past, found.findings), out, sheet="trends")
    if picture is not None:
        drawn = draw(found.past, found.findings, name=shop.name, page=picture.suffix == ".html")
        write_whole(picture, drawn.encode())
    if as_json:
        groups = [describe_finding(found.past, finding) for finding in found.findings]
        files = {"file": None if out is None else str(out), "picture": None if picture is None else str(picture)}
        said = {"until": str(found.past.last), "groups": groups, "surprises": describe_surprises(found.surprises)}
        print_json({**said, **files})
        return
    sentences = [*say_findings(found.findings)]
    if not product:
        sentences += say_surprises(found.surprises)
    for sentence in sentences or ["Nothing sells enough, over enough weeks, for a trend to be told."]:
        typer.echo(sentence)
    if out is not None and found.findings:
        typer.echo(f"Wrote {count_rows(sum(len(each.weeks) for each in found.findings))} to {out}.")
    if picture is not None:
        typer.echo(f"Drew {picture}.")
