"""`hansa-client score`: how good the forecasts were that were served."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from client.command.day import read_day_or_none
from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table

NOTHING = (
    "Nothing can be scored yet: no forecast is kept whose days have come. Forecast (hansa-client forecast), import "
    "what came, and ask again."
)


def score(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    since: Annotated[str, typer.Option("--since", help="Only days from this one on, as 2025-06-30.")] = "",
    rehearsed: Annotated[
        bool, typer.Option("--rehearsed", help="Score forecasts of days that had come already when they were made.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every case to: .csv, .parquet or .xlsx.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say how good the forecasts were.

    In pieces and in money, by product group, beside what a plain mean would have said; of every forecast and proposal
    that was kept and whose days have come.
    """
    from client.feedback.forecast import read_forecasts  # heavy, as is what follows
    from client.feedback.kept import FORECAST, list_kinds, read_kept
    from client.feedback.past import read_past
    from client.feedback.proposal import judge_proposals
    from client.feedback.score import find_cases, score_cases
    from client.feedback.score_wording import describe_scores, lay_out_cases, make_table, say_outcome, say_scores
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop

    day = read_day_or_none("--since", since) or date.min
    if out is not None:
        require_table_file(out)
    shop = read_shop(folder)
    with History.open(folder) as history:
        past = read_past(history, shop)
    cases = find_cases(past, read_forecasts(folder, since=day, rehearsed=rehearsed), since=day)
    found = [(each, score_cases(past, each)) for each in cases]
    kinds = [kind for kind in list_kinds(folder) if kind != FORECAST]
    outcomes = [judge_proposals(past, kind, read_kept(folder, kind, since=day)) for kind in kinds]
    if out is not None and cases:
        write_rows(lay_out_cases(past, cases), out, sheet="scores")
    if as_json:
        file = str(out) if out is not None and cases else None
        scores = describe_scores(past, found)
        print_json({"scores": scores, "proposals": [asdict(outcome) for outcome in outcomes], "file": file})
        return
    if not found:
        typer.echo(NOTHING)
    for each, scores_of in found:
        for sentence in say_scores(past, each, scores_of, currency=shop.currency):
            typer.echo(sentence)
        if len(scores_of) > 2:
            print_table(make_console(), make_table(each, scores_of, currency=shop.currency))
    for outcome in outcomes:
        for sentence in say_outcome(outcome, currency=shop.currency):
            typer.echo(sentence)
    if out is not None and cases:
        typer.echo(f"Wrote {sum(len(each.row) for each in cases)} cases to {out}.")
