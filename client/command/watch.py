"""`hansa-client watch`: whether what is sold has left the forecasts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption
from common.command.output import print_json
from common.command.program import EXIT_NO


def watch(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every week to: .csv, .parquet or .xlsx.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether sales left the forecasts.

    Week by week, of the whole shop and of each category that is large enough; a false alarm comes at most once a year
    on average. Exit code 1 says that something was noticed in the last four weeks.
    """
    from client.feedback.drift import watch_shop  # heavy, as is what follows
    from client.feedback.forecast import read_forecasts
    from client.feedback.past import read_past
    from client.feedback.watch_wording import describe_watched, lay_out_weeks, say_watched
    from client.language.count import count_rows
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop

    if out is not None:
        require_table_file(out)
    shop = read_shop(folder)
    with History.open(folder) as history:
        past = read_past(history, shop)
    found = watch_shop(past, read_forecasts(folder))
    if out is not None:
        write_rows(lay_out_weeks(found), out, sheet="watch")
    if as_json:
        print_json({**describe_watched(found), "file": None if out is None else str(out)})
    else:
        for sentence in say_watched(found, currency=shop.currency):
            typer.echo(sentence)
        if out is not None:
            typer.echo(f"Wrote {count_rows(len(found.weeks.mondays) * len(found.weeks.groups))} to {out}.")
    if found.drifts:
        raise typer.Exit(EXIT_NO)
