"""Write files so that a crash leaves the old one or the new one, and the new one once the call has returned."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from common.errors import ConfigError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, and its folders where there are none yet.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    with writing_whole(path) as stream:
        stream.write(content)


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Do the same for what is written part by part; if that fails the old file stays.

    Raises
    ------
    ConfigError
        It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(path) as stream:
            yield stream
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}; make room, or make the folder writable.") from error


def require_place(path: Path) -> None:
    """Refuse a file that cannot be written, before anybody works for minutes on what should stand in it.

    Raises
    ------
    ConfigError
        It is a folder, or lies below what is none or cannot be written to.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file.")
    _require_writable(path, path.absolute().parents)


def require_folder_place(path: Path) -> None:
    """Refuse a folder that cannot be made or written into.

    Raises
    ------
    ConfigError
        It is a file, or lies below what is none or cannot be written to.
    """
    _require_writable(path, (path.absolute(), *path.absolute().parents))


def _require_writable(path: Path, places: Sequence[Path]) -> None:
    """Refuse what would be written into the first of some places that is there."""
    above = next(each for each in places if each.exists())
    if not above.is_dir():
        raise ConfigError(f"Cannot write {path}: {above} is a file and no folder; choose another place.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ConfigError(f"Cannot write {path}: {above} cannot be written to; choose another folder.")


def replace_file(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file in a folder that is there, for a caller that says itself what an OSError means to its user.

    `mode` is what the umask leaves bits of.
    """
    with _replacing(path, mode=mode) as stream:
        stream.write(content)


@contextmanager
def _replacing(path: Path, *, mode: int = 0o666) -> Iterator[BinaryIO]:
    fresh = path.with_name(f".{path.name}.new")  # one name, so that kills leave no heap of them
    try:
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)
        sync_folder(path.parent)
    except BaseException:
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
