"""Start hansa-sim, ready for Ctrl-C before its commands are imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from common.command.program import run_program

if TYPE_CHECKING:
    from typer import Typer


def main() -> None:
    """Run the command line."""
    run_program("hansa-sim", _load_app)


def _load_app() -> Typer:
    from simulation.cli import app

    return app


if __name__ == "__main__":
    main()
