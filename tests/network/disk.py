"""Disks of their own for folders of a test, which it can fill."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

FILLER = "filler"


@contextmanager
def mounted(folder: Path, *, megabytes: int) -> Iterator[None]:
    """Give a folder a disk of its own until the block ends; a test that may not is skipped."""
    folder.mkdir(parents=True, exist_ok=True)
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("a disk that a test can fill needs mount and umount")
    words = [mount, "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip("a disk that a test can fill needs the right to mount one")
    try:
        yield
    finally:
        subprocess.run([unmount, "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free on the disk that a folder is on."""
    with (folder / FILLER).open("ab", buffering=0) as stream, suppress(OSError):
        free = os.statvfs(folder)
        os.posix_fallocate(stream.fileno(), 0, free.f_bavail * free.f_frsize)
        while stream.write(bytes(4096)):
            pass


def make_room(folder: Path) -> None:
    """Take back what `fill` took."""
    (folder / FILLER).unlink(missing_ok=True)
