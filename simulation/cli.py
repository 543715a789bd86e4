"""hansa-sim: a whole federation in one process, for the researcher."""

from __future__ import annotations

import sys

import typer

from common.errors import HansaError
from simulation.command.audit import audit
from simulation.command.bench import bench
from simulation.command.network import export, federation
from simulation.command.plan import check, plan
from simulation.command.report import compare, report, table
from simulation.command.run import run
from simulation.command.sweep import sweep
from simulation.command.terminal import EXIT_INTERRUPTED, EXIT_MISTAKE
from simulation.command.warm import newcomer, warm

app = typer.Typer(
    help="Run a whole federation in one process.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they print local variables, which hold the data
)
for command in (run, sweep, check, export, federation, plan, warm, newcomer, report, compare, table, audit, bench):
    app.command()(command)


@app.callback()
def hansa_sim() -> None:
    """Run a whole federation in one process."""


def main() -> None:
    """Run the command line; a mistake is one sentence and exit code 2, Ctrl-C is exit code 130."""
    try:
        app(standalone_mode=True)
    except HansaError as error:
        typer.echo(f"hansa-sim: {error}", err=True)
        sys.exit(EXIT_MISTAKE)
    except SystemExit as stop:
        if stop.code == EXIT_INTERRUPTED:  # typer makes this of Ctrl-C and says nothing
            typer.echo("hansa-sim: stopped; what is done is kept, go on with the same command and --resume.", err=True)
        raise
