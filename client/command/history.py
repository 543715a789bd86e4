"""`hansa-client history`: what each import changed, and taking one back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from common.command.app import JsonOption
from common.command.output import make_console, print_json, print_table, say

if TYPE_CHECKING:
    from rich.table import Table

    from client.shop.history.entry import Counts, Entry
    from client.shop.record import Kind

FolderOption = Annotated[Path, typer.Option("--folder", help="Folder with shop.toml and the shop's history.")]
COLUMNS = ("import", "at (UTC)", "source", "from", "state", "kind", "new", "replaced", "same", "older", "left out")
WORDS = ("at (UTC)", "source", "from", "state", "kind")
NOTHING = "Nothing was imported yet; begin with: hansa-client init SOURCE"


def history(
    undo: Annotated[
        int | None, typer.Option("--undo", min=1, metavar="N", help="Take import N back, as if it had never been.")
    ] = None,
    folder: FolderOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say what imports changed, or undo one.

    New records, replaced ones, those that were there as they are or in a newer version, and what was left out. With
    --undo the history is what the other imports alone would have given.
    """
    from client.shop.history.history import History  # heavy

    with History.open(folder) as kept:
        if undo is not None:
            entry = kept.undo(undo)
            say(_describe(entry), f"Import {undo} is undone: {_say_counts(entry)}.", as_json=as_json)
            return
        entries, trouble = kept.journal(), kept.look_for_key()
    if trouble:
        typer.echo(f"hansa-client: {trouble}", err=True)
    if as_json:
        print_json({"imports": [_describe(entry) for entry in entries]})
    elif entries:
        print_table(make_console(), _make_table(entries))
    else:
        typer.echo(NOTHING)


def _describe(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "at": f"{entry.at.isoformat(timespec='seconds')}Z"}


def _make_table(entries: tuple[Entry, ...]) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE)
    for column in (
        "import",
        "at (UTC)",
        "source",
        "from",
        "state",
        "kind",
        "new",
        "replaced",
        "same",
        "older",
        "left out",
    ):
        is_number = column in ("import", "new", "replaced", "same", "older", "left out")
        table.add_column(column, justify="right" if is_number else "left")
    for entry in entries:
        head = (str(entry.number), f"{entry.at:%Y-%m-%d %H:%M}", entry.source, entry.origin, entry.state)
        out = str(sum(said.count for said in entry.left_out if said.is_fault))
        for line, (kind, numbers) in enumerate(_lines(entry)):
            cells = (*(head if line == 0 else [""] * len(head)), kind, *numbers, out if line == 0 else "")
            table.add_row(*(Text(cell) for cell in cells))  # a name in brackets is no markup
    return table


def _lines(entry: Entry) -> list[tuple[str, tuple[str, ...]]]:
    return [(kind, _numbers(counts)) for kind, counts in entry.counts.items()] or [("", ("0",) * 4)]


def _numbers(counts: Counts) -> tuple[str, ...]:
    return tuple(f"{number:,}" for number in (counts.new, counts.replaced, counts.same, counts.older))


def _say_counts(entry: Entry) -> str:
    said = [_say_kind(kind, counts) for kind, counts in entry.counts.items()]
    return "; ".join(said) or "it had brought nothing"


def _say_kind(kind: Kind, counts: Counts) -> str:
    return f"of {kind} it had brought {counts.new} new ones and replaced {counts.replaced}"
