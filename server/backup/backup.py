"""Make a backup of a coordinator's folder, also while `up` runs, and a folder of a backup.

What must fit together lies in several files: the registry says which round a launch is in, and the checkpoint is of
that round. So nothing may have changed between the first file and the last; where something has, all is copied again.

Flower's own (`flwr/`) is left out: it is made anew, and no round is lost. So are the logs, and what is said in rounds
of a secure sum (`sum.sqlite`): a round under way when the backup was made is lost.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from common import __version__
from common.backup.manifest import Manifest
from common.backup.reading import Backup, require_empty
from common.backup.writing import writing_backup
from common.disk.database import say_remedy
from common.errors import ConfigError, DataError
from server.folder import CoordinatorFolder
from server.modes import owner_only
from server.registry.registry import Registry

REGISTRY = "registry.sqlite"
PLAIN = ("federation.toml", "signing.key", "signing.next.key", "superexec.secret")
FOLDERS = ("certs", "launches", "models")
KEPT = re.compile(
    "|".join([*map(re.escape, (REGISTRY, *PLAIN)), rf"({'|'.join(FOLDERS)})(?!.*/sum\.sqlite)(/[^./][^/]*)+"])
)
TRIES, PAUSE_SECONDS = 5, 1.0
Seen = tuple[tuple[str, int, int, int], ...]  # name, inode, size, time of change in ns


def make_backup(folder: Path, target: Path) -> Manifest:
    """Write a backup of one moment.

    Raises
    ------
    ConfigError
        There is no federation in the folder, the target cannot be written, or the folder changes faster than it can
        be copied.
    DataError
        A file cannot be read, or is damaged: nothing is written.
    """
    home = CoordinatorFolder(folder)
    home.read_settings()
    for _ in range(TRIES):
        try:
            _write(home, target)
        except _ChangedMeanwhile:
            time.sleep(PAUSE_SECONDS)
        else:
            return Backup.open(target).manifest
    raise ConfigError(
        f"{folder.resolve()} changes faster than it can be copied; back up between two rounds, or stop `hansa-server "
        "up` for that while."
    )


def restore_backup(file: Path, folder: Path) -> Manifest:
    """Make a folder of a backup.

    Raises
    ------
    ConfigError, DataError
        The backup or the folder cannot be used; the folder is as it was.
    """
    require_empty(folder)
    backup = Backup.open(file)
    backup.require("coordinator", KEPT)
    backup.unpack(folder)
    return backup.manifest


class _ChangedMeanwhile(Exception):
    """The folder is not any more what it was when the copy began."""


def _write(home: CoordinatorFolder, target: Path) -> None:
    with writing_backup(target) as writer, TemporaryDirectory(dir=target.parent, prefix=".hansa-backup-") as place:
        with owner_only():
            registry = Registry(home.registry)
        with closing(registry):
            try:
                before = _look(home, registry)
                writer.add(REGISTRY, _copy_registry(home.registry, Path(place) / REGISTRY))
                for name, *_ in before[1]:
                    writer.add(name, home.folder / name)
                changed = _look(home, registry) != before
            except (OSError, DataError) as error:
                if not isinstance(error.__cause__ or error, FileNotFoundError):
                    raise
                raise _ChangedMeanwhile from error
        if changed:
            raise _ChangedMeanwhile
        writer.finish("coordinator", hansa=__version__, made_at=datetime.now(UTC).isoformat(), ledger=None)


def _look(home: CoordinatorFolder, registry: Registry) -> tuple[int, Seen]:
    """Say which state of the registry this is, and which state of every other file."""
    below = [path for folder in FOLDERS for path in sorted((home.folder / folder).rglob("*"))]
    paths = [home.folder / name for name in PLAIN] + below
    names = {path: path.relative_to(home.folder).as_posix() for path in paths}
    found = [(names[path], path.stat()) for path in paths if KEPT.fullmatch(names[path]) and path.is_file()]
    return registry.version, tuple((name, seen.st_ino, seen.st_size, seen.st_mtime_ns) for name, seen in found)


def _copy_registry(path: Path, copy: Path) -> Path:
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            (fault,) = target.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise DataError(f"Cannot read {path}: {say_remedy(error)}; nothing was backed up.") from error
    if fault != "ok":
        raise DataError(f"{path} is damaged; nothing was backed up: bring a copy back.")
    return copy
