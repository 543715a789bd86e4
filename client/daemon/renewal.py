"""A new welcome that comes as a message: checked against what is trusted now, kept at once, and used without a restart.

What it may change: certificate, authorities, address, and which of the coordinator's keys signs. What it may not: the
federation, this merchant's name and keys, its size class, and any limit of its policy. See docs/protocol.md §5.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from certs.request import Welcome
from client.daemon.membership import JoinedFederation, check_address, check_certificate
from common.errors import DataError, MessageError, PrivacyError
from common.message.signature import Signed, verify_any
from common.message.succession import MOST_LINKS, Lineage, Link, parse_succession, read_lineage
from common.message.welcome import PURPOSE, LiveWelcome, parse_welcome

AHEAD = timedelta(days=1)  # a welcome dated further ahead would keep every later one out


def take_welcome(
    federation: JoinedFederation,
    signed: Signed,
    successions: Sequence[Link],
    *,
    tls_key: EllipticCurvePrivateKey,
    now: datetime,
) -> JoinedFederation:
    """Check a welcome against the federation as it is known; return it as it is to be known from now on.

    Raises
    ------
    PrivacyError
        It is not signed by a key that is trusted now, or that follows one, or it would undo a later one.
    MessageError, DataError
        It is for another merchant, dated ahead, or does not hold together.
    """
    lineage = _extend(federation, successions)
    trusted = lineage.after(federation.coordinator)
    assert trusted is not None  # noqa: S101  for mypy: it was extended from that key
    said = parse_welcome(verify_any(signed, trusted.keys, purpose=PURPOSE))
    _require_ours(federation, said, now=now)
    if bytes.fromhex(said.coordinator) not in trusted.keys:
        raise PrivacyError("A new welcome names a key of the coordinator that was followed by another; it is refused.")
    welcome = Welcome(
        federation=said.federation,
        name=said.name,
        address=said.address,
        authority=said.authority,
        certificate=said.certificate,
        coordinator=said.coordinator,
        request=federation.welcome.request,
    )
    check_certificate(welcome, tls_key, now=now)
    check_address(welcome.address, origin="A new welcome")
    if said.authority not in said.authorities:
        raise DataError("A new welcome does not trust the authority that signed its certificate; it is refused.")
    return JoinedFederation(
        welcome=welcome,
        size_class=federation.size_class,
        authorities=said.authorities,
        first_coordinator=lineage.keys[0].hex() if lineage.links else "",
        successions=lineage.links,
        issued_at=said.issued_at,
    )


def _extend(federation: JoinedFederation, successions: Sequence[Link]) -> Lineage:
    """Put the coordinator's chain onto the one that is known; what is known of it can grow and never change."""
    known = federation.lineage
    if not successions:
        return known
    theirs = read_lineage(_first_of(successions), successions)
    own, new = known.after(federation.coordinator), theirs.after(federation.coordinator)
    assert own is not None  # noqa: S101  for mypy: a federation's lineage has its coordinator
    if new is None or new.keys[: len(own.keys)] != own.keys:
        raise PrivacyError(
            "A new welcome follows from another key than the coordinator's that is trusted here; it is refused. If the "
            "coordinator confirms its key another way, keep a new welcome file: hansa-client join --welcome FILE"
        )
    before = known.keys.index(federation.coordinator)
    theirs_before = theirs.keys[: -len(new.keys)]
    if theirs_before[max(len(theirs_before) - before, 0) :] == known.keys[:before]:
        return theirs  # it may know older keys than this merchant, who joined later; those vouch for the later ones
    links = (*known.links[:before], *new.links)
    if len(links) > MOST_LINKS:  # all of them are looked at with every message
        raise MessageError(f"A new welcome would make more than {MOST_LINKS} keys follow each other; it is refused.")
    return Lineage((*known.keys[:before], *new.keys), links)


def _first_of(successions: Sequence[Link]) -> bytes:
    """Say with which key a chain begins; whether that is true, its first signature says."""
    return bytes.fromhex(parse_succession(successions[0].signed.content).predecessor)


def _require_ours(federation: JoinedFederation, said: LiveWelcome, *, now: datetime) -> None:
    if (said.federation, said.name) != (federation.welcome.federation, federation.welcome.name):
        raise MessageError("A new welcome is for another merchant or federation; it is refused.")
    if said.issued_at > now + AHEAD:
        raise MessageError("A new welcome is dated more than a day ahead; set this clock right, or the coordinator's.")
    if federation.issued_at is not None and said.issued_at < federation.issued_at:
        raise PrivacyError("A new welcome is older than the one that is in use; it is refused.")
