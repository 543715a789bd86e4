"""A merchant's peer key: what the other merchants of a secure sum know it by, and not the coordinator alone.

| field       | question   | answer       | what it is                                                          |
|-------------|------------|--------------|---------------------------------------------------------------------|
| `name`      | about, str | about, str   | the member's name in the federation                                 |
| `key`       | absent     | about, str   | 32 public bytes of an Ed25519 key, in hex                           |
| `signature` | absent     | about, bytes | by this key, over the name, for the purpose `peer`: it is its own   |

See docs/protocol.md §5.9.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, RecordDict

from common.errors import MessageError
from common.message.record import check_hash, pack, read_bytes, read_text, unpack_about
from common.message.signature import SIGNATURE_BYTES, Signed, is_signed, public_bytes, sign

PEER = "query.peer"  # Flower's message type
PURPOSE = "peer"
QUESTION_FIELDS = frozenset({"name"})
PEER_FIELDS = frozenset({"name", "key", "signature"})


@dataclass(frozen=True)
class PeerKey:
    """A member's name, and the key that it has shown to be its own."""

    name: str
    key: str


def encode_question(name: str) -> RecordDict:
    """Ask a member for its peer key."""
    return pack(ConfigRecord({"name": name}))


def decode_question(record: RecordDict) -> str:
    """Read who is asked.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type.
    """
    return read_text(unpack_about(record, fields=QUESTION_FIELDS), "name")


def encode_peer(name: str, key: Ed25519PrivateKey) -> RecordDict:
    """Show a peer key, signed by itself over the member's name."""
    proof = sign(name.encode(), key, purpose=PURPOSE).signature
    return pack(ConfigRecord({"name": name, "key": public_bytes(key).hex(), "signature": proof}))


def decode_peer(record: RecordDict) -> PeerKey:
    """Read a peer key, trusting nothing in it.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type, or the key did not sign this name.
    """
    about = unpack_about(record, fields=PEER_FIELDS)
    name, key = read_text(about, "name"), read_text(about, "key")
    check_hash(key, "key")
    proof = Signed(name.encode(), read_bytes(about, "signature", most=SIGNATURE_BYTES))
    if not is_signed(proof, bytes.fromhex(key), purpose=PURPOSE):
        raise MessageError("A peer key did not sign the name that it comes with; it is not noted.")
    return PeerKey(name, key)
