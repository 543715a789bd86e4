"""What a member tells of a round once enough have signed its survivors: one share of each owner, never both.

| field         | question     | answer       | what it is                                                         |
|---------------|--------------|--------------|--------------------------------------------------------------------|
| place         | see `common.message.sum_place`                                                      |||
| `signatures`  | about, bytes | absent       | of at least the threshold of members, over the same set            |
| `self_shares` | absent       | about, bytes | of the self masks of those who survived                            |
| `key_shares`  | absent       | about, bytes | of the mask keys of those who took part and did not survive        |

See docs/protocol.md §5.14.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flwr.app import RecordDict

from common.errors import MessageError
from common.message.named import read_named, write_named
from common.message.record import pack, unpack_about
from common.message.signature import SIGNATURE_BYTES
from common.message.sum_place import PLACE_FIELDS, Place, read_place, write_place

REVEAL = "query.reveal"  # Flower's message type
QUESTION_FIELDS = PLACE_FIELDS | {"signatures"}
REVEAL_FIELDS = PLACE_FIELDS | {"self_shares", "key_shares"}
LONGEST_SHARE = 64


@dataclass(frozen=True)
class Revealed:
    """The shares that a member tells, by whose secret each is of.

    Raises
    ------
    MessageError
        If both shares of one owner are in it.
    """

    self_shares: Mapping[str, bytes]
    key_shares: Mapping[str, bytes]

    def __post_init__(self) -> None:
        if not self.self_shares.keys().isdisjoint(self.key_shares):
            raise MessageError("A message reveals both shares of one member; it is not used.")


def encode_question(place: Place, signatures: Mapping[str, bytes]) -> RecordDict:
    """Ask a member for its shares, and show who signed the set."""
    return pack(write_place(place, signatures=write_named(signatures)))


def decode_question(record: RecordDict) -> tuple[Place, dict[str, bytes]]:
    """Read who signed, which nobody has checked yet.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type or length.
    """
    about = unpack_about(record, fields=QUESTION_FIELDS)
    signatures = read_named(about, "signatures", longest=SIGNATURE_BYTES, shortest=SIGNATURE_BYTES)
    return read_place(about), signatures


def encode_revealed(place: Place, revealed: Revealed) -> RecordDict:
    """Write a member's shares."""
    shares = {"self_shares": write_named(revealed.self_shares), "key_shares": write_named(revealed.key_shares)}
    return pack(write_place(place, **shares))


def decode_revealed(record: RecordDict) -> tuple[Place, Revealed]:
    """Read a member's shares, which nobody has checked yet.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type or length, or tells both shares of one member.
    """
    about = unpack_about(record, fields=REVEAL_FIELDS)
    shares = (read_named(about, name, longest=LONGEST_SHARE) for name in ("self_shares", "key_shares"))
    return read_place(about), Revealed(*shares)
