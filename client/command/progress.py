"""How far long work is, on the terminal."""

from __future__ import annotations

import sys
import time

import typer

PATIENCE_SECONDS = 2.0  # before anything is said about how far it is


class Progress:
    """Say how far long work is; into a file or a pipe nothing is said."""

    def __init__(self) -> None:
        self._began, self._is_shown = time.monotonic(), False

    def __call__(self, what: str, share: float) -> None:
        """Show a step and its share that is done, in place of what was shown; what is done whole is taken away."""
        if share >= 1.0:
            self.clear()
        elif sys.stderr.isatty() and time.monotonic() - self._began > PATIENCE_SECONDS:
            typer.echo(f"\r\x1b[K{what}: {share:.0%}", err=True, nl=False)
            self._is_shown = True

    def clear(self) -> None:
        """Take away what is shown."""
        if self._is_shown:
            typer.echo("\r\x1b[K", err=True, nl=False)
            self._is_shown = False
