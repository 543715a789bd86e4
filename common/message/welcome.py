"""A new welcome for a member that is there: certificate, authorities, signing key and address, handed over live.

| field          | welcome      | receipt    | what it is                                                        |
|----------------|--------------|------------|-------------------------------------------------------------------|
| `content`      | about, bytes | absent     | a `LiveWelcome` as JSON: what the signature covers                |
| `signature`    | about, bytes | absent     | Ed25519, by a key of the coordinator that signs now               |
| `successions`  | about, bytes | absent     | JSON: how the coordinator's keys followed each other              |
| `welcome_hash` | absent       | about, str | SHA-256 of the content: it is on the merchant's disk, and is used |

The successions travel beside the content since they say which key may have signed it. See docs/protocol.md §5.8.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from flwr.app import ConfigRecord, RecordDict
from pydantic import AwareDatetime, Field, ValidationError

from common.message.proposal import MOST_BYTES, read_signed
from common.message.reading import unreadable
from common.message.record import check_hash, pack, read_bytes, read_text, unpack_about
from common.message.signature import Signed
from common.message.succession import Link, PublicHex, read_links, write_links
from common.plan.schema import Document

WELCOME = "query.welcome"  # Flower's message type
PURPOSE = "renewal"
WELCOME_FIELDS = frozenset({"content", "signature", "successions"})
RECEIPT_FIELDS = frozenset({"welcome_hash"})


class LiveWelcome(Document):
    """What a member is to use from now on.

    Attributes
    ----------
    address
        Host and port of the gateway.
    certificate, authority
        PEM: the member's certificate, for the key and the name that it has, and who signed it.
    authorities
        PEM of everyone who may have signed the gateway's certificate: two while an authority is followed by another.
    coordinator
        The 32 bytes, in hex, of the key that signs now. Keys that follow it in the successions are good already, those
        before it are not any more.
    issued_at
        A later one replaces an earlier one, and never the other way round.
    """

    federation: str
    name: str
    address: str
    certificate: str
    authority: str
    authorities: tuple[str, ...] = Field(min_length=1)
    coordinator: PublicHex
    issued_at: AwareDatetime

    def to_bytes(self) -> bytes:
        """Write the document that is signed."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":")).encode()


def parse_welcome(content: bytes) -> LiveWelcome:
    """Read a welcome whose signature was checked.

    Raises
    ------
    MessageError
        If it is none of this version.
    """
    try:
        return LiveWelcome.model_validate_json(content)
    except ValidationError as error:
        raise unreadable("A signed welcome", error) from error


def hash_welcome(content: bytes) -> str:
    """Name a welcome by the SHA-256, in hex, of what was signed."""
    return hashlib.sha256(content).hexdigest()


def encode_welcome(signed: Signed, successions: Sequence[Link]) -> RecordDict:
    """Write a welcome as one Flower record."""
    about = {"content": signed.content, "signature": signed.signature, "successions": write_links(successions)}
    return pack(ConfigRecord(about))  # type: ignore[arg-type]  # Flower's own type knows bytes, and no mapping of them


def decode_welcome(record: RecordDict) -> tuple[Signed, tuple[Link, ...]]:
    """Read a welcome of which nothing was checked yet.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type.
    """
    about = unpack_about(record, fields=WELCOME_FIELDS)
    return read_signed(about), read_links(read_bytes(about, "successions", most=MOST_BYTES))


def encode_welcome_receipt(welcome_hash: str) -> RecordDict:
    """Say that a welcome is on the merchant's disk, and used."""
    return pack(ConfigRecord({"welcome_hash": welcome_hash}))


def decode_welcome_receipt(record: RecordDict) -> str:
    """Read which welcome a merchant uses."""
    about = unpack_about(record, fields=RECEIPT_FIELDS)
    welcome_hash = read_text(about, "welcome_hash")
    check_hash(welcome_hash, "welcome_hash")
    return welcome_hash
