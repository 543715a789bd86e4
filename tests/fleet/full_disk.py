"""Disks that are really full: no file may grow, or a small disk without room that a test may fill and empty."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

import pytest


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a quota would."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Take all the room that a disk has left, and give it back."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as stream:
            for block in (65536, 4096, 1):
                fill(stream, block)
        yield
    finally:
        filler.unlink()


def fill(stream: FileIO, block: int) -> None:
    with suppress(OSError):
        while stream.write(bytes(block)) == block:
            pass


@contextmanager
def mounted(disk: Path, *, megabytes: int) -> Iterator[Path]:
    """Mount a small disk, where this machine lets a test do so; else the test is skipped."""
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", disk], capture_output=True)
    if done.returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)
