"""Whether new products are forecast better by how others sold after their first sale."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError


def births(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A shop's folder, with shop.toml and its history.", show_default=False),
    ],
    first: Annotated[str, typer.Option("--first", help="First day of the first horizon.", show_default=False)],
    origins: Annotated[int, typer.Option(min=1, help="How many days to forecast from, 28 days apart.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """Measure what new products borrow.

    Sums of 28 days of products in the states newborn, new and rare are forecast from days of the past with and without
    what the shop's births before them tell, and held against what came.
    """
    from rich.box import SIMPLE  # heavy, as is what follows
    from rich.table import Table

    from client.shop.history.history import History
    from client.shop.settings import read_shop
    from simulation.evaluation.birth import DAYS, measure_births

    try:
        begin = date.fromisoformat(first)
    except ValueError as error:
        raise ConfigError(f"--first {first!r} is no day; write it as 2011-01-10.") from error
    chosen = [begin + timedelta(days=DAYS * number) for number in range(origins)]
    shop, console = read_shop(folder), make_console(stderr=True)
    with History.open(folder) as history:
        found = measure_births(
            history, shop, origins=chosen, on_step=lambda origin: console.print(f"forecast as of {origin}")
        )
    if as_json:
        print_json({"origins": [str(day) for day in chosen], "days": DAYS, "judged": [asdict(each) for each in found]})
        return
    table = Table(
        title=f"sums of {DAYS} days, from {len(chosen)} days between {chosen[0]} and {chosen[-1]}", box=SIMPLE
    )
    for column in ("state", "forecast by", "sums", "deviance", "its ratio", "WAPE", "its ratio", "mean/sold", "within"):
        table.add_column(column, justify="left" if column in ("state", "forecast by") else "right")
    for each in found:
        ratios = [
            f"{middle:.2f} ({low:.2f} to {high:.2f})" for middle, low, high in (each.deviance_ratio, each.wape_ratio)
        ]
        errors = f"{each.deviance:.1f}", ratios[0], f"{each.wape:.3f}", ratios[1]
        table.add_row(each.state, each.way, f"{each.sums:,}", *errors, f"{each.bias:.2f}", f"{each.coverage:.1%}")
    print_table(make_console(), table)
