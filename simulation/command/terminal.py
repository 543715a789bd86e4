"""What the commands share: exit codes, the width of a table, and one sentence where a file cannot be written."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.console import Console

from common.errors import ConfigError

EXIT_VIOLATION: Final = 1
EXIT_MISTAKE: Final = 2
EXIT_INTERRUPTED: Final = 130
PIPE_WIDTH: Final = 136  # of a table that goes to a file or a pipe


def make_console(*, stderr: bool = False) -> Console:
    """Make a console that is as wide as the terminal, or as a table needs."""
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def split_words(text: str) -> tuple[str, ...]:
    """Read words that stand between commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def require_page(out: Path | None) -> None:
    """Refuse a page that no browser would open as one.

    Raises
    ------
    ConfigError
        Its name does not end in .html.
    """
    if out is not None and out.suffix != ".html":
        raise ConfigError(f"--out {out} must end in .html.")


def write_text(file: Path, text: str) -> None:
    """Write a file.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    try:
        file.write_text(text)
    except OSError as error:
        raise ConfigError(f"Cannot write {file}: {error.strerror}; choose another --out.") from error
