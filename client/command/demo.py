"""`hansa-client demo`: an invented shop to try everything on."""

from __future__ import annotations

import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import click
import typer

from client.command.day import read_day
from common.command.app import JsonOption
from common.command.output import say
from common.errors import ConfigError


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new folder.", show_default=False)],
    until: Annotated[str, typer.Option("--until", help="Last day of its history; yesterday if left out.")] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another number invents another shop.")] = 0,
    serves: Annotated[
        bool | None,
        typer.Option(
            "--serve/--no-serve", help="Open its page at once; in a terminal if left out.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Set up a demo shop, and open its page.

    A good two years of a tea shop, all invented: orders, returns, stock, prices, promotions, views and reviews, as
    exports in FOLDER that are imported as any shop's are. Says what to try on it, and serves it until Ctrl-C.
    """
    from client.shop.demo.export import NAME, TIME_ZONE  # heavy, as is what follows
    from client.shop.demo.founding import found_demo
    from client.shop.demo.next_step import list_steps

    yesterday = datetime.now(ZoneInfo(TIME_ZONE)).date() - timedelta(days=1)
    last = _read_day(until) if until else yesterday
    shop = found_demo(folder, last, seed=seed)
    context = click.get_current_context().find_root()
    commands = context.command
    steps = list(list_steps(commands, folder)) if isinstance(commands, click.Group) else []
    orders, customers = len(set(shop.lines.order.tolist())), len(set(shop.lines.customer.tolist()) - {-1})
    first = shop.law.start
    said = {
        "folder": str(folder),
        "shop": NAME,
        "first": str(first),
        "last": str(last),
        "orders": orders,
        "customers": customers,
        "products": len(shop.law.mean),
        "next": [{"command": line, "answers": answers} for line, answers in steps],
    }
    words = [
        f"{NAME} is an invented shop: {orders:,} orders of {customers:,} customers for {len(shop.law.mean)} products, "
        f"from {first} to {last}.",
        f"Its exports are in {folder / 'exports'}, its settings in {folder / 'shop.toml'}. Try:",
        "",
        *_line_up(steps),
    ]
    say(said, "\n".join(words), as_json=as_json)
    if serves or (serves is None and sys.stdout.isatty() and not as_json):
        from client.command.serve import serve

        typer.echo("")
        serve(folder=folder)


def _line_up(steps: list[tuple[str, str]]) -> list[str]:
    width = max((len(line) for line, _ in steps), default=0)
    return [f"{line.ljust(width)}   {answers}" for line, answers in steps]


def _read_day(text: str) -> date:
    day = read_day("--until", text)
    if not 2003 <= day.year <= 2100:
        raise ConfigError(f"--until {text} lies too far away; choose a day from 2003 to 2100.")
    return day
