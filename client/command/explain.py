"""`hansa-client explain`: why so much of a product is forecast."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from client.command.day import read_day_or_none
from client.command.progress import Progress
from common.command.app import JsonOption
from common.command.output import print_json
from common.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from client.explanation.explaining import Explanation


def explain(
    product: Annotated[list[str], typer.Argument(metavar="PRODUCT...", help="Products, by their numbers.")],
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    period: Annotated[
        str, typer.Option("--period", help="As 2025-03-04, 2025-W10 or 2025-03; the next whole week if left out.")
    ] = "",
    origin: Annotated[
        str, typer.Option("--from", help="First day to forecast; the day after the last sale if left out.")
    ] = "",
    method: Annotated[
        str, typer.Option("--method", help="One method alone, as lightgbm; their average if left out.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every part to: .csv, .parquet or .xlsx.")
    ] = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="File to draw it into: .svg or .html.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what moved a forecast.

    What would be usual, and by how many pieces the last weeks, the time of year, holidays, promotions, prices and the
    like move it; the parts add up to what forecast says. And times of the past that were like this one.
    """
    from client.explanation.asked import read_asked  # heavy, as is what follows
    from client.explanation.explaining import explain as take_apart
    from client.explanation.explaining import get_ready
    from client.explanation.picture import draw
    from client.explanation.wording import describe
    from client.shop.forecast.picture import require_picture_file
    from client.shop.forecast.table import require_table_file, write_rows
    from client.shop.history.history import History
    from client.shop.settings import read_shop
    from common.disk.file import write_whole

    if out is not None:
        require_table_file(out)
    if picture is not None:
        require_picture_file(picture)
    asked_from, shop = read_day_or_none("--from", origin), read_shop(folder)
    with History.open(folder) as history:
        span = history.span()
        if span is None:
            raise DataError("Nothing was ever sold in this shop's history; bring sales first: hansa-client import.")
        asked = read_asked(period, asked_from, span[1], method=method)
        _require_sold(product, history.products())
        today = datetime.now(ZoneInfo(shop.time_zone)).date()
        progress = Progress()
        ready = get_ready(history, shop, asked, today=today, on_step=progress)
        progress.clear()
        whys = take_apart(ready, tuple(product))
    if out is not None:
        write_rows(_list_parts(whys), out, sheet="reasons")
    if picture is not None:
        write_whole(picture, draw(whys, name=shop.name, page=picture.suffix == ".html").encode())
    for sentence in ready.warnings:
        typer.echo(f"hansa-client: {sentence}", err=True)
    if as_json:
        files = {"file": None if out is None else str(out), "picture": None if picture is None else str(picture)}
        said = [describe(why) for why in whys]
        print_json({"from": str(whys[0].origin), "warnings": list(ready.warnings), **files, "explanations": said})
    else:
        _say(whys, out, picture)


def _require_sold(products: list[str], known: pa.Table) -> None:
    """Refuse a product that nobody can say anything of, before anything is fitted.

    Raises
    ------
    ConfigError
        It is not in the history, or was never sold.
    """
    names = known["product"].to_pylist()
    sold = {name for name, first in zip(names, known["first_day"].to_pylist(), strict=True) if first is not None}
    for product in products:
        if product in sold:
            continue
        if product in names:
            raise ConfigError(
                f"{product} is in the shop's list but was never sold, so there is no forecast to explain."
            )
        like = [name for name in names if product.lower() in name.lower()]
        near = f"did you mean {', '.join(like[:3])}?" if like else "see what is sold: hansa-client forecast."
        raise ConfigError(f"No product {product!r} was ever sold in this shop; {near}")


def _list_parts(whys: tuple[Explanation, ...]) -> pa.Table:
    import pyarrow as pa

    from client.explanation.wording import say_group

    rows = [(why, group, pieces) for why in whys for group, pieces in why.parts.items()]
    return pa.table(
        {
            "product": pa.array([why.product for why, _, _ in rows], pa.string()),
            "name": pa.array([why.name for why, _, _ in rows], pa.string()),
            "period": pa.array([why.period.name for why, _, _ in rows], pa.string()),
            "forecast": pa.array([why.mean for why, _, _ in rows], pa.float64()),
            "part": pa.array([group for _, group, _ in rows], pa.string()),
            "pieces": pa.array([pieces for _, _, pieces in rows], pa.float64()),
            "words": pa.array([say_group(group, why) for why, group, _ in rows], pa.string()),
        }
    )


def _say(whys: tuple[Explanation, ...], out: Path | None, picture: Path | None) -> None:
    from client.explanation.wording import say_lines, say_made, say_sentence, say_similar

    for number, why in enumerate(whys):
        typer.echo("\n" * (number > 0) + say_sentence(why))
        if why.mean > 0:
            typer.echo("\n".join(("", *say_lines(why), "", *say_similar(why), say_made(why))))
    if out is not None:
        typer.echo(f"Wrote every part to {out}; they are yours alone.")
    if picture is not None:
        typer.echo(f"Drew {picture}.")
