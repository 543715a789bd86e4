"""A folder of files that may all be deleted: few, small, readable by their owner alone, the longest unused going first.

A shop's folder may be full, read-only or shared by two commands at once. None of that is an error here: what cannot be
kept is not kept, and what cannot be read is not there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from common.disk.file import replace_file
from common.disk.reading import read_file

FOLDER, SUFFIX, LOCK = "learned", ".learned", "lock"
MOST_FILES, MOST_BYTES, MOST_BYTES_EACH = 12, 64 << 20, 32 << 20
OWN_EYES, OWN_FOLDER = 0o600, 0o700  # it is made of what was sold
PATIENCE_SECONDS = 5.0  # with another command that is writing; it writes for less than one


class Shelf:
    """The files of one shop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def find(self, name: str) -> bytes | None:
        """Read a file; None where there is none that can be read."""
        path = self._path(name)
        try:
            if path.stat().st_size > MOST_BYTES_EACH:
                return None
            content = read_file(path)
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)  # it is used, so others go before it
        return content

    def put(self, name: str, content: bytes) -> bool:
        """Write a file and make room for it; say whether it could be written.

        Guarantee: a reader finds the old file, the new one or none, and no part of one.
        """
        if len(content) > MOST_BYTES_EACH:
            return False
        try:
            self._folder.mkdir(mode=OWN_FOLDER, exist_ok=True)
            with FileLock(self._folder / LOCK, timeout=PATIENCE_SECONDS, mode=OWN_EYES):
                self._make_room(len(content), but=self._path(name))
                replace_file(self._path(name), content, mode=OWN_EYES)
        except (OSError, Timeout):
            return False
        return True

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"

    def _make_room(self, size: int, *, but: Path) -> None:
        """Delete what is beyond the bounds, and what a kill left half written; files of other names are left alone."""
        for half in self._folder.glob(f".*{SUFFIX}.new"):
            half.unlink(missing_ok=True)
        there = {path: path.stat() for path in self._folder.glob(f"*{SUFFIX}") if path != but and path.is_file()}
        for number, path in enumerate(sorted(there, key=lambda path: -there[path].st_mtime_ns), start=2):
            size += there[path].st_size
            if number > MOST_FILES or size > MOST_BYTES:
                path.unlink(missing_ok=True)
