"""How a merchant joins, in two files: its request, and the welcome that comes back. Neither holds a secret.

Both keys of a request sign everything else in it: whoever sends it has both private keys, and nothing in it can be
changed or taken into another. A request has a date and is used once. A welcome names the request that it answers, and
is signed by the coordinator's key; so an old one is not taken for the answer. See docs/protocol.md §7.2.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from cryptography.x509.oid import NameOID
from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from certs.key import NODE_CURVE, TLS_CURVE
from common.disk.reading import read_file_text
from common.errors import ConfigError, DataError
from common.message.signature import Signed, is_signed, public_bytes, sign
from common.plan.first_keys import FIRST_KEYS
from common.plan.reading import refuse_newer
from common.plan.schema import NEWER, Count, Document, Section
from common.schema import SCHEMA, newer_file

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Digest = PublicKey
REQUEST_SCHEMA = 2  # the first version's proof covered the certificate request alone, and had no date
OLDEST = timedelta(days=30)  # a request: long enough for a letter, and short enough that none lies about for ever
AHEAD = timedelta(minutes=5)  # a merchant's clock may be; Flower refuses what is signed by one further off
PURPOSE = "welcome"


def _require_request_schema(schema: int) -> int:
    if schema != REQUEST_SCHEMA:
        raise PydanticCustomError(NEWER, f"this version of hansa reads schema {REQUEST_SCHEMA} of requests alone")
    return schema


def _require_moment(text: str) -> str:
    """Let a moment be written in one way only, since signatures cover the text."""
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0) or moment.isoformat(timespec="microseconds") != text:
        raise ValueError("write a moment as 2026-01-31T12:00:00.000000+00:00")
    return text


class JoinRequest(Section):
    """What a merchant asks with.

    Attributes
    ----------
    size_class
        Declared by hand in its policy; the coordinator accepts it by enrolling.
    made_at
        The moment, in UTC, by the merchant's clock.
    certificate_request, node_key
        PEM.
    node_proof, tls_proof
        What the node key and the certificate request's key signed (`content`), in base64.
    """

    schema_number: Annotated[int, AfterValidator(_require_request_schema)] = Field(alias="schema")
    name: Name
    size_class: Count
    made_at: Annotated[str, AfterValidator(_require_moment)]
    certificate_request: str
    node_key: str
    node_proof: str
    tls_proof: str

    @property
    def content(self) -> bytes:
        """What both proofs cover: everything but them."""
        said = {key: value for key, value in _to_json(self).items() if key not in ("node_proof", "tls_proof")}
        return b"hansa request\0" + _canonical(said)

    @property
    def digest(self) -> str:
        """Names the request in the welcome that answers it."""
        return hashlib.sha256(self.content).hexdigest()


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
    request
        The `digest` of the request that it answers; the first version did not say.
    signature
        By the coordinator's key, over everything else, in base64; the first version did not sign.
    """

    federation: Name
    name: Name
    address: str
    authority: str
    certificate: str
    coordinator: PublicKey
    request: Digest | None = None
    signature: str | None = None

    @property
    def content(self) -> bytes:
        """What the signature covers: everything but it."""
        return _canonical({key: value for key, value in _to_json(self).items() if key != "signature"})


Letter = TypeVar("Letter", JoinRequest, Welcome)


