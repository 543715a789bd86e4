"""How a merchant joins, in two files: its request, and the welcome that comes back. Neither holds a secret.

The request holds a certificate request, signed by the key for TLS, and a node key, which signs that certificate
request: whoever sends it has both private keys. See docs/protocol.md §7.2.
"""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Annotated, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import NameOID
from pydantic import Field, ValidationError

from certs.key import NODE_CURVE, TLS_CURVE
from common.disk.reading import read_file
from common.errors import ConfigError, DataError
from common.plan.reading import refuse_newer
from common.plan.schema import Count, Document

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class JoinRequest(Document):
    """What a merchant asks with.

    Attributes
    ----------
    size_class
        Declared by hand in its policy; the coordinator accepts it by enrolling.
    certificate_request, node_key
        PEM.
    node_proof
        The node key's signature over the certificate request, in base64.
    """

    name: Name
    size_class: Count
    certificate_request: str
    node_key: str
    node_proof: str


class Welcome(Document):
    """What an enrolled merchant gets back.

    Attributes
    ----------
    address
        Host and port of the gateway.
    authority, certificate
        PEM: who signs this federation's certificates, and the merchant's own.
    coordinator
        The 32 bytes, in hex, of the key that signs plans and models.
    """

    federation: Name
    name: Name
    address: str
    authority: str
    certificate: str
    coordinator: PublicKey


Letter = TypeVar("Letter", JoinRequest, Welcome)


def make_request(
    name: str, size_class: int, *, tls_key: EllipticCurvePrivateKey, node_key: EllipticCurvePrivateKey
) -> JoinRequest:
    """Ask to join under a name; no private key is in the request.

    Raises
    ------
    ConfigError
        The name cannot be one.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise ConfigError(f"{name!r} is no name of a merchant; use up to 63 lower-case letters, digits and hyphens.")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(tls_key, SHA256())
    pem = csr.public_bytes(Encoding.PEM)
    return JoinRequest(
        name=name,
        size_class=size_class,
        certificate_request=pem.decode(),
        node_key=public_pem(node_key.public_key()).decode(),
        node_proof=base64.b64encode(node_key.sign(pem, ECDSA(SHA256()))).decode(),
    )


def check_request(request: JoinRequest) -> x509.CertificateSigningRequest:
    """Check that whoever asks has both private keys, of the right kind; return the certificate request.

    Raises
    ------
    DataError
        It does not hold together.
    """
    try:
        csr = x509.load_pem_x509_csr(request.certificate_request.encode())
        node_key = load_pem_public_key(request.node_key.encode())
        proof = base64.b64decode(request.node_proof, validate=True)
        keys = (csr.public_key(), TLS_CURVE), (node_key, NODE_CURVE)
        if not csr.is_signature_valid or not all(_is_on(key, curve.name) for key, curve in keys):
            raise ValueError
        assert isinstance(node_key, EllipticCurvePublicKey)  # noqa: S101  for mypy: just looked at
        node_key.verify(proof, request.certificate_request.encode(), ECDSA(SHA256()))
    except (ValueError, InvalidSignature) as error:
        raise DataError(
            f"The request of {request.name!r} does not prove that its sender has its keys; ask for a new one."
        ) from error
    return csr


def read_document(path: Path, kind: type[Letter]) -> Letter:
    """Read a request or a welcome.

    Raises
    ------
    DataError
        The file is missing, no such document, or of a later version.
    """
    try:
        return kind.model_validate_json(read_file(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {path}; give the file that the other side sent.") from error
    except ValidationError as error:
        refuse_newer(error, path)
        raise DataError(f"{path} is no {kind.__name__} of this version; ask the other side for it again.") from error


def write_document(document: JoinRequest | Welcome, path: Path) -> None:
    """Write a request or a welcome, over an older one."""
    try:
        path.write_text(json.dumps(document.model_dump(mode="json"), indent=2) + "\n")
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror}; choose another --out.") from error


def public_pem(key: EllipticCurvePublicKey) -> bytes:
    """Write a public key as Flower does."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _is_on(key: object, curve: str) -> bool:
    return isinstance(key, EllipticCurvePublicKey) and key.curve.name == curve
