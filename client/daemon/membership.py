"""A merchant's home in one federation: two keys made here, a certificate for one of them, and whom it listens to.

tls.key, node.key    made here, mode 0600, never sent
NAME.request.json    what was asked with
tls.pem              the certificate that came back, for tls.key
federation.json      the federation: address, authority, the coordinator's signing key, the size class enrolled
"""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from certs.authority import read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import (
    NAME_PATTERN,
    JoinRequest,
    Welcome,
    make_request,
    public_pem,
    read_document,
    write_document,
)
from client.account.policy import Policy
from client.folder import MerchantFolder
from common.disk.file import write_whole
from common.errors import ConfigError, DataError, PrivacyError
from common.message.signature import name_key
from common.plan.reading import refuse_newer
from common.plan.schema import Count, Document


class JoinedFederation(Document):
    """What `federation.json` holds (docs/protocol.md §7.3)."""

    welcome: Welcome
    size_class: Count

    @property
    def coordinator(self) -> bytes:
        """The 32 bytes of the key that signs plans and models."""
        return bytes.fromhex(self.welcome.coordinator)

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
    """Check that a welcome answers this folder's own request, and keep it.

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
    check_certificate(welcome, _read_key(home.tls_key, TLS_CURVE), now=datetime.now(UTC))
    if not re.fullmatch(r"(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):\d{1,5}", welcome.address):
        raise DataError(f"{file} has no address of the form host:port; ask the coordinator for another welcome.")
    federation = JoinedFederation(welcome=welcome, size_class=request.size_class)
    write_whole(home.certificate, welcome.certificate.encode())
    write_whole(home.federation, (json.dumps(federation.model_dump(mode="json"), indent=2) + "\n").encode())
    return federation


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
        return JoinedFederation.model_validate_json(home.federation.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no {home.federation}: no federation was joined; ask with: hansa-client join NAME, and then "
            "give the answer with: hansa-client join --welcome FILE"
        ) from error
    except ValidationError as error:
        refuse_newer(error, home.federation)
        raise _no_federation(home) from error
    except OSError as error:
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
    return Membership(federation, _read_key(home.node_key, NODE_CURVE), _make_context(home, federation.welcome))


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


def _make_context(home: MerchantFolder, welcome: Welcome) -> ssl.SSLContext:
    """Trust the federation's authority and nobody else, and show this merchant's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=welcome.authority)
        context.load_cert_chain(home.certificate, home.tls_key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise DataError(
            f"Cannot use {home.certificate} with {home.tls_key}; write it anew with: hansa-client join --welcome FILE"
        ) from error
    return context
