"""Change the federation's signing key or its authority while members stay connected.

Each change begins, overlaps and is finished. While it overlaps the one before goes on working, and every member that is
there is handed a new welcome (`server.coordinator.welcoming`), by which it trusts the new one too:

    signing.next.key     the key that follows; named by the old one in the registry, and used from the finish on
    certs/next/          the authority that follows; signs members' certificates at once, the gateway's after the finish

A finish puts the new one into the place of the old one, which is gone then. See docs/protocol.md §8.5.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.authority import Authority, make_authority
from certs.key import read_or_make_signing_key
from common.disk.file import sync_folder
from common.errors import ConfigError
from common.message.protocol import WELCOMES
from common.message.signature import name_key, public_bytes
from common.message.succession import Link, link_of, parse_succession, succeed
from server.folder import CoordinatorFolder
from server.founding import sign_server
from server.registry.registry import Member, Registry

SIGNING_KEY, AUTHORITY = "signing-key", "authority"


@dataclass(frozen=True)
class Trust:
    """What a member has to know today.

    Attributes
    ----------
    authorities
        PEM of everyone who may sign the gateway's certificate.
    issuing
        Folder of the authority that signs members' certificates.
    authority
        Its PEM.
    coordinator
        The 32 bytes, in hex, of the key that signs.
    links
        How the coordinator's keys followed each other, the one that is to follow included.
    is_rotated
        Whether anything was ever changed: else every member knows all of it from its welcome file.
    """

    address: str
    authorities: tuple[str, ...]
    issuing: Path
    authority: str
    coordinator: str
    links: tuple[Link, ...]
    is_rotated: bool

    @property
    def digest(self) -> str:
        """Name this state: a welcome that was issued in another one is out of date."""
        said = [
            self.address,
            self.authority,
            *self.authorities,
            self.coordinator,
            *(link.content for link in self.links),
        ]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def read_trust(home: CoordinatorFolder, registry: Registry) -> Trust:
    """Read what holds today.

    Raises
    ------
    HansaError
        A key or certificate cannot be read.
    """
    folders = [home.authority, *([home.next_authority] if (home.next_authority / "authority.pem").is_file() else [])]
    authorities = tuple(_read(folder / "authority.pem") for folder in folders)
    links = tuple(map(link_of, registry.successions()))
    return Trust(
        address=home.read_settings().address,
        authorities=authorities,
        issuing=folders[-1],
        authority=authorities[-1],
        coordinator=public_bytes(_read_signing_key(home)).hex(),
        links=links,
        is_rotated=bool(links) or registry.is_rotated(),
    )


def find_waiting(registry: Registry, trust: Trust) -> list[Member]:
    """List the members that do not use the present welcome yet; nobody where nothing was ever changed."""
    if not trust.is_rotated:
        return []
    taken = {found.member for found in registry.welcomes() if found.digest == trust.digest and found.taken_at}
    return [member for member in registry.members() if member.is_welcome and member.name not in taken]


def describe_rotation(home: CoordinatorFolder, registry: Registry) -> dict[str, object]:
    """Say what is under way, and whom it waits for."""
    is_rotated = registry.is_rotated() or bool(registry.successions())
    waiting = find_waiting(registry, read_trust(home, registry)) if is_rotated else []
    under_way = [
        what for what, path in ((SIGNING_KEY, home.next_signing_key), (AUTHORITY, home.next_authority)) if path.exists()
    ]
    return {
        "under_way": under_way,
        "waiting_for": [member.name for member in waiting],
    }


def begin_signing_key(home: CoordinatorFolder, registry: Registry) -> str:
    """Make the key that follows and have the present one name it; done again after a crash, it is the same key.

    Returns
    -------
    str
        How a policy names the new key.

    Raises
    ------
    ConfigError
        One is under way already.
    """
    old, links = _read_signing_key(home), registry.successions()
    is_named = bool(links) and parse_succession(links[-1].content).predecessor == public_bytes(old).hex()
    if is_named:
        raise ConfigError(
            "The signing key is being rotated already; end it with: hansa-server rotate signing-key --finish"
        )
    new = public_bytes(read_or_make_signing_key(home.next_signing_key))
    registry.add_succession(succeed(old, new, datetime.now(UTC)).signed)
    return name_key(new)


def finish_signing_key(home: CoordinatorFolder, registry: Registry) -> str:
    """Sign with the key that follows from now on; the one before is gone.

    Raises
    ------
    ConfigError
        None is under way.
    """
    links = registry.successions()
    new = public_bytes(read_or_make_signing_key(home.next_signing_key)) if home.next_signing_key.is_file() else b""
    if not links or parse_succession(links[-1].content).successor != new.hex():
        raise ConfigError("No signing key is being rotated; begin with: hansa-server rotate signing-key")
    with _writing(home):
        home.next_signing_key.replace(home.signing_key)
        sync_folder(home.folder)
    return name_key(new)


def begin_authority(home: CoordinatorFolder, registry: Registry) -> None:
    """Make the authority that follows.

    Raises
    ------
    ConfigError
        One is under way already.
    """
    if home.next_authority.exists():
        raise ConfigError("The authority is being rotated already; end it with: hansa-server rotate authority --finish")
    fresh = home.next_authority.with_name(".next.new")
    with _writing(home):
        shutil.rmtree(fresh, ignore_errors=True)  # of a command that was killed here
        fresh.mkdir(mode=0o700)
        make_authority(fresh, home.read_settings().name)
        registry.note_rotation(AUTHORITY)
        fresh.replace(home.next_authority)
        sync_folder(home.authority)


def finish_authority(home: CoordinatorFolder, registry: Registry) -> None:
    """Trust the authority that follows alone; killed anywhere in between, it is to be done again.

    Raises
    ------
    ConfigError
        None is under way.
    """
    following = home.next_authority
    if not following.is_dir():
        raise ConfigError("No authority is being rotated; begin with: hansa-server rotate authority")
    with _writing(home):
        for name in ("authority.key", "authority.pem"):
            if (following / name).is_file():  # else it was moved before a kill
                (following / name).replace(home.authority / name)
        sign_server(home, Authority(home.authority), home.read_settings().hosts)
        following.rmdir()
        sync_folder(home.authority)


def find_locked_out(what: str, waiting: list[Member]) -> list[Member]:
    """List whom a finish would lock out until it is handed a new welcome file.

    Who knows how keys follow each other needs no help after a change of the signing key: the next message says it. But
    nobody can be told anything through a gateway whose authority it does not trust.
    """
    return [member for member in waiting if what == AUTHORITY or member.protocol < WELCOMES]


@contextmanager
def _writing(home: CoordinatorFolder) -> Iterator[None]:
    """Make one sentence of a folder that cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"Cannot write in {home.folder}: {error.strerror}; make room or make it writable, and do it again."
        ) from error


def _read_signing_key(home: CoordinatorFolder) -> Ed25519PrivateKey:
    """Read the key that signs; here a missing one is not made, since nobody would trust it."""
    if not home.signing_key.is_file():
        raise ConfigError(f"There is no signing key {home.signing_key}; bring it back from a copy of the folder.")
    return read_or_make_signing_key(home.signing_key)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise ConfigError(f"There is no certificate {path}; bring it back from a copy of the folder.") from error
