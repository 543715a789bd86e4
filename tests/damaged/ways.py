"""What a disk, a crash or a person does to a file: each way takes a good file and leaves a bad one in its place."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

Way = Callable[[Path], None]


def empty(path: Path) -> None:
    """A file that was made, and never written: what a full disk leaves."""
    path.write_bytes(b"")


def cut(path: Path) -> None:
    """The first half, or less."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def zeros(path: Path) -> None:
    """As long as before, and nothing but zeros: blocks that a power cut lost."""
    path.write_bytes(bytes(path.stat().st_size))


def noise(path: Path) -> None:
    """Anything."""
    path.write_bytes(np.random.default_rng(7).bytes(max(100, path.stat().st_size)))


def half_noise(path: Path) -> None:
    """A good beginning, and then anything."""
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + np.random.default_rng(7).bytes(len(content) - half))


def words(path: Path) -> None:
    """Text that is nothing: no JSON, no TOML, no PEM."""
    path.write_text("not found: <html>\n")


def other(path: Path) -> None:
    """Well-formed, and something else."""
    contents = {".json": "[1, null]", ".toml": "x = 1\n", ".jsonl": '{"event": 1}\n[]\n', ".csv": "a,b\n1,2\n"}
    if path.suffix == ".sqlite":
        make_database(path, "CREATE TABLE song (title TEXT)")
    else:
        path.write_text(contents.get(path.suffix, "{}"))


def shapes(path: Path) -> None:
    """The right names, and what stands under them is of another kind."""
    if path.suffix == ".json":
        there = json.loads(path.read_text())
        path.write_text(json.dumps({key: [{"\ud800": -1}] for key in there} if isinstance(there, dict) else {"a": 1}))
    elif path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        make_database(path, *(f"CREATE TABLE {name} (odd TEXT)" for name in tables), f"PRAGMA user_version = {version}")
    else:
        words(path)


def nested(path: Path) -> None:
    """Brackets within brackets, deeper than any parser goes."""
    path.write_text(("x = " if path.suffix == ".toml" else "") + "[" * 100_000 + "]" * 100_000)


def folder(path: Path) -> None:
    """A folder of that name."""
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    """A pipe, which whoever opens it waits for."""
    path.unlink()
    os.mkfifo(path)


def loop(path: Path) -> None:
    """A link to itself: there, and not to be read by anyone, not even by root."""
    path.unlink()
    path.symlink_to(path.name)


CONTENTS: tuple[Way, ...] = (empty, cut, zeros, noise, half_noise, words, other, shapes, nested)
PLACES: tuple[Way, ...] = (folder, pipe, loop)
WAYS = CONTENTS + PLACES


def make_database(path: Path, *statements: str) -> None:
    """Put another database in the place of one; what belonged to the old one beside it is gone too."""
    for file in (path, *path.parent.glob(f"{path.name}-*")):
        file.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def state_of(path: Path) -> object:
    """What must not change: what the path is, and every byte of it."""
    if path.is_symlink():
        return "link", os.readlink(path)
    if path.is_dir():
        return "folder", sorted(found.name for found in path.iterdir())
    if path.is_fifo():
        return "pipe"
    return path.read_bytes() if path.exists() else "nothing"


def copy_home(source: Path, target: Path) -> Path:
    """Copy a folder that a test may damage; permissions of keys stay."""
    return Path(shutil.copytree(source, target))