def make_request(
    name: str,
    size_class: int,
    *,
    tls_key: EllipticCurvePrivateKey,
    node_key: EllipticCurvePrivateKey,
    at: datetime | None = None,
) -> JoinRequest:
    """Ask to join under a name, now if no other moment is given; no private key is in the request.

    Raises
    ------
    ConfigError
        The name cannot be one.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise ConfigError(f"{name!r} is no name of a merchant; use up to 63 lower-case letters, digits and hyphens.")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(tls_key, SHA256())
    request = JoinRequest(
        schema=REQUEST_SCHEMA,
        name=name,
        size_class=size_class,
        made_at=(at or datetime.now(UTC)).isoformat(timespec="microseconds"),
        certificate_request=csr.public_bytes(Encoding.PEM).decode(),
        node_key=public_pem(node_key.public_key()).decode(),
        node_proof="",
        tls_proof="",
    )
    proofs = {
        field: base64.b64encode(key.sign(request.content, ECDSA(SHA256()))).decode()
        for field, key in (("node_proof", node_key), ("tls_proof", tls_key))
    }
    return request.model_copy(update=proofs)


def make_welcome(
    request: JoinRequest, *, federation: str, address: str, authority: str, certificate: str, key: Ed25519PrivateKey
) -> Welcome:
    """Answer a request with a certificate (PEM), signed by the key that signs plans and models."""
    welcome = Welcome(
        federation=federation,
        name=request.name,
        address=address,
        authority=authority,
        certificate=certificate,
        coordinator=public_bytes(key).hex(),
        request=request.digest,
    )
    signature = base64.b64encode(sign(welcome.content, key, purpose=PURPOSE).signature).decode()
    return welcome.model_copy(update={"signature": signature})


def check_answer(welcome: Welcome, request: JoinRequest) -> None:
    """Check that a welcome answers this very request, and stands as its coordinator signed it.

    Raises
    ------
    DataError
        It does not.
    """
    if welcome.request is None or welcome.signature is None:
        raise DataError(
            f"The welcome of {welcome.name!r} is of an older version of hansa and does not say which request it "
            "answers; have the coordinator bring hansa up to date and enroll the request again."
        )
    if welcome.request != request.digest:
        raise DataError(
            f"The welcome of {welcome.name!r} answers another request than the latest one here, of "
            f"{request.made_at[:19]} UTC; give the answer to that one, or ask again with: hansa-client join "
            f"{request.name}"
        )
    try:
        signature = base64.b64decode(welcome.signature, validate=True)
    except ValueError:
        signature = b""
    if not is_signed(Signed(welcome.content, signature), bytes.fromhex(welcome.coordinator), purpose=PURPOSE):
        raise DataError(
            f"The welcome of {welcome.name!r} is not as its coordinator signed it; have it sent again another way."
        )


def check_date(request: JoinRequest, *, now: datetime) -> None:
    """Refuse a request that lay about for a month, or is dated ahead of a clock that is right.

    Raises
    ------
    DataError
        It is.
    """
    age, said = now - datetime.fromisoformat(request.made_at), f"The request of {request.name!r}"
    if age > OLDEST:
        raise DataError(
            f"{said} is of {request.made_at[:10]}, more than {OLDEST.days} days ago; have it make a new one with: "
            f"hansa-client join {request.name}"
        )
    if age < -AHEAD:
        raise DataError(
            f"{said} is dated {request.made_at[:19]} UTC, and here it is {now:%Y-%m-%dT%H:%M:%S}; have whichever clock "
            f"is wrong set right, and a new request made with: hansa-client join {request.name}"
        )


def check_request(request: JoinRequest) -> x509.CertificateSigningRequest:
    """Check that whoever asks has both private keys, of the right kind, and wrote all of it; return what to certify.

    Raises
    ------
    DataError
        It does not hold together.
    """
    try:
        csr = x509.load_pem_x509_csr(request.certificate_request.encode())
        node_key = load_pem_public_key(request.node_key.encode())
        names = [attribute.value for attribute in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        proofs = [base64.b64decode(proof, validate=True) for proof in (request.node_proof, request.tls_proof)]
        keys = (csr.public_key(), TLS_CURVE), (node_key, NODE_CURVE)
        if not csr.is_signature_valid or names != [request.name]:
            raise ValueError
        if not all(_is_on(key, curve.name) for key, curve in keys):
            raise ValueError
        assert isinstance(node_key, EllipticCurvePublicKey)  # noqa: S101  for mypy: just looked at
        if public_pem(node_key).decode() != request.node_key:  # one key, written in many ways, would be many
            raise ValueError
        for proof, key in zip(proofs, (node_key, csr.public_key()), strict=True):
            assert isinstance(key, EllipticCurvePublicKey)  # noqa: S101  for mypy: just looked at
            key.verify(proof, request.content, ECDSA(SHA256()))
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
        The file is missing, no such document, or of another version.
    """
    try:
        text = read_file_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"Cannot read {path}; give the file that the other side sent.") from error
    if kind is JoinRequest:
        _refuse_first_form(text, path)
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        if kind is JoinRequest or "certificate_request" not in text:  # a request is no welcome of a later schema
            refuse_newer(error, path)
        raise DataError(f"{path} is no {kind.__name__} of this version; ask the other side for it again.") from error


def write_document(document: JoinRequest | Welcome, path: Path) -> None:
    """Write a request or a welcome, over an older one."""
    try:
        path.write_text(json.dumps(_to_json(document), indent=2) + "\n")
    except OSError as error:
        raise DataError(f"Cannot write {path}: {error.strerror}; choose another --out.") from error


def public_pem(key: EllipticCurvePublicKey) -> bytes:
    """Write a public key as Flower does."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _refuse_first_form(text: str, path: Path) -> None:
    """Say what to do with a request of the first version: its proof did not cover name, size class or date."""
    try:
        said = json.loads(text)
    except ValueError:
        return
    first = FIRST_KEYS["JoinRequest"]
    if not isinstance(said, dict) or said.get("schema", SCHEMA) != SCHEMA or not said.keys() >= first:
        return
    if said.keys() - first - {"schema"}:
        raise newer_file(path)
    raise DataError(
        f"{path} is a request of an older version of hansa, which proves too little of what it says; bring the "
        "merchant's hansa up to date, and make a new one with: hansa-client join NAME"
    )


def _to_json(document: JoinRequest | Welcome) -> dict[str, Any]:
    said = document.model_dump(mode="json")
    return {"schema": said.pop("schema_number"), **said} if "schema_number" in said else said


def _canonical(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _is_on(key: object, curve: str) -> bool:
    return isinstance(key, EllipticCurvePublicKey) and key.curve.name == curve
