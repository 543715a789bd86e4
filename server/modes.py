"""A coordinator's folder is its owner's alone, whatever the umask, and whatever an earlier version left open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from server.folder import CoordinatorFolder

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@contextmanager
def owner_only() -> Iterator[None]:
    """Make every file and folder that is created here readable by its owner alone; for processes of one thread."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def tighten(home: CoordinatorFolder) -> tuple[int, list[Path]]:
    """Take everybody else's rights off the folder and off what the coordinator keeps in it; links are not followed.

    What else lies in the folder stays as it is: it may be the folder that somebody works in.

    Returns
    -------
    closed, open
        How many were open and are closed now, and those that are open still: their owner or file system forbids it.
    """
    closed, still_open = 0, []
    for path in _own(home):
        try:
            found = path.lstat()
            if stat.S_ISLNK(found.st_mode) or not found.st_mode & OTHERS:
                continue
            path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
            is_closed = not path.lstat().st_mode & OTHERS
        except FileNotFoundError:  # a database's journal comes and goes
            continue
        except OSError:
            is_closed = False
        closed += is_closed
        if not is_closed:
            still_open.append(path)
    return closed, still_open


def close_to_others(home: CoordinatorFolder) -> None:
    """Close the folder to other users of the machine, and say what was open."""
    closed, still_open = tighten(home)
    if closed:
        typer.echo(f"Other users of this machine could reach {closed} files and folders in {home.folder}; closed them.")
    if still_open:
        typer.echo(
            f"Other users of this machine can reach {still_open[0]}, and its owner or file system keeps it so; "
            "give it to the user who runs this, on a file system with modes.",
            err=True,
        )


def _own(home: CoordinatorFolder) -> Iterator[Path]:
    """List what is the coordinator's, the folder first: once that is closed nobody else comes further."""
    yield home.folder
    yield from (home.settings_file, home.signing_key, home.secret, home.folder / "up.lock")
    for database in (home.registry, home.superlink_state):
        yield from sorted(home.folder.glob(f"{database.name}*"))
    for folder in (home.authority, home.logs, home.models, home.launches, home.flower):
        if folder.is_symlink():
            continue
        yield folder
        for place, folders, files in os.walk(folder):
            yield from (Path(place) / name for name in (*folders, *files))
