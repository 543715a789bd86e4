"""One upgrade: a backup, a trial of the new version on a copy, and the old version again where the trial fails.

The new version is tried on a folder that is made of the backup, never on the shop's own: what it would bring forward
for good, as a ledger's version, the old one could not read any more. So until the trial has passed nothing of the shop
is touched, and the backup has been restored once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from client.account.ledger.copy import note_beside
from client.account.ledger.head_file import HeadFiles
from client.backup.backup import make_backup, restore_backup
from client.folder import MerchantFolder
from client.shop.history.store import FILE_NAME, LOCK_NAME
from client.upgrade.environment import (
    find_change,
    install,
    keep,
    put_back,
    require_done,
    require_installed,
    run_python,
)
from common.disk.lock import hold
from common.errors import ConfigError, DataError

BACKUPS = "backups"
RUNNING = {
    "daemon.lock": "hansa-client run",
    "served/serving.lock": "hansa-client serve",
    LOCK_NAME: "an import",
}


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did.

    Attributes
    ----------
    backup
        The shop as it was.
    wheels
        Folder with the packages that were replaced.
    """

    before: str
    after: str
    backup: Path
    wheels: Path
    changed: tuple[str, ...]


def upgrade_hansa(source: Path, folder: Path) -> Upgraded:
    """Upgrade the environment that this runs in, for one shop.

    Guarantee: when this raises, the version that was there is there again, or the sentence says how to bring it back;
    and nothing of the shop was changed.

    Raises
    ------
    ConfigError
        Something runs in the folder, or what is installed could not be put back: nothing was done.
    DataError
        The new version cannot be installed, or not used with this shop: the old one is back.
    """
    before = require_installed().version  # now: it is read from files that are replaced below
    home = _make_place(folder)
    with _holding(folder), TemporaryDirectory(dir=home, prefix=".trial-") as place:
        (Path(place) / "pip").mkdir()
        change = find_change(source, Path(place) / "pip")
        changed = (*(f"{package.name} {package.version}" for package in change.replaced), *change.added)
        stem = f"before-{change.version}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        backup, wheels = home / f"{stem}.tar", home / f"{stem}.wheels"
        make_backup(folder, backup)
        trial = _restore(folder, backup, Path(place) / "shop")
        _try(trial, before)  # what this version refuses says nothing about the next
        wheels.mkdir(mode=0o700)
        kept = keep(change, wheels)
        _give_to_owner(folder, home)
        try:
            install(change)
            _try(trial, change.version)
        except BaseException as error:
            put_back(change, kept)
            if not isinstance(error, DataError):
                raise
            raise DataError(
                f"{str(error).rstrip('.')}. hansa {before} is back, and nothing of the shop was changed; its "
                f"backup is {backup}"
            ) from error
    return Upgraded(before, change.version, backup, wheels, changed)


def _make_place(folder: Path) -> Path:
    home = folder / BACKUPS
    if not folder.is_dir():
        raise ConfigError(f"There is no folder {folder}; name the shop's.")
    try:
        home.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"Cannot write in {folder.resolve()}: {error.strerror}; make it writable, or choose another folder."
        ) from error
    return home


@contextmanager
def _holding(folder: Path) -> Iterator[None]:
    """Keep everything from starting in the folder that writes there for long."""
    with ExitStack() as held:
        for name, program in RUNNING.items():
            if (folder / name).parent.is_dir():
                taken = f"{program} works on {folder.resolve()}; stop it, upgrade, and start it again."
                held.callback(hold(folder / name, taken=taken).release)
        yield


def _restore(folder: Path, backup: Path, trial: Path) -> Path:
    """Make a folder to try things on, whose ledger has its head, and notes it nowhere else."""
    restore_backup(backup, trial, head=None)
    ledger = MerchantFolder(folder).ledger
    if ledger.exists():
        noted = HeadFiles(ledger).read()[HeadFiles(ledger).beside]
        reason = note_beside(MerchantFolder(trial).ledger, noted.model_copy(update={"also": None}))
        if reason is not None:
            raise DataError(f"The backup cannot be used, so nothing is upgraded: {reason}")
    return trial


def _try(trial: Path, version: str) -> None:
    """Let the version that is installed verify the ledger and open the history, in a process of its own."""
    command = ("-P", "-m", "client")
    said = run_python(*command, "--version", folder=trial)
    require_done(said, f"start hansa {version}")
    if said.stdout.split()[-1:] != [version]:
        raise DataError(f"Cannot start hansa {version}: what starts is {said.stdout.strip()[:80]}")
    if MerchantFolder(trial).ledger.exists():
        require_done(run_python(*command, "ledger", "verify", folder=trial), f"use this ledger with hansa {version}")
    if (trial / FILE_NAME).exists():
        require_done(run_python(*command, "history", "--json", folder=trial), f"read this history with hansa {version}")


def _give_to_owner(folder: Path, home: Path) -> None:
    """Give what root made here to the owner of the folder, or a service could not open it."""
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (*folder.iterdir(), *folder.glob("served/*.lock"), *home.rglob("*")):
        if path.lstat().st_uid == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
