"""New welcomes for members that are there: after a rotation, and when a certificate is about to expire.

What is asked for again, and how often, is the mailbox's; what is out of date, `server.rotation` says. A member that is
away is handed its welcome when it comes back, if the gateway can still let it in.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.authority import Authority, fingerprint, read_certificate
from common.errors import ConfigError, HansaError
from common.message.protocol import WELCOMES
from common.message.signature import sign
from common.message.welcome import (
    PURPOSE,
    WELCOME,
    LiveWelcome,
    decode_welcome_receipt,
    encode_welcome,
    hash_welcome,
    parse_welcome,
)
from server.coordinator.mailbox import Mailbox, Reply, Subject
from server.coordinator.member import Members
from server.folder import CoordinatorFolder
from server.registry.registry import Member, Registry
from server.registry.renewal import Issued
from server.rotation import Trust, read_trust

LOGGER = logging.getLogger(__name__)
LOOK_SECONDS = 1.0  # how often it is looked at who lacks what
WELCOME_SECONDS = 120.0  # what a member may take to try the new line, and to say that it uses it
RENEW_BEFORE = timedelta(days=30)


class Welcomes:
    """Hand every member what it is to use from now on, and see that it does.

    Parameters
    ----------
    key
        Signs welcomes.
    """

    def __init__(
        self,
        home: CoordinatorFolder,
        registry: Registry,
        mailbox: Mailbox,
        members: Members,
        *,
        key: Ed25519PrivateKey,
    ) -> None:
        self._home, self._registry, self._mailbox, self._members, self._key = home, registry, mailbox, members, key
        self._looked_at = -LOOK_SECONDS
        self._told: set[tuple[str, str]] = set()

    def welcome(self, members: Mapping[str, Member]) -> None:
        """Send a welcome to everyone who is connected and needs one."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        try:
            trust = read_trust(self._home, self._registry)
        except HansaError as error:  # a key that is being replaced; looked at again in a second
            self._tell("", str(error))
            return
        issued = {found.member: found for found in self._registry.welcomes()}
        pems = self._registry.certificates()
        for name, member in members.items():
            if member.protocol < WELCOMES or not self._members.is_online(member):
                continue
            try:
                due = self._prepare(member, trust, issued.get(name), [found.pem for found in pems[name]])
            except HansaError as error:  # what one member lacks must not end everyone's coordinator
                self._tell(name, str(error))
                continue
            if due is not None:
                self._send(member, due, trust)

    def take(self, reply: Reply) -> None:
        """Note that a member uses its welcome, or that it does not."""
        if reply.content is None:
            LOGGER.warning("%s did not take its new welcome: %s", reply.member, reply.cause)
        elif _is_receipt(reply, reply.subject.what):
            self._registry.note_welcome_taken(reply.member, reply.subject.what)
            LOGGER.info("%s uses its new welcome.", reply.member)
        else:
            LOGGER.warning("%s answered its new welcome with no receipt for it.", reply.member)

    def _prepare(self, member: Member, trust: Trust, before: Issued | None, pems: list[str]) -> bytes | None:
        """Give the content that a member is to have and has not; None where it has it.

        Raises
        ------
        HansaError
            No certificate can be made for it.
        """
        now = datetime.now(UTC)
        said = None if before is None else parse_welcome(before.content)
        latest = said.certificate if said is not None else max(pems, key=lambda pem: _span(pem)[1], default="")
        is_expiring = bool(latest) and _is_expiring(latest, now)
        if before is not None and said is not None and before.digest == trust.digest and not is_expiring:
            return None if before.taken_at else before.content
        if not (trust.is_rotated or is_expiring):
            return None
        certificate = self._certify(member, trust, pems, now)
        issued_at = now if said is None else max(now, said.issued_at + timedelta(microseconds=1))
        content = LiveWelcome(
            federation=self._home.read_settings().name,
            name=member.name,
            address=trust.address,
            certificate=certificate,
            authority=trust.authority,
            authorities=trust.authorities,
            coordinator=trust.coordinator,
            issued_at=issued_at,
        ).to_bytes()
        self._registry.note_welcome(
            member.name, content=content, welcome_hash=hash_welcome(content), digest=trust.digest
        )
        return content

    def _certify(self, member: Member, trust: Trust, pems: list[str], now: datetime) -> str:
        """Give a certificate of the authority that issues now: one that is there, or a new one for the same key."""
        authority = read_certificate(trust.authority.encode(), origin="the authority's certificate")
        for pem in pems:
            if _is_of(pem, authority) and not _is_expiring(pem, now):
                return pem
        if not pems:
            raise ConfigError(
                f"The certificate of {member.name} is not known yet; it is once {member.name} has connected again."
            )
        if not (trust.issuing / "authority.key").is_file():
            raise ConfigError(
                f"{trust.issuing / 'authority.key'} is not there, so {member.name} cannot be handed a new certificate; "
                "bring it back, or hand it a new welcome file."
            )
        fresh = Authority(trust.issuing).sign_again(pems[-1].encode())
        name = fingerprint(read_certificate(fresh, origin="the new certificate"))
        if not self._registry.note_further_certificate(name, member=member.name, pem=fresh.decode(), known=pems[-1]):
            raise ConfigError(f"{member.name} was revoked or enrolled anew just now; it is looked at again.")
        return fresh.decode()

    def _send(self, member: Member, content: bytes, trust: Trust) -> None:
        subject = Subject(WELCOME, hash_welcome(content))
        if not self._mailbox.may_ask(member.name, subject):
            return
        assert member.node_id is not None  # noqa: S101  for mypy: only registered nodes are connected
        self._mailbox.post(
            encode_welcome(sign(content, self._key, purpose=PURPOSE), trust.links),
            member=member.name,
            node_id=member.node_id,
            subject=subject,
            timeout_seconds=WELCOME_SECONDS,
        )

    def _tell(self, name: str, sentence: str) -> None:
        """Say once what keeps a member from its welcome."""
        if (name, sentence) not in self._told:
            self._told.add((name, sentence))
            LOGGER.warning("%s", sentence)


def _is_receipt(reply: Reply, welcome_hash: str) -> bool:
    try:
        assert reply.content is not None  # noqa: S101  for mypy
        return decode_welcome_receipt(reply.content) == welcome_hash
    except Exception:  # one member's bytes must not end everyone's coordinator
        return False


@lru_cache(maxsize=4096)
def _read(pem: str) -> x509.Certificate:
    return read_certificate(pem.encode(), origin="a member's certificate")


def _span(pem: str) -> tuple[datetime, datetime]:
    found = _read(pem)
    return found.not_valid_before_utc, found.not_valid_after_utc


def _is_expiring(pem: str, now: datetime) -> bool:
    """Whether a certificate is in its last thirty days, or in the last third of a shorter life."""
    since, until = _span(pem)
    return now > until - min(RENEW_BEFORE, (until - since) / 3)


def _is_of(pem: str, authority: x509.Certificate) -> bool:
    try:
        _read(pem).verify_directly_issued_by(authority)
    except Exception:  # of another authority, whatever the library calls that
        return False
    return True
