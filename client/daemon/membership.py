"""A merchant's home in one federation: two keys made here, a certificate for one of them, and whom it listens to.

tls.key, node.key    made here, mode 0600, never sent
NAME.request.json    what was asked with
tls.pem              the certificate that came back, for tls.key
federation.json      the federation: address, authorities, the coordinator's signing keys, the size class enrolled
"""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import NameOID
from pydantic import AwareDatetime, ValidationError

from certs.authority import read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import (
    NAME_PATTERN,
    JoinRequest,
    Welcome,
    check_answer,
    make_request,
    public_pem,
    read_document,
    write_document,
)
from client.account.policy import Policy
from client.folder import MerchantFolder
from common.disk.file import write_whole
from common.disk.reading import read_file, require_file
from common.errors import ConfigError, DataError, MessageError, PrivacyError
from common.message.signature import name_key
from common.message.succession import Lineage, Link, read_lineage
from common.plan.reading import refuse_newer
from common.plan.schema import Count, Document


class JoinedFederation(Document):
    """What `federation.json` holds (docs/protocol.md §7.3).

    Attributes
    ----------
    welcome
        The one in use; its certificate, address and coordinator's key are those of the latest live welcome.
    authorities
        PEM of everyone who may have signed the gateway's certificate; empty where that is `welcome.authority` alone.
    first_coordinator, successions
        The coordinator's first key that was known here, and how others followed it; empty where there is no other.
    issued_at
        When the latest live welcome was issued; None where none has come.
    """

    welcome: Welcome
    size_class: Count
    authorities: tuple[str, ...] = ()
    first_coordinator: str = ""
    successions: tuple[Link, ...] = ()
    issued_at: AwareDatetime | None = None

    @property
    def coordinator(self) -> bytes:
        """The 32 bytes of the key that signs plans and models."""
        return bytes.fromhex(self.welcome.coordinator)

    @property
    def lineage(self) -> Lineage:
        """All keys of the coordinator that were ever known here, each vouched for by the one before.

        Raises
        ------
        PrivacyError, MessageError
            They are not.
        """
        lineage = read_lineage(bytes.fromhex(self.first_coordinator or self.welcome.coordinator), self.successions)
        if self.coordinator not in lineage.keys:
            raise PrivacyError("The coordinator's key is not one of those that followed each other.")
        return lineage

    @property
    def signers(self) -> tuple[bytes, ...]:
        """The keys whose signature counts on a message: the one that signs now, and what follows it already."""
        trusted = self.lineage.after(self.coordinator)
        assert trusted is not None  # noqa: S101  for mypy: just looked at
        return trusted.keys

    @property
    def vouched_by(self) -> tuple[str, ...]:
        """The names of the keys before the one that signs now."""
        keys = self.lineage.keys
        return tuple(name_key(key) for key in keys[: keys.index(self.coordinator)])

    @property
    def trusted(self) -> str:
        """PEM of everyone who may have signed the gateway's certificate."""
        return "\n".join(self.authorities or (self.welcome.authority,))

    @property
    def coordinator_name(self) -> str:
        """How a policy's approval.coordinators names that key."""
        return name_key(self.coordinator)


@dataclass(frozen=True)
class Membership:
    """A federation that was joined, with what it takes to speak to it."""

    federation: JoinedFederation
    node_key: EllipticCurvePrivateKey
    context: ssl.SSLContext


