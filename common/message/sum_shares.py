"""A member's shares for one round, sealed to each of the others; asked for apart before a round that it has none for.

| field    | question     | answer       | what it is                                             |
|----------|--------------|--------------|--------------------------------------------------------|
| place    | see `common.message.sum_place`                                            |||
| `keys`   | about, bytes | absent       | everybody's signed keys of the round                   |
| `shares` | absent       | about, bytes | to each of them a sealed bundle that it alone can open |

See docs/protocol.md §5.11.
"""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import RecordDict

from common.message.named import LONGEST_VALUE, read_named, write_named
from common.message.record import pack, unpack_about
from common.message.sum_keys import read_all_keys, write_all_keys
from common.message.sum_place import PLACE_FIELDS, Place, read_place, write_place
from common.secure_sum.keys import SignedKeys

SHARES = "query.shares"  # Flower's message type
QUESTION_FIELDS = PLACE_FIELDS | {"keys"}
SHARES_FIELDS = PLACE_FIELDS | {"shares"}


def encode_question(place: Place, keys: Mapping[str, SignedKeys]) -> RecordDict:
    """Ask a member for its shares of one round, to everybody whose keys come along."""
    return pack(write_place(place, keys=write_all_keys(keys)))


def decode_question(record: RecordDict) -> tuple[Place, dict[str, SignedKeys]]:
    """Read for whom shares are asked; the signatures of the keys are for the caller to check.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type.
    """
    about = unpack_about(record, fields=QUESTION_FIELDS)
    place = read_place(about)
    return place, read_all_keys(about, "keys", round_number=place.round_number)


def encode_shares(place: Place, shares: Mapping[str, bytes]) -> RecordDict:
    """Write a member's sealed bundles, by whom each is for."""
    return pack(write_place(place, shares=write_named(shares)))


def decode_shares(record: RecordDict) -> tuple[Place, dict[str, bytes]]:
    """Read a member's sealed bundles, which nobody but their receivers can open.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type.
    """
    about = unpack_about(record, fields=SHARES_FIELDS)
    return read_place(about), read_named(about, "shares", longest=LONGEST_VALUE)
