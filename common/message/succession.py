"""The keys that a coordinator has signed with, one after the other: each names the next before it retires.

A succession is signed by the key that is followed, so whoever trusts that key can trust the next one without asking
anybody; nobody else can name one. It stays true after the old key is gone. See docs/protocol.md §3.1.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AwareDatetime, Field, ValidationError

from common.errors import MessageError, PrivacyError
from common.message.reading import unreadable
from common.message.signature import Signed, is_signed, public_bytes, sign
from common.plan.schema import Document, Section

PURPOSE = "succession"
PublicHex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
MOST_LINKS = 1000


class Succession(Document):
    """One key follows another; both as their 32 public bytes, in hex."""

    predecessor: PublicHex
    successor: PublicHex
    at: AwareDatetime

    def to_bytes(self) -> bytes:
        """Write the document that is signed."""
        return json.dumps(self.model_dump(mode="json"), separators=(",", ":")).encode()


class Link(Section):
    """A signed succession as it is kept and sent: the very text that was signed, and the signature in base64."""

    content: str
    signature: str

    @property
    def signed(self) -> Signed:
        """What is to be checked.

        Raises
        ------
        PrivacyError
            The signature is no base64.
        """
        try:
            return Signed(self.content.encode(), base64.b64decode(self.signature, validate=True))
        except (ValueError, binascii.Error) as error:
            raise _broken() from error


@dataclass(frozen=True)
class Lineage:
    """Keys that follow each other, the oldest first, and the links between them; every link was checked."""

    keys: tuple[bytes, ...]
    links: tuple[Link, ...] = ()

    def after(self, key: bytes) -> Lineage | None:
        """Give the part that begins with a key; None where it is not in it."""
        if key not in self.keys:
            return None
        place = self.keys.index(key)
        return Lineage(self.keys[place:], self.links[place:])


def sign_succession(key: Ed25519PrivateKey, succession: Succession) -> Link:
    """Have a key name the one that follows it."""
    return link_of(sign(succession.to_bytes(), key, purpose=PURPOSE))


def link_of(signed: Signed) -> Link:
    """Write a signed succession as it is kept and sent."""
    return Link(content=signed.content.decode(), signature=base64.b64encode(signed.signature).decode())


def succeed(key: Ed25519PrivateKey, successor: bytes, at: datetime) -> Link:
    """Have a key name the one with these public bytes."""
    predecessor = public_bytes(key).hex()
    return sign_succession(key, Succession(predecessor=predecessor, successor=successor.hex(), at=at))


def read_lineage(first: bytes, links: Sequence[Link]) -> Lineage:
    """Check a chain of successions that begins with a key; without links it is that key alone.

    Raises
    ------
    PrivacyError
        A link is not signed by the key that it follows, does not follow the one before, or comes back to a key.
    MessageError
        A link cannot be read.
    """
    keys = [first]
    for link in links:
        signed = link.signed
        if not is_signed(signed, keys[-1], purpose=PURPOSE):
            raise _broken()
        said = parse_succession(signed.content)
        if bytes.fromhex(said.predecessor) != keys[-1] or bytes.fromhex(said.successor) in keys:
            raise _broken()
        keys.append(bytes.fromhex(said.successor))
    return Lineage(tuple(keys), tuple(links))


def parse_succession(content: bytes) -> Succession:
    """Read a succession.

    Raises
    ------
    MessageError
        If it is none of this version.
    """
    try:
        return Succession.model_validate_json(content)
    except ValidationError as error:
        raise unreadable("A signed succession", error) from error


def write_links(links: Sequence[Link]) -> bytes:
    """Write a chain as JSON."""
    return json.dumps([link.model_dump(mode="json") for link in links], separators=(",", ":")).encode()


def read_links(content: bytes) -> tuple[Link, ...]:
    """Read a chain that nobody has checked yet.

    Raises
    ------
    MessageError
        It is none.
    """
    try:
        said = json.loads(content)
        if not isinstance(said, list) or len(said) > MOST_LINKS:
            raise ValueError
        return tuple(Link.model_validate_json(json.dumps(link)) for link in said)
    except (ValueError, RecursionError) as error:
        raise MessageError("The successions of a message cannot be read; use the same version of hansa.") from error


def _broken() -> PrivacyError:
    return PrivacyError(
        "A coordinator's key is not vouched for by the one before it; it is not trusted, and nothing is changed."
    )
