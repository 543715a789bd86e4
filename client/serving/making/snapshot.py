"""A copy of the state of a shop, so that all parts of an edition are of one state, whatever is imported meanwhile."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from client.backup.history_copy import open_history
from client.decision.recommendation.learned import FILE_NAME as LEARNED_NAME
from client.shop.forecast.federation import list_read
from client.shop.forecast.shelf import FOLDER as FITTED
from client.shop.history.pseudonym import KEY_NAME
from client.shop.override.override import FILE_NAME as OVERRIDES_NAME
from client.shop.settings import FILE_NAME as SHOP_NAME
from client.shop.settings import read_shop
from common.errors import ConfigError, DataError

COPIED = (SHOP_NAME, OVERRIDES_NAME, KEY_NAME, LEARNED_NAME)


def take_snapshot(folder: Path, into: Path) -> None:
    """Copy what forecasts and decisions read of a shop.

    Guarantee: the history is that of one moment; while it is copied, an import waits. What a federation's model is
    forecast from comes along.

    Raises
    ------
    ConfigError
        A plan in shop.toml leads out of the folder by "..".
    DataError
        There is no room, or the history cannot be used.
    """
    into.mkdir(parents=True, mode=0o700)
    try:
        with open_history(folder) as files:
            for name, source in files:
                _write(source, into / name)
        for name in COPIED:
            with suppress(FileNotFoundError):
                _copy(folder / name, into / name)
        _copy_joined(folder, into)
        _share_learned(folder, into)
    except OSError as error:
        raise DataError(f"Cannot copy the shop's history into {into}: {error.strerror}; make room.") from error


def _copy_joined(folder: Path, into: Path) -> None:
    """Copy what a forecast reads of a federation; what lies outside the folder is read where it is."""
    for path in list_read(folder, read_shop(folder)):
        if path.is_relative_to(folder):
            place = path.relative_to(folder)
            if ".." in place.parts:  # beside the copy it would lead elsewhere
                raise ConfigError(
                    f"A plan in {folder / SHOP_NAME} leads to {place}, out of the shop's folder; write it as "
                    f"{os.path.normpath(folder.absolute() / place)}, from the root on."
                )
            target = into / place
            target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):
                _copy(path, target)


def _share_learned(folder: Path, into: Path) -> None:
    """Let the copy use what was fitted before, and add to it: files there are named by what they were fitted to."""
    (folder / FITTED).mkdir(mode=0o700, exist_ok=True)
    (into / FITTED).symlink_to((folder / FITTED).resolve(), target_is_directory=True)


def bring_back(folder: Path, snapshot: Path) -> None:
    """Keep in the shop's folder what was learned on the way, so that it need not be learned again."""
    if not (snapshot / LEARNED_NAME).exists():
        return
    with suppress(OSError):  # then it is learned again
        fresh = folder / f".{LEARNED_NAME}.served"
        fresh.unlink(missing_ok=True)  # of a maker that was killed
        _copy(snapshot / LEARNED_NAME, fresh)
        fresh.replace(folder / LEARNED_NAME)


def _copy(source: Path, target: Path) -> None:
    """Copy for its owner's eyes; what is not there is not made."""
    with source.open("rb") as of:
        _write(of, target)


def _write(source: BinaryIO, target: Path) -> None:
    with open(target, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as into:
        shutil.copyfileobj(source, into, 1 << 20)