def ask_to_join(home: MerchantFolder, name: str, policy: Policy) -> JoinRequest:
    """Make this merchant's keys where there are none, and write its request.

    Raises
    ------
    ConfigError, DataError
        The name is not allowed, a key cannot be used, or the folder cannot be written.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise ConfigError(f"{name!r} is no name to join under; use up to 63 of a-z, 0-9 and -, such as north-shop.")
    request = make_request(
        name,
        policy.size_class,
        tls_key=read_or_make_curve_key(home.tls_key, TLS_CURVE),
        node_key=read_or_make_curve_key(home.node_key, NODE_CURVE),
    )
    write_document(request, home.request(name))
    return request


def accept_welcome(home: MerchantFolder, file: Path) -> JoinedFederation:
    """Check that a welcome answers this folder's latest request, and keep it; an earlier one is not taken up again.

    Raises
    ------
    DataError
        It does not.
    """
    welcome = read_document(file, Welcome)
    if not home.request(welcome.name).is_file():
        raise DataError(
            f"{file} welcomes {welcome.name!r}, who never asked from {home.folder.resolve()}; use its folder."
        )
    request = read_document(home.request(welcome.name), JoinRequest)
    check_answer(welcome, request)
    check_certificate(welcome, _read_key(home.tls_key, TLS_CURVE), now=datetime.now(UTC))
    check_address(welcome.address, origin=str(file))
    _require_later(home, welcome)
    federation = JoinedFederation(welcome=welcome, size_class=request.size_class, **_chain_to(home, welcome))
    keep_federation(home, federation)
    return federation


def keep_federation(home: MerchantFolder, federation: JoinedFederation) -> None:
    """Write down which federation was joined, and how.

    Guarantee: killed in between, what is there still opens the gateway: both certificates are for the same key, and
    the second file says what counts.
    """
    write_whole(home.certificate, federation.welcome.certificate.encode())
    write_whole(home.federation, (json.dumps(federation.model_dump(mode="json"), indent=2) + "\n").encode())


def check_address(address: str, *, origin: str) -> None:
    """Refuse what cannot be dialled.

    Raises
    ------
    DataError
        It is not of the form host:port.
    """
    if not re.fullmatch(r"(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}", address):
        raise DataError(f"{origin} has no address of the form host:port; ask the coordinator for another welcome.")


def _require_later(home: MerchantFolder, welcome: Welcome) -> None:
    """Refuse a welcome file that would bring back what was replaced: a key that was followed, an older authority.

    A request is answered once by file; whatever came after that came live.

    Raises
    ------
    DataError
        It would.
    """
    try:
        known = read_federation(home)
    except (ConfigError, DataError):
        return
    way = f"ask again with: hansa-client join {welcome.name}"
    if (key := bytes.fromhex(welcome.coordinator)) in known.lineage.keys and key not in known.signers:
        raise DataError(
            f"The welcome of {welcome.name!r} is by a key of the coordinator that was followed by another, so whoever "
            f"found the old one may have written it; {way}"
        )
    is_same = welcome.certificate == known.welcome.certificate and welcome.address == known.welcome.address
    if known.issued_at is not None and welcome.request == known.welcome.request and not is_same:
        raise DataError(
            f"The welcome of {welcome.name!r} is older than the one that came live on "
            f"{known.issued_at:%Y-%m-%d %H:%M} UTC and is in use; {way}"
        )


def _chain_to(home: MerchantFolder, welcome: Welcome) -> dict[str, Any]:
    """Keep the chain of the coordinator's keys where a welcome file names one of them: older models are read by it."""
    try:
        known = read_federation(home)
    except (ConfigError, DataError):
        return {}
    is_known = known.welcome.federation == welcome.federation and bytes.fromhex(welcome.coordinator) in known.signers
    kept = {"first_coordinator", "successions", "issued_at"}
    return {name: getattr(known, name) for name in kept} if is_known else {}


def read_federation(home: MerchantFolder) -> JoinedFederation:
    """Read which federation was joined.

    Raises
    ------
    ConfigError
        None was.
    DataError
        The file is damaged, or a later version wrote it.
    """
    try:
        federation = JoinedFederation.model_validate_json(read_file(home.federation))
        federation.lineage  # noqa: B018  every link is checked each time
        return federation
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no {home.federation}: no federation was joined; ask with: hansa-client join NAME, and then "
            "give the answer with: hansa-client join --welcome FILE"
        ) from error
    except ValidationError as error:
        refuse_newer(error, home.federation)
        raise _no_federation(home) from error
    except (OSError, ValueError, PrivacyError, MessageError) as error:
        raise _no_federation(home) from error


def _no_federation(home: MerchantFolder) -> DataError:
    return DataError(f"Cannot read {home.federation}; make it anew: hansa-client join --welcome FILE")


