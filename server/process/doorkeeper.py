"""Who may pass: known to the registry, at most half a second late, with a node key and a rate of its own.

What cannot be known lets nobody in: a registry that is damaged, gone or locked is a refusal, and the gateway goes on.
"""

from __future__ import annotations

import logging
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from common.errors import DataError
from common.message.protocol import HEADER, choose_protocol, read_spoken
from server.process.headers import KEY_HEADER
from server.process.limits import Bucket
from server.process.trust import find_members
from server.registry.registry import Member, Registry

LOGGER = logging.getLogger(__name__)
LOOK_SECONDS = 0.5  # how often the registry is looked at for revocations
NOTE_SECONDS = 5.0  # how often a member may be noted to speak another protocol than before
BUSY_SECONDS = 0.2  # how long everybody waits where another process writes the registry


class Doorkeeper:
    """Know who is enrolled, at most half a second late."""

    def __init__(self, registry: Path, *, requests_per_second: int) -> None:
        self._path = registry
        self._registry = Registry(registry, busy_seconds=BUSY_SECONDS)
        self._file = _identify(registry)
        self._rate = requests_per_second
        self._members: Mapping[str, Member] = {}
        self._buckets: dict[str, Bucket] = {}
        self._noted_at: dict[str, float] = {}
        self._noted: set[str] = set()
        self.seen: dict[str, datetime] = {}  # when each member was last let through
        self._version: int | None = None
        self._looked_at = 0.0

    def close(self) -> None:
        """Close the registry."""
        self._registry.close()

    def judge(self, certificate: str, valid_until: datetime, headers: Mapping[str, str]) -> tuple[int, str]:
        """Return 200, or the status and the reason of a refusal."""
        if (refusal := self.look_again(certificate, valid_until))[0] != 200:
            return refusal
        member = self._members[certificate]
        if headers.get(KEY_HEADER) != b64encode(member.node_key.encode()).decode():
            return 403, f"{member.name} with another node key than its own"
        if not self._buckets.setdefault(member.name, Bucket(float(self._rate))).take():
            return 429, f"{member.name}, who asks too often"
        protocol = choose_protocol(read_spoken(headers.get(HEADER)))
        if protocol is None:
            return 426, f"{member.name}, whose version of hansa speaks no protocol of this one"
        self._note(member, protocol)
        self.seen[member.name] = datetime.now(UTC)
        return 200, ""

    def look_again(self, certificate: str, valid_until: datetime) -> tuple[int, str]:
        """Return 200 where a certificate is welcome at this moment: a long body may have outlasted it."""
        try:
            member = self._find(certificate)
        except Exception as error:  # whatever is wrong with it: without a registry nobody is known
            self._version = None
            return 503, f"everybody, since the registry cannot be read ({type(error).__name__})"
        if member is None:
            return 403, "a certificate that is not enrolled"
        if not member.is_welcome:
            return 403, f"the revoked member {member.name}"
        if valid_until < datetime.now(UTC):
            return 403, f"the expired certificate of {member.name}"
        return 200, ""

    def name(self, certificate: str) -> str:
        """Name a member that was judged."""
        return self._members[certificate].name

    def node_id(self, certificate: str) -> int | None:
        """Give the node of a member that was judged; None until the coordinator has made it known."""
        member = self._members.get(certificate)
        return None if member is None else member.node_id

    def _note(self, member: Member, protocol: int) -> None:
        """Tell the coordinator what a member speaks, where that is news; seldom, for writing takes the disk."""
        now = time.monotonic()
        if protocol != member.protocol and now - self._noted_at.get(member.name, -NOTE_SECONDS) >= NOTE_SECONDS:
            self._noted_at[member.name] = now
            try:
                self._registry.note_protocol(member.name, protocol)
            except DataError as error:  # tried again at a later request; a full disk closes no door
                LOGGER.warning("It is not noted that %s speaks protocol %d: %s", member.name, protocol, error)
                return
            spoken = replace(member, protocol=protocol)  # a connection's own writes do not change its data_version
            own = {name: spoken for name, known in self._members.items() if known.name == member.name}
            self._members = {**self._members, **own}

    def note_certificate(self, certificate: str, pem: str) -> None:
        """Remember the certificate of a member that was let in, where an older version enrolled it without."""
        member = self._members.get(certificate)
        if member is None or certificate in self._noted:
            return
        self._noted.add(certificate)
        try:
            if not self._registry.is_certified(certificate, member=member.name):
                self._registry.note_own_certificate(certificate, member=member.name, pem=pem)
        except DataError as error:
            LOGGER.warning("The certificate of %s is not noted: %s", member.name, error)

    def _find(self, certificate: str) -> Member | None:
        now = time.monotonic()
        is_new = certificate not in self._members  # a certificate that was handed out just now
        if self._version is None or is_new or now - self._looked_at > LOOK_SECONDS:
            self._looked_at = now
            if _identify(self._path) != self._file:  # put back from a copy, say: what is open is no longer it
                self.close()
                self._registry = Registry(self._path, busy_seconds=BUSY_SECONDS)
                self._file, self._version = _identify(self._path), None
            version = self._registry.version
            if version != self._version:
                self._version = version
                self._members = find_members(self._registry)
        return self._members.get(certificate)


def _identify(path: Path) -> tuple[int, int]:
    """Tell a file from another that takes its place."""
    found = path.stat()
    return found.st_dev, found.st_ino
