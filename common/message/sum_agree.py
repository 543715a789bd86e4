"""Who survived a round up to its masked sums: one set, which at least the threshold of them sign.

| field        | question     | answer       | what it is                                                     |
|--------------|--------------|--------------|----------------------------------------------------------------|
| place        | see `common.message.sum_place`                                                  |||
| `model_hash` | about, str   | absent       | of the model that the masked sums were computed at             |
| `survivors`  | about, bytes | absent       | the names of everyone whose masked sum is to be added up       |
| `signature`  | absent       | about, bytes | by the member's peer key (`common.secure_sum.agreement`)       |

See docs/protocol.md §5.13.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flwr.app import RecordDict

from common.errors import MessageError
from common.message.named import read_names, write_names
from common.message.record import check_hash, pack, read_bytes, read_text, unpack_about
from common.message.signature import SIGNATURE_BYTES
from common.message.sum_place import PLACE_FIELDS, Place, read_place, write_place

AGREE = "query.agree"  # Flower's message type
QUESTION_FIELDS = PLACE_FIELDS | {"model_hash", "survivors"}
AGREE_FIELDS = PLACE_FIELDS | {"signature"}


@dataclass(frozen=True)
class AgreeRequest:
    """Ask a member to sign who survived.

    Raises
    ------
    MessageError
        If the hash is none.
    """

    place: Place
    model_hash: str
    survivors: tuple[str, ...]

    def __post_init__(self) -> None:
        check_hash(self.model_hash, "model_hash")


def encode_question(place: Place, *, model_hash: str, survivors: Iterable[str]) -> RecordDict:
    """Ask a member to sign who survived."""
    return pack(write_place(place, model_hash=model_hash, survivors=write_names(survivors)))


def decode_question(record: RecordDict) -> AgreeRequest:
    """Read who is said to have survived.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type.
    """
    about = unpack_about(record, fields=QUESTION_FIELDS)
    return AgreeRequest(read_place(about), read_text(about, "model_hash"), read_names(about, "survivors"))


def encode_signature(place: Place, signature: bytes) -> RecordDict:
    """Write a member's signature over the set."""
    return pack(write_place(place, signature=signature))


def decode_signature(record: RecordDict) -> tuple[Place, bytes]:
    """Read a member's signature, which nobody has checked yet.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type or length.
    """
    about = unpack_about(record, fields=AGREE_FIELDS)
    signature = read_bytes(about, "signature", most=SIGNATURE_BYTES)
    if len(signature) != SIGNATURE_BYTES:
        raise MessageError(f"The signature of a message is not {SIGNATURE_BYTES} bytes.")
    return read_place(about), signature