def read_membership(home: MerchantFolder) -> Membership:
    """Read everything that it takes to speak to the federation, and check that it fits together today.

    Raises
    ------
    ConfigError, DataError
        Something is missing, damaged, of another merchant, or out of date.
    """
    federation = read_federation(home)
    check_certificate(federation.welcome, _read_key(home.tls_key, TLS_CURVE), now=datetime.now(UTC))
    context = make_context(home, federation, certificate=home.certificate)
    return Membership(federation, _read_key(home.node_key, NODE_CURVE), context)


def read_tls_key(home: MerchantFolder) -> EllipticCurvePrivateKey:
    """Read the key that this merchant's certificate is for.

    Raises
    ------
    DataError
        It is missing or damaged.
    """
    return _read_key(home.tls_key, TLS_CURVE)


def read_vouchers(home: MerchantFolder, coordinator: str) -> tuple[str, ...]:
    """Name the keys that vouch for a coordinator's, where it is that of the federation that was joined; else none."""
    if not home.federation.is_file():
        return ()
    federation = read_federation(home)
    return federation.vouched_by if federation.coordinator_name == coordinator else ()


def read_node_key(home: MerchantFolder) -> str:
    """Read this merchant's public node key (PEM), as the coordinator has it.

    Raises
    ------
    DataError
        The key is missing or damaged.
    """
    return public_pem(_read_key(home.node_key, NODE_CURVE).public_key()).decode()


def require_size_class(policy: Policy, federation: JoinedFederation) -> None:
    """Refuse to take part with another size class than the one that was enrolled.

    Raises
    ------
    PrivacyError
        They differ.
    """
    if policy.size_class != federation.size_class:
        raise PrivacyError(
            f"The policy's size_class is {policy.size_class}, enrolled was {federation.size_class}; change it back, or "
            "join again."
        )


def check_certificate(welcome: Welcome, key: EllipticCurvePrivateKey, *, now: datetime) -> None:
    """Check that a welcome's certificate is for our key and name, by its authority, and in date.

    Raises
    ------
    DataError
        It is not.
    """
    certificate = read_certificate(welcome.certificate.encode(), origin="The certificate of the welcome")
    authority = read_certificate(welcome.authority.encode(), origin="The authority of the welcome")
    if certificate.public_key() != key.public_key():
        raise DataError(
            f"The certificate of {welcome.name!r} is not for the key in tls.key; use the folder that the "
            "request was made in, or join again."
        )
    names = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [welcome.name] or not _is_issued_by(certificate, authority):
        raise DataError(
            f"The certificate of {welcome.name!r} is not signed for it by the authority of {welcome.federation!r}; ask "
            "the coordinator for another welcome."
        )
    for name, checked in (("certificate", certificate), ("authority", authority)):
        if not checked.not_valid_before_utc <= now <= checked.not_valid_after_utc:
            raise DataError(
                f"The {name} of {welcome.name!r} is valid from {checked.not_valid_before_utc:%Y-%m-%d %H:%M} to "
                f"{checked.not_valid_after_utc:%Y-%m-%d %H:%M} UTC, and here it is {now:%Y-%m-%d %H:%M}; set the clock "
                "right, or join again."
            )


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
        authority.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _read_key(path: Path, curve: object) -> EllipticCurvePrivateKey:
    """Read a key; here a missing one is not made, since the certificate is for the one that was."""
    if not path.is_file():
        raise DataError(f"There is no key {path}; bring it back, or join again: the certificate is for that key alone.")
    return read_or_make_curve_key(path, curve)  # type: ignore[arg-type]


def make_context(home: MerchantFolder, federation: JoinedFederation, *, certificate: Path) -> ssl.SSLContext:
    """Trust the federation's authorities and nobody else, and show the certificate that is in a file.

    Raises
    ------
    DataError
        It cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        require_file(Path(certificate))
        context.load_verify_locations(cadata=federation.trusted)
        context.load_cert_chain(certificate, home.tls_key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise DataError(
            f"Cannot use {certificate} with {home.tls_key}; write it anew with: hansa-client join --welcome FILE"
        ) from error
    return context
