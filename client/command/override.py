"""`hansa-client override`: say what you expect in place of what is forecast, take it back, and see who was right."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from client.command.day import read_day
from common.command.app import JsonOption, make_app
from common.command.output import print_json, say
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.shop.override.effect import Score
    from client.shop.override.override import Override

override_app = make_app("What you expect in place of the forecast.")
FolderOption = Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")]
NONE = "Nobody has overridden a forecast; see: hansa-client override add --help"


@override_app.command()
def add(
    change: Annotated[
        str, typer.Option("--change", help="By how much more or less is expected, as +20% or -30%.")
    ] = "",
    total: Annotated[
        float | None, typer.Option("--total", help="Or how much in all on these days, in pieces.", min=0.0)
    ] = None,
    product: Annotated[str, typer.Option("--product", help="Of this product.")] = "",
    category: Annotated[str, typer.Option("--category", help="Of this category; of the whole shop without both.")] = "",
    first: Annotated[str, typer.Option("--from", help="First day, as 2025-12-01.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day; one day alone if left out.")] = "",
    author: Annotated[str, typer.Option("--author", help="Who says so.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, in a few words.")] = "",
    folder: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what you expect of some days.

    Forecasts, orders and what rests on them heed it from now on. It is kept with author, reason and what it changed.
    """
    from client.command.progress import Progress
    from client.shop.history.history import History  # heavy, as is what follows
    from client.shop.override.effect import measure_effect
    from client.shop.override.override import Override, Overrides
    from client.shop.settings import read_shop

    if product and category:
        raise ConfigError("--product and --category name two things; leave one of them out.")
    if bool(change) == (total is not None):
        raise ConfigError("Say either --change +20% or --total 500.")
    for name, given in (("--from", first), ("--author", author), ("--reason", reason)):
        if not given.strip():
            raise ConfigError(f"{name} is missing; an override says of which days it is, who made it, and why.")
    begins, ends = read_day("--from", first), read_day("--to", last or first)
    if ends < begins:
        raise ConfigError(f"--to {ends} lies before --from {begins}; give the later day second.")
    shop = read_shop(folder)
    today = datetime.now(ZoneInfo(shop.time_zone)).date()
    made = Override(
        number=1,
        of="product" if product else "category" if category else "shop",
        name=product or category,
        first=begins,
        last=ends,
        factor=_read_change(change) if change else None,
        total=total,
        author=author.strip(),
        reason=reason.strip(),
        made=today,
    )
    with History.open(folder) as history:
        measured = measure_effect(history, shop, made, today=today, on_step=Progress())
    kept = Overrides(folder).add(measured)
    say(
        _describe(kept, None),
        f"{_say_override(kept)}\nTake it back with: hansa-client override remove {kept.number}",
        as_json=as_json,
    )


@override_app.command("list")
def list_overrides(folder: FolderOption = Path(), as_json: JsonOption = False) -> None:
    """Show every override.

    With what it changed, and, once its days are known, what was sold and whether the forecast was nearer with it.
    """
    from client.shop.history.history import History  # heavy, as is what follows
    from client.shop.override.effect import score
    from client.shop.override.override import Overrides
    from client.shop.settings import read_shop

    read_shop(folder)  # where there is no shop, there is no empty list either
    made = Overrides(folder).read()
    with History.open(folder) as history:
        scored = [(each, score(history, each)) for each in made]
    if as_json:
        print_json({"overrides": [_describe(*pair) for pair in scored]})
        return
    for each, result in scored:
        typer.echo(_say_override(each))
        if result is not None:
            typer.echo(f"    {_say_score(each, result)}")
    if not scored:
        typer.echo(NONE)
    elif len(told := [(each, result) for each, result in scored if result is not None]) > 1:
        helped = sum(result.helped for _, result in told)
        typer.echo(f"{helped} of {len(told)} overrides whose days are known brought the forecast nearer.")


@override_app.command()
def remove(
    number: Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="As `list` shows it.", show_default=False)],
    folder: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Take an override back.

    Forecasts no longer heed it; it stays in the list, so that it can be held against what came.
    """
    from client.shop.override.override import Overrides
    from client.shop.settings import read_shop

    today = datetime.now(ZoneInfo(read_shop(folder).time_zone)).date()
    taken = Overrides(folder).remove(number, today)
    say(
        _describe(taken, None),
        f"Override {number} is taken back; forecasts are as if it had not been.",
        as_json=as_json,
    )


def _read_change(text: str) -> float:
    """Read +20% as a factor of 1.2."""
    found = re.fullmatch(r"([+-])\s*(\d+(?:[.,]\d+)?)\s*%?", text.strip())
    if not found:
        raise ConfigError(f"--change {text!r} is no share; write it as +20% or -30%.")
    share = float(found[2].replace(",", ".")) / 100
    factor = 1.0 + share if found[1] == "+" else 1.0 - share
    if not 0.0 <= factor <= 100.0:
        raise ConfigError(f"--change {text} is out of reach; it can be from -100% to +9900%.")
    return factor


def _describe(each: Override, result: Score | None) -> dict[str, Any]:
    told = {
        "number": each.number,
        "of": each.of,
        "name": each.name,
        "first": str(each.first),
        "last": str(each.last),
        "factor": each.factor,
        "total": each.total,
        "author": each.author,
        "reason": each.reason,
        "made": str(each.made),
        "removed": None if each.removed is None else str(each.removed),
        "forecast_without": each.without,
        "forecast_with": each.with_it,
    }
    if result is None:
        return {**told, "sold": None, "helped": None}
    return {**told, "sold": result.sold, "helped": result.helped}


def _say_override(each: Override) -> str:
    from client.shop.override.effect import name_of

    days = str(each.first) if each.first == each.last else f"{each.first} to {each.last}"
    wanted = f"{each.factor - 1:+.0%}" if each.factor is not None else f"{each.total:,.0f} in all"
    words = f"{each.number}: {name_of(each)}, {days}: {wanted}, says {each.author} ({each.reason}), {each.made}"
    if each.without is not None and each.with_it is not None:
        words += f": {each.with_it:,.0f} pieces instead of {each.without:,.0f}"
    return f"{words}; taken back on {each.removed}." if each.removed else f"{words}."


def _say_score(each: Override, result: Score) -> str:
    if result.miss_with == result.miss_without:
        return f"{result.sold:,.0f} were sold; both were off by {result.miss_with:,.0f}."
    nearer, by = ("with", result.miss_with) if result.helped else ("without", result.miss_without)
    other = max(result.miss_with, result.miss_without)
    return f"{result.sold:,.0f} were sold: the forecast was nearer {nearer} it, off by {by:,.0f} and not {other:,.0f}."
