"""One JSON line for each round that was tried: who was asked, who answered, why the others did not count.

A journal does not grow for ever: beyond a megabyte it goes on in a new file, and the three before it are kept.
See docs/protocol.md §8.4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.disk.lines import MOST_BYTES, Lines
from server.registry.registry import now_text


class Journal:
    """Append to a file; a line that a crash cut short is left behind and skipped."""

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._lines = Lines(path, most_bytes=most_bytes)

    def write(self, event: str, **said: Any) -> None:
        """Write one line, and push it to the disk."""
        self._lines.add({"at": now_text(), "event": event} | said)

    def read(self) -> list[dict[str, Any]]:
        """Read every whole line of the present file that says what happened.

        Raises
        ------
        DataError
            It is there and cannot be read.
        """
        return [line for line in self._lines.read() if isinstance(line.get("event"), str)]
