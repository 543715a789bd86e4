"""`hansa-client import`: everything that is new in the shop's sources, into its history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.command.app import JsonOption
from common.command.output import make_console, say
from common.command.program import EXIT_MISTAKE
from common.errors import ConfigError, DataError

if TYPE_CHECKING:
    from client.shop.history.entry import Counts
    from client.shop.history.history import History
    from client.shop.settings import Shop, SourceSettings
    from client.shop.setup.importing import SourceImport

ShopFolderOption = Annotated[Path, typer.Option("--folder", help="The shop's folder, with shop.toml.")]
MOST_REASONS = 6  # of rows left out, in words


def import_history(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Names in shop.toml; all if left out.")
    ] = None,
    folder: ShopFolderOption = Path(),
    file: Annotated[Path | None, typer.Option("--file", help="A new export of the one SOURCE that is named.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Import what is new.

    Whatever was imported before stays as it is, so the same file twice changes nothing; a database is asked only for
    what it has beyond the last time. Exit code 2 where a source cannot be read, the others are imported all the same.
    """
    from client.shop.history.history import History  # heavy, as is what follows
    from client.shop.settings import read_shop
    from client.shop.setup.refresh import refresh_plans

    shop = read_shop(folder)
    chosen = _choose(shop, sources or [], file)
    with History.open(folder) as history:
        done, troubles = import_sources(history, shop, chosen, folder, quiet=as_json)
        written = refresh_plans(history, shop, folder)
    paths = [str(adapted.path) for adapted in written]
    said = {"imports": [describe_import(each) for each in done], "troubles": troubles, "plans": paths}
    words = [*(say_import(each) for each in done), *(f"Wrote {path} for its plan." for path in paths)]
    say(said, "\n".join(words), as_json=as_json)
    for trouble in troubles:
        typer.echo(f"hansa-client: {trouble}", err=True)
    if troubles:
        raise typer.Exit(EXIT_MISTAKE)


def _choose(shop: Shop, names: list[str], file: Path | None) -> list[SourceSettings]:
    known = {source.name: source for source in shop.sources}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"shop.toml has no source {unknown[0]!r}; there are {', '.join(known) or 'none'}.")
    chosen = [known[name] for name in names] or list(known.values())
    if not chosen:
        raise ConfigError("shop.toml has no source; add one with: hansa-client init SOURCE --add")
    if file is None:
        return chosen
    places = {(source.location, source.table) for source in chosen}
    if len(places) > 1:
        raise ConfigError(f"--file is a new export of one source; name it before: {', '.join(known)}.")
    alike = [source for source in shop.sources if (source.location, source.table) in places]  # read of the same rows
    return [source.model_copy(update={"location": str(file.absolute())}) for source in alike]


def import_sources(
    history: History, shop: Shop, sources: list[SourceSettings], folder: Path, *, quiet: bool
) -> tuple[list[SourceImport], list[str]]:
    """Import sources one after another, and show how far it is.

    Returns
    -------
    tuple
        The imports that ended, and what went wrong with others, a sentence for each source.
    """
    from rich.progress import Progress, TextColumn, TimeElapsedColumn  # not needed for help

    from client.shop.setup.change import explain_change
    from client.shop.setup.importing import SourceImport

    done, troubles, unreadable = [], [], set[tuple[str, str]]()
    columns = (TextColumn("{task.description}"), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    console = make_console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        for settings in sources:
            if (settings.location, settings.table) in unreadable:
                continue  # said already, of another source of the same rows
            task = progress.add_task(f"Reading {settings.name}")
            importing = SourceImport(history, shop, settings, folder)
            try:
                for num_rows in importing.steps():
                    progress.update(task, completed=num_rows)
            except ConfigError as error:
                troubles.append(f"{settings.name}: {error}")
            except DataError as error:
                troubles.append(f"{settings.name}: {explain_change(settings, folder, error)}")
                unreadable.add((settings.location, settings.table))
            else:
                done.append(importing)
    return done, troubles


def describe_import(done: SourceImport) -> dict[str, Any]:
    """Say what an import changed, for machines; `number` is null where the very same was imported before."""
    name, entry = done.settings.name, done.entry
    notes = [f"{each.count}: {each.reason}" for each in done.notes] + done.remarks
    if entry is None:
        return {"source": name, "number": None, "counts": {}, "left_out": [], "notes": notes, "same_file": True}
    counts = {
        kind: {"new": each.new, "changed": each.replaced, "already_there": each.same, "older": each.older}
        for kind, each in entry.counts.items()
    }
    left_out = [
        {"reason": each.reason, "count": each.count, "example": each.example, "advice": each.advice}
        for each in entry.left_out
    ]
    told = {"source": name, "number": entry.number, "counts": counts, "left_out": left_out}
    return {**told, "notes": notes, "same_file": False}


def say_import(done: SourceImport) -> str:
    """Say what an import changed, for a person."""
    name, entry = done.settings.name, done.entry
    if entry is None:
        return f"{name}: nothing new, the file is the same as before"
    told = [_say_counts(kind, counts) for kind, counts in entry.counts.items()]
    lines = [f"{name}: {'; '.join(told) or 'nothing new'}"]
    for each in entry.left_out[:MOST_REASONS]:
        first = f" ({each.example})" if each.example else ""
        advice = f"; {each.advice}" if each.advice else ""
        lines.append(f"  left out {each.count:,}: {each.reason}{first}{advice}")
    lines += [f"  to know, {each.count:,}: {each.reason} ({each.example})" for each in done.notes[:MOST_REASONS]]
    lines += [f"  to know: {remark}" for remark in done.remarks[:MOST_REASONS]]
    return "\n".join(lines)


def _say_counts(kind: str, counts: Counts) -> str:
    parts = [f"{counts.new:,} new"] if counts.new else []
    parts += [f"{counts.replaced:,} changed"] if counts.replaced else []
    parts += [f"{counts.same + counts.older:,} already there"] if counts.same + counts.older else []
    return f"{kind} {', '.join(parts) or 'nothing'}"
