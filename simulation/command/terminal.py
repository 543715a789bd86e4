"""What the commands share: words between commas, and one sentence where a file cannot be written."""

from __future__ import annotations

from pathlib import Path

from common.errors import ConfigError


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
