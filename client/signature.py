"""Sign a privacy card with the merchant's own Ed25519 key, which never leaves its folder."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from common.errors import DataError, PrivacyError


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read the key that signs cards; make it, for its owner's eyes alone, where there is none."""
    if not path.exists():
        fresh = Ed25519PrivateKey.generate()
        pem = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(pem)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is no private key; put yours there, or move it away to have one made.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise DataError(f"{path} is no Ed25519 key; put yours there, or move it away to have one made.")
    return key


def sign_card(card: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Put a card, its signature and the public key into one document."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "card": card,
        "public_key": public.hex(),
        "signature": base64.b64encode(key.sign(_canonical(card))).decode(),
    }


def verify_card(signed: Any) -> dict[str, Any]:
    """Check the signature of a card and return the card; whose key it is, the reader must know.

    Raises
    ------
    PrivacyError
        It was changed, or is no card.
    """
    try:
        card: dict[str, Any] = signed["card"]
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed["public_key"]))
        key.verify(base64.b64decode(signed["signature"]), _canonical(card))
    except (KeyError, TypeError, ValueError, InvalidSignature) as error:
        raise PrivacyError("The card's signature does not fit the card; ask its merchant for it again.") from error
    return card


def _canonical(card: dict[str, Any]) -> bytes:
    return json.dumps(card, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
