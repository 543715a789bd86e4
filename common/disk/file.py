"""Write files so that a crash leaves the old one or the new one, and the new one once the call has returned."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from common.errors import ConfigError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, and its folders where there are none yet.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}; make room, or make the folder writable.") from error


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file in a folder that is there, for a caller that says itself what an OSError means to its user.

    `mode` is what the umask leaves bits of.
    """
    fresh = path.with_name(f".{path.name}.new")  # one name, so that kills leave no heap of them
    try:
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make new names durable, not only the bytes."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
