"""Sign a privacy card with the merchant's own Ed25519 key, which never leaves its folder."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.errors import PrivacyError


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
