"""One JSON line for each round that was tried: who was asked, who answered, why the others did not count.

A journal does not grow for ever: beyond a megabyte it goes on in a new file, and the three before it are kept.
See docs/protocol.md §8.4.
"""

from __future__ import annotations

import json
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from common.disk.reading import read_file
from common.errors import DataError
from server.registry.registry import now_text

MOST_BYTES, KEPT_FILES = 1 << 20, 3


class Journal:
    """Append to a file; a line that a crash cut short is left behind and skipped."""

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path, self._most_bytes = path, most_bytes

    def write(self, event: str, **said: Any) -> None:
        """Write one line, and push it to the disk."""
        self._turn_page()
        line = json.dumps({"at": now_text(), "event": event} | said)
        with self._path.open("ab") as file:
            if file.tell() and not self._ends_a_line():
                file.write(b"\n")
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Read every whole line of the present file.

        Raises
        ------
        DataError
            It is there and cannot be read.
        """
        try:
            lines = read_file(self._path).split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DataError(f"Cannot read {self._path}: {error.strerror}; move it away, a new one is begun.") from error
        return [parsed for line in lines if (parsed := _parse(line)) is not None]

    def _turn_page(self) -> None:
        """Go on in a new file where this one is full: journal.jsonl.1 is the one before, and so on."""
        if self._path.exists() and self._path.stat().st_size >= self._most_bytes:
            handler = RotatingFileHandler(self._path, backupCount=KEPT_FILES, delay=True)
            handler.doRollover()
            handler.close()

    def _ends_a_line(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _parse(line: bytes) -> dict[str, Any] | None:
    """Read a line that is a whole one of ours; what a crash or a disk made of it is skipped."""
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) and isinstance(parsed.get("event"), str) else None
