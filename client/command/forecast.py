"""`hansa-client forecast`: what a shop will sell, from its own history alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast
from zoneinfo import ZoneInfo

import typer

from client.command.day import read_day_or_none
from client.command.progress import Progress
from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError, DataError

if TYPE_CHECKING:
    from client.shop.forecast.outlook import Outlook
    from client.shop.forecast.period import By
    from client.shop.forecast.question import Of, Question

SHOWN = 10  # products in the terminal


def forecast(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    by: Annotated[str, typer.Option("--by", help="day, week or month.")] = "week",
    horizon: Annotated[
        str, typer.Option("--horizon", help="How far ahead, as 28d, 8w or 3m; four weeks or three months if left out.")
    ] = "",
    origin: Annotated[
        str, typer.Option("--from", help="First day to forecast; the day after the last sale if left out.")
    ] = "",
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="Only so many products or categories, of the most demand ahead.")
    ] = None,
    of: Annotated[str, typer.Option("--of", help="product, category or shop: whose sums.")] = "product",
    product: Annotated[list[str] | None, typer.Option("--product", help="Only this product; can be repeated.")] = None,
    method: Annotated[
        str, typer.Option("--method", help="One method alone, as weekday_mean or lightgbm; their average if left out.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every row to: .csv, .parquet or .xlsx.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="File to draw past and future into: .svg or .html.")
    ] = None,
    keeps: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Keep that of products, for score and watch to judge later.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Forecast what the shop will sell.

    By day, week or month, from its own history: no federation is needed, and nothing leaves. The model of one that you
    joined takes part where it helps. What it writes is yours alone. That of products is kept in the folder, so that
    `score` can say how good it was.
    """
    from client.shop.forecast.outlook import forecast_shop, take_top  # heavy, as is what follows
    from client.shop.forecast.picture import draw, require_picture_file
    from client.shop.forecast.question import Question
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.forecast.wording import describe_outlook, list_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop
    from common.disk.file import write_whole

    _refuse_contradictions(of, top, product or ())
    if out is not None:
        require_table_file(out)
    if picture is not None:
        require_picture_file(picture)
    question = Question(
        _read_by(by), horizon, read_day_or_none("--from", origin), tuple(product or ()), method, _read_of(of)
    )
    shop = read_shop(folder)
    with History.open(folder) as history:
        today = datetime.now(ZoneInfo(shop.time_zone)).date()
        whole, span = forecast_shop(history, shop, question, on_step=Progress(), today=today), history.span()
        found = take_top(whole, top)
        if out is not None:
            write_rows(found.table, out, sheet="forecast")
        if picture is not None:
            write_whole(picture, draw(found, history, name=shop.name, page=picture.suffix == ".html").encode())
    if keeps and span is not None and question.of == "product":  # what is judged later are products
        _keep(folder, whole, question, last_sale=span[1])
    for sentence in found.warnings:
        typer.echo(f"hansa-client: {sentence}", err=True)
    if as_json:
        files = {"file": None if out is None else str(out), "picture": None if picture is None else str(picture)}
        print_json({**describe_outlook(found), **files, "rows": list_rows(found)})
    else:
        _say(found, shop.time_zone, out, picture)


def _keep(folder: Path, outlook: Outlook, question: Question, *, last_sale: date) -> None:
    """Keep what is served, to be scored when its days have come; where that fails it is served all the same."""
    from client.feedback.forecast import keep_forecast

    try:
        keep_forecast(folder, outlook, question, last_sale=last_sale, made=datetime.now(UTC))
    except DataError as error:
        typer.echo(f"hansa-client: The forecast is not kept, so score will not know it. {error}", err=True)


def _refuse_contradictions(of: str, top: int | None, products: Sequence[str]) -> None:
    if top is not None and products:
        raise ConfigError("--top and --product ask for different products; leave one of them out.")
    if of == "shop" and top is not None:
        raise ConfigError("--of shop has one row, so there is nothing for --top to choose; leave one of them out.")
    if of in ("category", "shop") and products:
        raise ConfigError(f"--of {of} sums up all products, and --product names some; leave one of them out.")


def _read_by(by: str) -> By:
    if by not in ("day", "week", "month"):
        raise ConfigError(f"--by {by!r} is no period; choose day, week or month.")
    return cast("By", by)


def _read_of(of: str) -> Of:
    if of not in ("product", "category", "shop"):
        raise ConfigError(f"--of {of!r} is no level; choose product, category or shop.")
    return cast("Of", of)


def _say(found: Outlook, time_zone: str, out: Path | None, picture: Path | None) -> None:
    from client.language.count import count_rows
    from client.shop.forecast.wording import make_table, say_outlook

    print_table(make_console(), make_table(found, SHOWN))
    for sentence in say_outlook(found, time_zone=time_zone):
        typer.echo(sentence)
    if out is not None:
        typer.echo(f"Wrote {count_rows(found.table.num_rows)} to {out}; they are yours alone.")
    if picture is not None:
        typer.echo(f"Drew {picture}.")
