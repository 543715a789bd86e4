"""How what a guess rests on is said."""

from __future__ import annotations

from collections.abc import Iterable

SHOWN = 3  # cells quoted


def quote(cells: Iterable[str]) -> str:
    """Show some different cells."""
    return ", ".join(list(dict.fromkeys(cells))[:SHOWN])
