"""One JSON line for each round that was tried: who was asked, who answered, why the others did not count.

See docs/protocol.md §8.4.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from server.registry.registry import now_text


class Journal:
    """Append to a file; a line that a crash cut short is left behind and skipped."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **said: Any) -> None:
        """Write one line, and push it to the disk."""
        line = json.dumps({"at": now_text(), "event": event} | said)
        with self._path.open("ab") as file:
            if file.tell() and not self._ends_a_line():
                file.write(b"\n")
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Read every whole line."""
        if not self._path.exists():
            return []
        return [parsed for line in self._path.read_text().splitlines() if (parsed := _parse(line)) is not None]

    def _ends_a_line(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _parse(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None
