"""How often sums of a shop's sample paths hold what they promise."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError


def joint(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A shop's folder, with shop.toml and its history.", show_default=False),
    ],
    days: Annotated[int, typer.Option(min=1, help="Days of each sum.")] = 14,
    origins: Annotated[int, typer.Option(min=1, help="How many days to forecast from.")] = 13,
    draws: Annotated[int, typer.Option(min=20, help="Sample paths.")] = 200,
    as_json: JsonOption = False,
) -> None:
    """Measure how often sums lie as foretold.

    The shop is forecast from days of its past that lie two windows apart, the last one two windows before its end. Of
    products, categories and the shop: the share of sums within their 80 % interval, beside independent days.
    """
    from rich.box import SIMPLE  # heavy, as is what follows
    from rich.table import Table

    from client.shop.history.history import History
    from client.shop.settings import read_shop
    from simulation.evaluation.joint import measure_coverage

    shop, console = read_shop(folder), make_console(stderr=True)
    with History.open(folder) as history:
        span = history.span()
        if span is None:
            raise ConfigError(f"Nothing was ever sold in the history of {folder}; import sales first.")
        last = span[1] - timedelta(days=2 * days - 1)
        chosen = [last - timedelta(days=2 * days * back) for back in reversed(range(origins))]

        def tell(origin: date) -> None:
            console.print(f"forecast as of {origin}")

        found = measure_coverage(history, shop, origins=chosen, days=days, num_draws=draws, on_step=tell)
    if as_json:
        print_json(
            {"origins": [str(day) for day in chosen], "days": days, "coverage": [asdict(each) for each in found]}
        )
        return
    title = (
        f"sums of {days} days within their 80 % interval, from {len(chosen)} days between {chosen[0]} and {chosen[-1]}"
    )
    table = Table(title=title, box=SIMPLE)
    for column in ("of", "drawn as", "sums", "within", "fair", "95 % interval of it"):
        table.add_column(column, justify="left" if column in ("of", "drawn as") else "right")
    for each in found:
        bounds = f"{each.low:.1%} to {each.high:.1%}"
        table.add_row(each.level, each.of, f"{each.sums:,}", f"{each.coverage:.1%}", f"{each.fair:.1%}", bounds)
    print_table(make_console(), table)
