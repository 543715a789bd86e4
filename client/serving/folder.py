"""Where a shop's folder keeps what is served.

served/                 for its owner's eyes
    token               what opens the API
    serving.lock        held by the one process that serves this folder
    at.json             where that process is asked
    open.html           leads the browser that is opened by `serve` to the page, once
    taking-part         there while the owner wants the shop to answer a federation's rounds from here
    NAME/               an edition, whole or not at all; the last few are kept
        edition.json    what it is, and why parts of it are missing
        PART.json, PART.parquet
        shop/           the state of the shop that it was made of; of the newest edition alone
    .making/            one that is being made
    upload-*            a file that is being imported
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from common.disk.file import replace_file
from common.disk.reading import read_file_json
from common.errors import ConfigError

OWN_EYES = 0o700
KEPT_EDITIONS = 3


@dataclass(frozen=True)
class ServedFolder:
    """What is served of a shop's folder.

    Attributes
    ----------
    shop
        The shop's own folder, with shop.toml.
    """

    shop: Path

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.shop / "served"

    @property
    def token(self) -> Path:
        """What opens the API."""
        return self.folder / "token"

    @property
    def lock(self) -> Path:
        """Held by the one process that serves."""
        return self.folder / "serving.lock"

    @property
    def address(self) -> Path:
        """Where that process is asked."""
        return self.folder / "at.json"

    @property
    def opening(self) -> Path:
        """What leads the browser to the page, once."""
        return self.folder / "open.html"

    @property
    def taking_part(self) -> Path:
        """There while the owner wants the shop to answer a federation's rounds from here."""
        return self.folder / "taking-part"

    @property
    def making(self) -> Path:
        """An edition that is being made."""
        return self.folder / ".making"

    def edition(self, name: str) -> Path:
        """Give the folder of an edition."""
        return self.folder / name

    def list_editions(self) -> list[Path]:
        """List the editions that are kept, the newest first."""
        found = [path for path in self.folder.glob("*/edition.json") if not path.parent.name.startswith(".")]
        return sorted((path.parent for path in found), key=lambda path: path.name, reverse=True)

    def prepare(self) -> None:
        """Make the folder, for its owner's eyes.

        Raises
        ------
        ConfigError
            It cannot be made.
        """
        try:
            self.folder.mkdir(mode=OWN_EYES, exist_ok=True)
            os.chmod(self.folder, OWN_EYES)
        except OSError as error:
            raise ConfigError(
                f"Cannot write in {self.shop.resolve()}: {error.strerror}; make it writable, or choose another folder."
            ) from error

    def forget_uploads(self) -> None:
        """Remove what a server that was killed left; for who holds the lock."""
        for old in self.folder.glob("upload-*"):
            shutil.rmtree(old, ignore_errors=True)

    def note_address(self, address: str) -> None:
        """Note where the server is asked, for who starts another one."""
        replace_file(self.address, json.dumps({"address": address, "process": os.getpid()}).encode(), mode=0o600)

    def say_taken(self) -> str:
        """Say that this folder is served already."""
        try:
            at = f" at {read_file_json(self.address)['address']}"
        except (OSError, ValueError, KeyError, TypeError):
            at = ""
        return f"{self.shop.resolve()} is served already{at}; use that one, or stop it first."

    def forget_old(self) -> None:
        """Remove old editions, and the states of the shop that all but the newest were made of."""
        for number, path in enumerate(self.list_editions()):
            if number >= KEPT_EDITIONS:
                shutil.rmtree(path, ignore_errors=True)
            elif number:
                shutil.rmtree(path / "shop", ignore_errors=True)
