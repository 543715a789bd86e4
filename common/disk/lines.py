"""A file to which lines of JSON are added: what a crash or a full disk cuts short is left behind, and never glued on.

It does not grow for ever: beyond a size it goes on in a new file, and some before it are kept as NAME.1, the newest,
NAME.2 and so on.
"""

from __future__ import annotations

import json
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from common.disk.reading import read_file
from common.errors import DataError

MOST_BYTES, KEPT_FILES = 1 << 20, 3


class Lines:
    """Add lines to a file, and read them again.

    Parameters
    ----------
    most_bytes
        After which a new file is begun.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self.path, self._most_bytes = path, most_bytes

    def add(self, said: dict[str, Any]) -> None:
        """Add one line.

        Guarantee: when this returns, the line is on the disk.

        Raises
        ------
        OSError
            It cannot be written; what was written of it counts for nothing.
        """
        self._turn_page()
        with self.path.open("ab", buffering=0) as file:
            line = (json.dumps(said) + "\n").encode()
            if file.tell() and not self._ends_a_line():
                line = b"\n" + line
            while line:
                line = line[file.write(line) :]  # a full disk takes a part first, and then raises
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Read every whole line of the present file.

        Raises
        ------
        DataError
            It is there and cannot be read.
        """
        return _whole_lines(self.path)[0]

    def read_all(self) -> tuple[list[dict[str, Any]], int]:
        """Read every whole line of all files that are kept, the oldest first, and count those that are no such line.

        Raises
        ------
        DataError
            A file is there and cannot be read.
        """
        older = [self.path.with_name(f"{self.path.name}.{number}") for number in range(KEPT_FILES, 0, -1)]
        pages = [_whole_lines(path) for path in (*older, self.path)]
        return [line for lines, _ in pages for line in lines], sum(broken for _, broken in pages)

    def _turn_page(self) -> None:
        if self.path.exists() and self.path.stat().st_size >= self._most_bytes:
            handler = RotatingFileHandler(self.path, backupCount=KEPT_FILES, delay=True)
            handler.doRollover()
            handler.close()

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def _whole_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    try:
        lines = [line for line in read_file(path).split(b"\n") if line]
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}; move it away, a new one is begun.") from error
    parsed = [found for line in lines if (found := _parse(line)) is not None]
    return parsed, len(lines) - len(parsed)


def _parse(line: bytes) -> dict[str, Any] | None:
    """Read a line that is a whole one; what a crash or a disk made of it is none."""
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
