"""Where a merchant's own files are, and how its commands write new ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from common.errors import ConfigError

PlaceOption = Annotated[Path, typer.Option("--folder", help="Folder with policy.toml, ledger.sqlite and keys.")]


@dataclass(frozen=True)
class MerchantFolder:
    """The folder that a merchant owns."""

    folder: Path

    @property
    def policy(self) -> Path:
        """What is allowed."""
        return self.folder / "policy.toml"

    @property
    def ledger(self) -> Path:
        """What was spent, and every message that left."""
        return self.folder / "ledger.sqlite"

    @property
    def key(self) -> Path:
        """What signs privacy cards."""
        return self.folder / "card.key"

    @property
    def tls_key(self) -> Path:
        """The key of this merchant's certificate."""
        return self.folder / "tls.key"

    @property
    def certificate(self) -> Path:
        """What the gateway knows this merchant by."""
        return self.folder / "tls.pem"

    @property
    def node_key(self) -> Path:
        """What signs every request to the gateway."""
        return self.folder / "node.key"

    @property
    def peer_key(self) -> Path:
        """What the other merchants of a secure sum know this one by."""
        return self.folder / "peer.key"

    @property
    def peers(self) -> Path:
        """Who was in the sums that were proposed lately."""
        return self.folder / "peers.json"

    @property
    def sums(self) -> Path:
        """One-time secrets of secure sums, and what was sent with them."""
        return self.folder / "sums.sqlite"

    @property
    def federation(self) -> Path:
        """Which federation was joined, and as whom."""
        return self.folder / "federation.json"

    @property
    def plans(self) -> Path:
        """Signed proposals that were accepted."""
        return self.folder / "plans"

    @property
    def models(self) -> Path:
        """Signed models."""
        return self.folder / "models"

    @property
    def health(self) -> Path:
        """How the daemon is."""
        return self.folder / "health.json"

    @property
    def sent(self) -> Path:
        """What left beside the sums of rounds."""
        return self.folder / "sent.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the daemon that works on this folder."""
        return self.folder / "daemon.lock"

    def request(self, name: str) -> Path:
        """Name the file in which this merchant asks to join."""
        return self.folder / f"{name}.request.json"


def write_new(file: Path, content: str | bytes) -> None:
    """Write a file that was not there.

    Raises
    ------
    ConfigError
        It is there, or cannot be written.
    """
    try:
        with file.open("xb") as stream:
            stream.write(content if isinstance(content, bytes) else content.encode())
    except FileExistsError as error:
        raise ConfigError(f"{file} exists already; choose another --out.") from error
    except OSError as error:
        raise ConfigError(f"Cannot write {file}: {error.strerror}; choose another --out.") from error
