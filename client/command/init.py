"""`hansa-client init`: from the exports that a shop has to its settings and its history."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from client.command.import_history import ShopFolderOption, describe_import, import_sources, say_import
from common.command.app import JsonOption
from common.command.output import say
from common.command.program import EXIT_MISTAKE
from common.errors import ConfigError

if TYPE_CHECKING:
    from client.shop.setup.founding import Said
    from client.shop.setup.preparation import Prepared
    from client.shop.setup.surmise import Facts

FILE_NAME = "shop.toml"


def init(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Files, folders, patterns, or the URL of a database.")
    ],
    folder: ShopFolderOption = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Take what is proposed, and ask nothing.")] = False,
    name: Annotated[str, typer.Option(help="What the shop is called; its folder's name if left out.")] = "",
    time_zone: Annotated[str, typer.Option(help="Where the shop stands, as Europe/Berlin.")] = "",
    country: Annotated[str, typer.Option(help="For public holidays, as DE.")] = "",
    currency: Annotated[str, typer.Option(help="What the shop counts its money in, as EUR.")] = "",
    closed: Annotated[str, typer.Option(help="Weekdays without sales, as sunday,monday, or none.")] = "",
    rate: Annotated[
        list[str] | None, typer.Option(help="What one unit of another currency is worth, as CHF=1.05.")
    ] = None,
    wishes: Annotated[
        list[str] | None, typer.Option("--set", help="SOURCE.FIELD=COLUMN: which column holds a field.")
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="Name of a source to keep though it seems to tell of the same sales.")
    ] = None,
    add: Annotated[bool, typer.Option("--add", help="Add to the shop.toml that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Set up a shop from its exports.

    Looks at every SOURCE, proposes which column means what and says why, asks only what nothing tells of, writes
    shop.toml, imports everything, and looks the history over. Nothing leaves.
    """
    from client.shop.setup.evidence import say_survey  # heavy, as is what follows
    from client.shop.setup.founding import Said, choose_facts, read_rates, read_weekdays
    from client.shop.setup.preparation import prepare, read_before
    from client.shop.setup.survey import set_columns, survey

    before = read_before(folder, add=add)
    seen = survey(sources, folder, [source.name for source in before.sources] if before else [])
    seen = replace(seen, found=set_columns(seen.found, wishes or []))
    _tell(say_survey(seen), quiet=as_json)
    said = Said(
        name or folder.absolute().name, time_zone, country, currency, read_weekdays(closed), read_rates(rate or [])
    )
    facts = choose_facts(seen.found, said)
    facts = facts if before else _settle(facts, yes=yes, quiet=as_json)
    prepared = prepare(seen, said, facts, before, folder, also or [])
    prepared.write(folder)
    troubles = _import_and_tell(prepared, folder, said, as_json=as_json)
    for trouble in troubles:
        typer.echo(f"hansa-client: {trouble}", err=True)
    if troubles:
        raise typer.Exit(EXIT_MISTAKE)


def _tell(words: str, *, quiet: bool) -> None:
    if words and not quiet:
        typer.echo(words)


def _import_and_tell(prepared: Prepared, folder: Path, said: Said, *, as_json: bool) -> list[str]:
    """Import all, look it over, and say so."""
    from client.shop.history.history import History  # heavy, as is what follows
    from client.shop.readiness.inspection import inspect_shop
    from client.shop.setup.preparation import notice_closed

    lines = [
        *(overlap.say() for overlap in prepared.overlaps),
        *prepared.say_currencies(),
        f"Wrote {folder / FILE_NAME}.",
    ]
    _tell("\n".join(lines), quiet=as_json)
    with History.open(folder) as history:
        done, troubles = import_sources(history, prepared.shop, list(prepared.fresh), folder, quiet=as_json)
        prepared, noticed = notice_closed(prepared, history, said)
        prepared.write(folder)
        report = inspect_shop(history, prepared.shop)
    _tell("\n".join([*(say_import(each) for each in done), *noticed, "", report.as_text(), ""]), quiet=as_json)
    what = {"folder": str(folder), **describe_prepared(prepared), "imports": [describe_import(each) for each in done]}
    words = "\n".join(_say_next(folder, has_sales=bool(history.span())))
    say({**what, "troubles": troubles, "check": report.as_json()}, words, as_json=as_json)
    return troubles


def _say_next(folder: Path, *, has_sales: bool) -> list[str]:
    """Say what to do next, in commands that can be typed as they are."""
    where = "" if folder == Path() else f" --folder {shlex.quote(str(folder))}"
    steps = {
        "forecast": "what will sell, by day, week and month",
        "check": "what is odd in the history, and how to mend it",
        "import": "whenever there is a newer export",
    }
    if not has_sales:
        steps = {"init ORDERS --add": "an export of orders, without which nothing can be forecast"}
    width = max(map(len, steps))
    lines = [f"hansa-client {step}{where}{' ' * (width - len(step))}   {why}" for step, why in steps.items()]
    return [f"{'      ' if number else 'Next: '}{line}" for number, line in enumerate(lines)]


def _settle(facts: Facts, *, yes: bool, quiet: bool) -> Facts:
    """Ask for what nobody said, or take what was guessed and say so.

    Raises
    ------
    ConfigError
        Nobody is there to be asked.
    """
    from client.shop.setup.founding import FLAGS, open_questions
    from client.shop.setup.surmise import Fact

    questions = open_questions(facts)
    is_asked = sys.stdin.isatty() and not yes and not quiet
    if questions and not yes and not is_asked:
        proposed = ", ".join(f"{FLAGS[name]} {fact.value}" for name, fact in questions.items())
        raise ConfigError(f"Nobody is here to be asked: give --yes to take what is proposed, or say it: {proposed}.")
    for name, fact in questions.items():
        words = f"{name.replace('_', ' ').capitalize()}"
        if is_asked:
            value = typer.prompt(f"{words} ({fact.reason})", default=fact.value)
            facts = replace(facts, **{name: Fact(value, "as you said", certain=True)})
        else:
            _tell(f"{words}: {fact.value or 'not known'} ({fact.reason}; otherwise: {FLAGS[name]})", quiet=quiet)
    return facts


def describe_prepared(prepared: Prepared) -> dict[str, Any]:
    """Say what was seen and made of it, for machines."""
    from client.shop.setup.evidence import describe_surveyed  # heavy

    return {
        "shop": prepared.shop.model_dump(mode="json"),
        "sources": [describe_surveyed(each) for each in prepared.survey.found],
        "refused": list(prepared.survey.refused),
        "not_understood": [{"location": look.location, "table": look.table} for look in prepared.survey.unknown],
        "same_sales": [
            {"kept": each.kept, "other": each.other, "share": each.share, "joined": each.is_joined}
            for each in prepared.overlaps
        ],
    }
