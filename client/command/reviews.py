"""`hansa-client reviews`: what customers write, what changed since when, and whether sales follow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table


def reviews(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every product to: .csv, .parquet or .xlsx.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what reviews tell.

    The mood by product, what changed and since when, and whether sales follow. Ratings first; words count only where
    the shop's own rated reviews prove that they can be read. Nothing leaves.
    """
    from client.decision.review.report import report_reviews  # heavy, as is what follows
    from client.decision.review.wording import describe_report, make_table, say_report
    from client.language.count import count_rows
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop

    if out is not None:
        require_table_file(out)
    read_shop(folder)
    with History.open(folder) as history:
        found = report_reviews(history)
    if out is not None:
        write_rows(found.table, out, sheet="reviews")
    if as_json:
        print_json({**describe_report(found), "file": None if out is None else str(out)})
        return
    print_table(make_console(), make_table(found))
    for sentence in say_report(found):
        typer.echo(sentence)
    if out is not None:
        typer.echo(f"Wrote {count_rows(found.table.num_rows)} to {out}; they are yours alone.")
