"""Ed25519 signatures over bytes, each for one purpose: a signed proposal is no signed release.

See docs/protocol.md §3. A key is named by the SHA-256 of its 32 public bytes, as a merchant's policy lists it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.errors import PrivacyError

SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class Signed:
    """Bytes and a signature over them, which nobody has checked yet."""

    content: bytes
    signature: bytes


def sign(content: bytes, key: Ed25519PrivateKey, *, purpose: str | None) -> Signed:
    """Sign bytes for one purpose; None signs them bare, as privacy cards are."""
    return Signed(content, key.sign(_covered(content, purpose)))


def verify(signed: Signed, public: bytes, *, purpose: str) -> bytes:
    """Check a signature and return what it covers.

    Parameters
    ----------
    public
        The 32 bytes of the public key that must have signed.

    Raises
    ------
    PrivacyError
        Somebody else signed, for another purpose, or the bytes were changed.
    """
    return verify_any(signed, [public], purpose=purpose)


def verify_any(signed: Signed, publics: Iterable[bytes], *, purpose: str) -> bytes:
    """Check that one of several keys of one coordinator has signed, and return what the signature covers.

    Raises
    ------
    PrivacyError
        None has.
    """
    for public in publics:
        if is_signed(signed, public, purpose=purpose):
            return signed.content
    raise PrivacyError(
        f"A {purpose} is not signed by this federation's coordinator as it stands; nothing of it is used."
    )


def is_signed(signed: Signed, public: bytes, *, purpose: str | None) -> bool:
    """Whether the key with these 32 public bytes signed exactly this, for this purpose."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signed.signature, _covered(signed.content, purpose))
    except (InvalidSignature, ValueError):
        return False
    return True


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """Return the 32 bytes of the public key."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def name_key(public: bytes) -> str:
    """Name a public key by the SHA-256, in hex, of its 32 bytes."""
    return hashlib.sha256(public).hexdigest()


def _covered(content: bytes, purpose: str | None) -> bytes:
    """Put the purpose before the bytes; those of a card are JSON, which begins with no such words."""
    return content if purpose is None else f"hansa {purpose}\0".encode() + content
