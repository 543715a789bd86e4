"""How a command answers: JSON for programs, words and tables for people."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PIPE_WIDTH: Final = 136  # of a table that goes to a file or a pipe
WIDEST: Final = 1000


def say(value: Any, words: str, *, as_json: bool) -> None:
    """Print an answer: as JSON, or in words where there are any."""
    if as_json:
        print_json(value)
    elif words:
        typer.echo(words)


def print_json(value: Any) -> None:
    """Print JSON on standard output; a number that is not finite is null."""
    typer.echo(json.dumps(_finite(value), indent=2, allow_nan=False))


def list_pairs(values: dict[str, Any]) -> str:
    """Write one `key: value` a line."""
    return "\n".join(f"{key}: {value}" for key, value in values.items())


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_console(*, stderr: bool = False) -> Console:
    """Make a console that is as wide as the terminal, or as a table needs."""
    from rich.console import Console  # not needed for help

    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def print_table(console: Console, table: Table) -> None:
    """Print a table; where it is wider than the terminal a block for each row instead, so that no value is cut."""
    from rich.measure import Measurement

    natural = Measurement.get(console, console.options.update(width=WIDEST, max_width=WIDEST), table).maximum
    if natural <= console.width:
        console.print(table)
        return
    if table.title:
        console.print(table.title)
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        console.print(first)
        for column, cell in zip(table.columns[1:], others, strict=True):
            console.print("  ", column.header, " ", cell, sep="")
