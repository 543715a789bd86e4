"""What the three command lines look like, and the options that many of their commands take."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from click import Context

PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan, a TOML file.", show_default=False)]
DataRootOption = Annotated[Path, typer.Option("--data-root", help="Folder that data.path starts from.")]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def make_app(summary: str, *, completion: bool = False) -> typer.Typer:
    """Make a group of commands; the outermost one offers completion for shells."""
    return typer.Typer(
        help=summary,
        no_args_is_help=True,
        add_completion=completion,
        rich_markup_mode=None,
        suggest_commands=False,  # click suggests too
        pretty_exceptions_enable=False,  # they print local variables, which hold the data
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _print_version(context: Context, is_asked: bool) -> bool:
    if is_asked:
        typer.echo(f"{context.find_root().info_name} {version('hansa')}")
        raise typer.Exit
    return is_asked


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
]
