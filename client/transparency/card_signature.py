"""Sign a privacy card with the merchant's own Ed25519 key, which never leaves its folder (docs/protocol.md §7.6)."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.errors import PrivacyError
from common.message.signature import Signed, is_signed, public_bytes, sign
from common.schema import SCHEMA, require_schema


def sign_card(card: dict[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """Put a card, its signature and the public key into one document."""
    signed = sign(_canonical(card), key, purpose=None)
    return {
        "card": card,
        "public_key": public_bytes(key).hex(),
        "signature": base64.b64encode(signed.signature).decode(),
    }


def verify_card(signed: Any) -> dict[str, Any]:
    """Check the signature of a card and return the card; whose key it is, the reader must know.

    Raises
    ------
    PrivacyError
        It was changed, or is no card.
    DataError
        It is signed as it stands, and a later version of hansa wrote it.
    """
    try:
        card: dict[str, Any] = signed["card"]
        public = bytes.fromhex(signed["public_key"])
        is_whole = is_signed(Signed(_canonical(card), base64.b64decode(signed["signature"])), public, purpose=None)
        schema = card.get("schema", SCHEMA)
    except (KeyError, TypeError, ValueError, AttributeError):
        is_whole = False
    if not is_whole:
        raise PrivacyError("The card's signature does not fit the card; ask its merchant for it again.")
    require_schema(schema, origin="The card")
    return card


def _canonical(card: dict[str, Any]) -> bytes:
    return json.dumps(card, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
