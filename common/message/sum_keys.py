"""One-time keys of a member for several rounds ahead, each round's signed by its peer key.

| field          | question   | answer       | what it is |
|----------------|------------|--------------|------|
| place          | see `common.message.sum_place`; the round is the first one            |||
| `num_rounds`   | about, int | absent       | for how many rounds |
| `keys`         | absent     | about, bytes | of each round in turn: its keys and their signature (96 + 64) |

See docs/protocol.md §5.10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flwr.app import ConfigRecord, RecordDict

from common.errors import MessageError
from common.message.named import read_named, write_named
from common.message.record import pack, read_bytes, read_whole, unpack_about
from common.message.signature import SIGNATURE_BYTES
from common.message.sum_place import PLACE_FIELDS, Place, read_place, write_place
from common.secure_sum.keys import ROUND_BYTES, RoundKeys, SignedKeys

KEYS = "query.keys"  # Flower's message type
QUESTION_FIELDS = PLACE_FIELDS | {"num_rounds"}
KEYS_FIELDS = PLACE_FIELDS | {"keys"}
MOST_ROUNDS = 256  # in one answer
SIGNED_BYTES = ROUND_BYTES + SIGNATURE_BYTES


def encode_question(place: Place, *, num_rounds: int) -> RecordDict:
    """Ask a member for its keys of so many rounds, from one on."""
    return pack(write_place(place, num_rounds=num_rounds))


def decode_question(record: RecordDict) -> tuple[Place, int]:
    """Read for which rounds keys are asked.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type, or beyond what one answer holds.
    """
    about = unpack_about(record, fields=QUESTION_FIELDS)
    num_rounds = read_whole(about, "num_rounds")
    if not 1 <= num_rounds <= MOST_ROUNDS:
        raise MessageError(f"The num_rounds of a message is not within 1 to {MOST_ROUNDS}; ask for fewer at once.")
    return read_place(about), num_rounds


def encode_keys(place: Place, signed: Sequence[SignedKeys]) -> RecordDict:
    """Write a member's keys of rounds in a row, of each round its own."""
    return pack(write_place(place, keys=b"".join(map(write_keys, signed))))


def decode_keys(record: RecordDict, *, num_rounds: int) -> tuple[Place, tuple[SignedKeys, ...]]:
    """Read a member's keys; their signatures are for the caller to check.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type or length.
    """
    about = unpack_about(record, fields=KEYS_FIELDS)
    place, content = read_place(about), read_bytes(about, "keys", most=MOST_ROUNDS * SIGNED_BYTES)
    if len(content) != num_rounds * SIGNED_BYTES:
        raise MessageError("The keys of a message are not those of as many rounds as were asked for.")
    parts = [content[first : first + SIGNED_BYTES] for first in range(0, len(content), SIGNED_BYTES)]
    return place, tuple(read_keys(place.round_number + number, part) for number, part in enumerate(parts))


def write_keys(signed: SignedKeys) -> bytes:
    """Write the keys of one round."""
    (keys,) = signed.keys
    return keys.to_bytes() + signed.signature


def read_keys(round_number: int, content: bytes) -> SignedKeys:
    """Read what `write_keys` wrote for a round."""
    return SignedKeys(round_number, (RoundKeys.from_bytes(content[:ROUND_BYTES]),), content[ROUND_BYTES:])


def write_all_keys(keys: Mapping[str, SignedKeys]) -> bytes:
    """Write everybody's keys of one round, as a field of another message."""
    return write_named({name: write_keys(signed) for name, signed in keys.items()})


def read_all_keys(about: ConfigRecord, field: str, *, round_number: int) -> dict[str, SignedKeys]:
    """Read everybody's keys of one round; their signatures are for the caller to check.

    Raises
    ------
    MessageError
        It is no such field.
    """
    found = read_named(about, field, longest=SIGNED_BYTES, shortest=SIGNED_BYTES)
    return {name: read_keys(round_number, content) for name, content in found.items()}
