"""Whom the gateway trusts, and when what runs has to be started anew because keys or certificates are others."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path

from server.folder import CoordinatorFolder
from server.registry.registry import Member, Registry

LOGGER = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
Stamp = tuple[int, int, int] | None


def read_authorities(home: CoordinatorFolder) -> bytes:
    """Read who may have signed a member's certificate, as PEM: the authority, and the one that is to follow it.

    Raises
    ------
    OSError
        There is none.
    """
    following = home.next_authority / "authority.pem"
    found = [(home.authority / "authority.pem").read_bytes()]
    return b"\n".join([*found, following.read_bytes()] if following.is_file() else found)


def find_members(registry: Registry) -> dict[str, Member]:
    """Give the member of every certificate that may open the gateway, by fingerprint."""
    members = {member.name: member for member in registry.members()}
    known = {found.fingerprint: members[name] for name, all_of in registry.certificates().items() for found in all_of}
    return known | {member.certificate: member for member in members.values()}


async def trust_followers(home: CoordinatorFolder, context: ssl.SSLContext) -> None:
    """Trust an authority that is to follow as soon as it is there, on connections that are opened from then on.

    Started anew a gateway could lose an answer that is being handed in. Who is not to be trusted any more is forgotten
    by a start, which `Watch` sees to.
    """
    path, seen = home.next_authority / "authority.pem", _stamp(home.next_authority / "authority.pem")
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (now := _stamp(path)) != seen and now is not None:
            seen = now
            context.load_verify_locations(cadata=path.read_text())
            LOGGER.info("An authority that is to follow is trusted too.")


class Watch:
    """Notice that files of keys and certificates were replaced.

    Attributes
    ----------
    names
        Of the processes that have read each file.
    """

    def __init__(self, home: CoordinatorFolder) -> None:
        everything = frozenset({"superlink", "gateway", "coordinator"})
        self.names: Mapping[Path, frozenset[str]] = {
            home.authority / "server.pem": everything,
            home.authority / "authority.pem": everything,
            home.signing_key: frozenset({"coordinator"}),
        }
        self._seen = {path: _stamp(path) for path in self.names}

    def look(self) -> frozenset[str]:
        """Return the processes that have to be started anew since the last look."""
        now = {path: _stamp(path) for path in self.names}
        changed = [path for path in now if now[path] != self._seen[path]]
        self._seen = now
        return frozenset().union(*(self.names[path] for path in changed))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
