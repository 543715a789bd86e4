"""`hansa-client customers`: who will buy, who is leaving, what is at stake, and whom to write to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from client.command.day import read_day_or_none
from client.command.progress import Progress
from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.decision.customer.letter import Letters
    from client.decision.customer.outlook import Outlook
    from client.decision.customer.purchase import Purchases

SHOWN = 10  # customers in the terminal
LONG_AGO_DAYS = 14  # since the last sale, from which on it is said


def customers(
    folder: Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")] = Path(),
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="How far ahead, in days.")] = 30,
    origin: Annotated[
        str, typer.Option("--from", help="First day ahead; the day after the last sale if left out.")
    ] = "",
    segment: Annotated[str, typer.Option("--segment", help='Only customers of this one, as "slipping away".')] = "",
    letters: Annotated[int, typer.Option("--letters", min=1, help="How many customers to write to at most.")] = 100,
    hold_out: Annotated[
        float, typer.Option("--hold-out", min=0.0, max=0.9, help="Share of them not to write to, to see the effect.")
    ] = 0.2,
    uplift: Annotated[
        float | None,
        typer.Option("--uplift", min=0.0, max=1.0, help="Your own guess: share that comes because of a letter."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="File for the list of letters: .csv, .parquet or .xlsx.")
    ] = None,
    measure: Annotated[
        Path | None, typer.Option("--measure", help="Say what the letters of this list came to, and nothing else.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write every customer to: .csv, .parquet or .xlsx.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="File to draw said against seen into: .svg or .html.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say who will buy, and whom to write to.

    For each customer of the shop's history: the chance to buy, purchases and money expected, the risk of leaving by her
    own rhythm, and what is at stake. Customers are keyed hashes; nothing leaves.
    """
    from client.decision.customer.outlook import foresee_customers  # heavy, as is what follows
    from client.decision.customer.reading import read_purchases
    from client.decision.customer.segment import SEGMENTS
    from client.shop.forecast.picture import require_picture_file
    from client.shop.forecast.table import require_table_file
    from client.shop.history.history import History
    from client.shop.settings import read_shop

    for option, file in (("--out", out), ("--write", write)):
        if file is not None:
            require_table_file(file, option)
    if out is not None and write is not None and out.absolute() == write.absolute():
        raise ConfigError(f"--out and --write would both write {out}; give each a file of its own.")
    if measure is not None and (segment or any(file is not None for file in (out, write, picture))):
        raise ConfigError("--measure says what a list came to and nothing else; leave --segment and files out.")
    if picture is not None:
        require_picture_file(picture)
    if segment and segment not in SEGMENTS:
        raise ConfigError(f"--segment {segment!r} is none of {', '.join(SEGMENTS)}; choose one of them.")
    shop = read_shop(folder)
    with History.open(folder) as history:
        purchases, doubts = read_purchases(history, shop)
    first = read_day_or_none("--from", origin) or purchases.date_of(purchases.num_days)
    if measure is not None:
        _measure(purchases, measure, first, shop.currency, as_json=as_json)
        return
    _refuse_unknown_days(first, purchases.date_of(purchases.num_days))
    today = datetime.now(ZoneInfo(shop.time_zone)).date()
    found = foresee_customers(
        purchases, first, days, on_step=Progress(), doubts=(*doubts, *_say_age(first, today, origin))
    )
    _answer(found, shop.name, shop.currency, segment, _Asked(letters, hold_out, uplift, write, out, picture, as_json))


@dataclass(frozen=True)
class _Asked:
    """What is to be done with the answer."""

    letters: int
    hold_out: float
    uplift: float | None
    write: Path | None
    out: Path | None
    picture: Path | None
    as_json: bool


def _answer(found: Outlook, name: str, currency: str, segment: str, asked: _Asked) -> None:
    from client.decision.customer.letter import choose_letters
    from client.decision.customer.picture import draw
    from client.decision.customer.wording import describe_letters, describe_outlook, list_rows
    from client.shop.forecast.table import write_rows
    from common.disk.file import write_whole

    if segment:
        found = _keep_segment(found, segment)
    listed = choose_letters(found, most=asked.letters, hold_out=asked.hold_out, uplift=asked.uplift)
    if asked.write is not None:
        write_rows(listed.table, asked.write, sheet="letters")
    if asked.out is not None:
        write_rows(found.table, asked.out, sheet="customers")
    if asked.picture is not None:
        page = asked.picture.suffix == ".html"
        write_whole(asked.picture, draw(found, name=name, currency=currency, page=page).encode())
    for sentence in found.warnings:
        typer.echo(f"hansa-client: {sentence}", err=True)
    if asked.as_json:
        files = {key: None if file is None else str(file) for key, file in _files(asked).items()}
        told = {**describe_outlook(found), "currency": currency, "letters": describe_letters(listed), **files}
        print_json({**told, "rows": list_rows(found.table)})
    else:
        _say(found, listed, currency, asked)


def _files(asked: _Asked) -> dict[str, Path | None]:
    return {"file": asked.out, "list": asked.write, "picture": asked.picture}


def _keep_segment(found: Outlook, segment: str) -> Outlook:
    import pyarrow.compute as pc

    return replace(found, table=found.table.filter(pc.equal(found.table["segment"], segment)))


def _say(found: Outlook, listed: Letters, currency: str, asked: _Asked) -> None:
    from client.decision.customer.wording import make_letter_table, make_segment_table, say_letters, say_outlook
    from client.language.count import count_customers

    console = make_console()
    print_table(console, make_segment_table(found, currency))
    for sentence in say_outlook(found, currency):
        typer.echo(sentence)
    if listed.table.num_rows:
        print_table(console, make_letter_table(listed, currency, SHOWN))
    for sentence in say_letters(listed, currency):
        typer.echo(sentence)
    if asked.write is not None:
        typer.echo(f"Wrote the list of {count_customers(listed.table.num_rows)} to {asked.write}.")
    if asked.out is not None:
        typer.echo(f"Wrote {count_customers(found.table.num_rows)} to {asked.out}; they are yours alone.")
    if asked.picture is not None:
        typer.echo(f"Drew {asked.picture}.")


def _measure(purchases: Purchases, file: Path, until: date, currency: str, *, as_json: bool) -> None:
    from client.decision.customer.letter import measure_effect
    from client.decision.customer.listing import read_list
    from client.decision.customer.wording import describe_effect, say_effect

    effect = measure_effect(purchases, read_list(file), until=until, origin=str(file))
    if as_json:
        print_json(describe_effect(effect))
        return
    for sentence in say_effect(effect, currency):
        typer.echo(sentence)


def _refuse_unknown_days(first: date, known: date) -> None:
    """Refuse a day so late that the days before it, of which nothing is known, would count as silence."""
    if first - known > timedelta(days=LONG_AGO_DAYS):
        raise ConfigError(
            f"--from {first} lies after the history, which ends on {known - timedelta(days=1)}: the days between would "
            "count as days on which nobody bought. Import what was sold since, or give an earlier day."
        )


def _say_age(first: date, today: date, origin: str) -> tuple[str, ...]:
    if origin or today - first < timedelta(days=LONG_AGO_DAYS):
        return ()
    return (f"The last sale that is known is of {first - timedelta(days=1)}; bring newer exports, then ask again.",)
