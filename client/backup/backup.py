"""Make a backup of a merchant's folder while everything runs, and a folder of a backup.

Of each file a state is taken that is whole: the history between two commits, the databases by SQLite's own backup, all
else as it is written, whole or not at all. The ledger comes first, so that a restore that is killed leaves no folder in
which somebody could open a new one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from client.account.ledger.copy import CopiedLedger, copy_ledger, look_at_copy, note_beside, read_head, why_not
from client.backup.history_copy import open_history
from client.backup.kept import FEEDBACK, KEPT, KEYS, LEDGER, list_left, list_plain
from client.folder import MerchantFolder
from common import __version__
from common.backup.manifest import LedgerState, Manifest
from common.backup.reading import Backup, require_empty
from common.backup.writing import Writer, writing_backup
from common.disk.database import say_remedy
from common.errors import ConfigError, DataError


@dataclass(frozen=True)
class Made:
    """What a backup holds.

    Attributes
    ----------
    keys
        Names of the keys in it.
    left
        What lies in the folder and is not in it.
    """

    manifest: Manifest
    keys: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """What came of a backup.

    Attributes
    ----------
    why_not
        Why the ledger cannot be used as it is; None where it can, or where there is none.
    """

    manifest: Manifest
    why_not: str | None


def make_backup(folder: Path, target: Path) -> Made:
    """Write a backup.

    Raises
    ------
    ConfigError
        There is nothing of hansa's in the folder, or the target cannot be written or is not for one person's eyes.
    DataError, PrivacyError
        A file cannot be read, or the ledger cannot be used as it is: nothing is written.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}; name the shop's.")
    with writing_backup(target) as writer, TemporaryDirectory(dir=target.parent, prefix=".hansa-backup-") as place:
        ledger = _add_ledger(writer, MerchantFolder(folder).ledger, Path(place))
        names = list(list_plain(folder))
        for name in names:
            writer.add(name, folder / name)
        if (folder / FEEDBACK).exists():
            writer.add(FEEDBACK, _copy_database(folder / FEEDBACK, Path(place)))
        with open_history(folder) as files:
            for name, stream in files:
                writer.add_stream(name, stream)
        if not (names or files or ledger):
            raise ConfigError(f"{folder.resolve()} has neither a shop nor a ledger; name the shop's with --folder.")
        writer.finish("merchant", hansa=__version__, made_at=datetime.now(UTC).isoformat(), ledger=ledger)
    manifest = Backup.open(target).manifest
    left = tuple(name for name in list_left(folder) if folder / name != target)
    return Made(manifest, tuple(name for name in names if name in KEYS), left)


def restore_backup(file: Path, folder: Path, *, head: Path | None) -> Restored:
    """Make a folder of a backup.

    Guarantee: unless a head is given through which the ledger passed, the ledger is refused by every command until
    `recovery` has charged what it may have forgotten.

    Parameters
    ----------
    folder
        A new or empty one.
    head
        The newest head file that is left of the ledger.

    Raises
    ------
    ConfigError, DataError, PrivacyError
        The backup, the folder or the head cannot be used; the folder is as it was.
    """
    require_empty(folder)
    backup = Backup.open(file)
    backup.require("merchant", KEPT)
    ledger = backup.manifest.ledger
    names = {listed.name for listed in backup.manifest.files}
    if (ledger is not None) != (LEDGER in names):
        raise DataError(f"{file} is no whole backup: its ledger is missing; nothing was restored, take another one.")
    if head is not None and ledger is None:
        raise ConfigError(
            f"{file} holds no ledger, so there is nothing that --head could be the head of; leave it out."
        )
    if ledger is None:
        backup.unpack(folder)
        return Restored(backup.manifest, None)
    noted = None if head is None else read_head(head, CopiedLedger(ledger.num_lines, ledger.head))
    backup.unpack(folder)
    path = MerchantFolder(folder).ledger
    try:
        look_at_copy(path)
    except BaseException:
        backup.take_out(folder)
        raise
    return Restored(backup.manifest, why_not(path) if noted is None else note_beside(path, noted))


def _add_ledger(writer: Writer, path: Path, place: Path) -> LedgerState | None:
    if not path.exists():
        return None
    copied = copy_ledger(path, place / LEDGER)
    writer.add(LEDGER, place / LEDGER)
    return LedgerState(num_lines=copied.num_lines, head=copied.head)


def _copy_database(path: Path, place: Path) -> Path:
    copy = place / path.name
    try:
        address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error as error:
        raise DataError(f"Cannot read {path}: {say_remedy(error)}; nothing was backed up.") from error
    return copy
