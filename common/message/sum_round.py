"""A round of a secure sum: what the members get, and the masked sum that they send back.

| field                    | request         | reply         | what it is |
|--------------------------|-----------------|---------------|------|
| place                    | see `common.message.sum_place`                                                      |||
| `model_hash`             | about, str      | absent        | as in any round (`common.message.round`) |
| `parameters`             | vector, float32 | absent        | the global model, flat |
| `call`, `call_signature` | about, bytes    | absent        | who is asked, signed |
| `shares`                 | about, bytes    | absent        | the bundles that the others of the round sealed for it |
| `next_keys`              | about, bytes    | absent        | everybody's signed keys of the next round, or empty |
| `total`                  | absent          | about, bytes  | its noised sum and a 1, masked: little-endian int64 |
| `next_shares`            | absent          | about, bytes  | its sealed bundles for the next round, or empty |

The masked sum stands beside the rest as bytes: a message is carried in parts, and each part is asked for by itself. The
call is absent in one process, where there is nobody who could sign. What stands in `next_keys` is no part of what makes
two requests the same. See docs/protocol.md §5.12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flwr.app import Array, ConfigRecord, RecordDict
from jaxtyping import Int64
from torch import Tensor

from common.message.named import LONGEST_VALUE, read_named, write_named
from common.message.record import ABOUT, pack, read_text, unpack, unpack_about
from common.message.round import CALL_FIELDS, RoundRequest, read_signed_call
from common.message.sum_keys import read_all_keys, write_all_keys
from common.message.sum_place import PLACE_FIELDS, Place, read_place, write_place
from common.message.vector import PARAMETER_DTYPE, TOTAL_DTYPE, pack_vector, read_numbers, read_vector
from common.secure_sum.keys import SignedKeys

REQUEST_FIELDS = PLACE_FIELDS | {"model_hash", "shares", "next_keys"}
REPLY_FIELDS = PLACE_FIELDS | {"total", "next_shares"}


@dataclass(frozen=True, eq=False)
class SumRequest:
    """Ask a member for its masked sum.

    Attributes
    ----------
    asked
        The model, and the call, as in any round.
    shares
        The sealed bundles for this member, by who made each; who is in it are the participants of the round.
    next_keys
        Everybody's keys of the next round; empty where there is none.
    """

    place: Place
    asked: RoundRequest
    shares: Mapping[str, bytes]
    next_keys: Mapping[str, SignedKeys] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SumReply:
    """Carry a masked sum back, and shares for the next round.

    Attributes
    ----------
    total
        One number more than there are parameters: the last one is 1 under its masks (docs/protocol.md §10.5).
    """

    place: Place
    total: Int64[Tensor, " word"]
    next_shares: Mapping[str, bytes] = field(default_factory=dict)


def is_sum(record: RecordDict) -> bool:
    """Whether a request for a round is one for a secure sum."""
    about = record.get(ABOUT)
    return isinstance(about, ConfigRecord) and "session_hash" in about


def encode_sum_request(request: SumRequest) -> RecordDict:
    """Write a request as Flower records."""
    asked = request.asked
    about = write_place(
        request.place,
        model_hash=asked.model_hash,
        shares=write_named(request.shares),
        next_keys=write_all_keys(request.next_keys),
    )
    if asked.call is not None:
        about["call"], about["call_signature"] = asked.call.content, asked.call.signature
    return pack_vector(about, asked.parameters, dtype=PARAMETER_DTYPE)


def unpack_sum_request(record: RecordDict) -> tuple[ConfigRecord, Array]:
    """Take a request apart.

    Raises
    ------
    MessageError
        If a record or a field is missing or additional; a call without its signature is a field too few.
    """
    about = record.get(ABOUT)
    is_called = isinstance(about, ConfigRecord) and not CALL_FIELDS.isdisjoint(about)
    return unpack(record, fields=REQUEST_FIELDS | CALL_FIELDS if is_called else REQUEST_FIELDS)


def decode_sum_request(record: RecordDict, *, size: int) -> SumRequest:
    """Read a request, trusting nothing in it.

    Parameters
    ----------
    size
        The number of parameters of the approved plan's model.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type or size, not finite, or does not match its hash.
    """
    about, array = unpack_sum_request(record)
    place = read_place(about)
    asked = RoundRequest(
        plan_hash=place.plan_hash,
        round_number=place.round_number,
        model_hash=read_text(about, "model_hash"),
        parameters=read_vector(array, dtype=PARAMETER_DTYPE, size=size),
        call=read_signed_call(about),
    )
    shares = read_named(about, "shares", longest=LONGEST_VALUE)
    return SumRequest(place, asked, shares, read_all_keys(about, "next_keys", round_number=place.round_number + 1))


def encode_sum_reply(reply: SumReply) -> RecordDict:
    """Write a reply as Flower records.

    Guarantee: its size depends on the round, the roster and the model's size, never on the merchant's data.
    """
    total = reply.total.numpy(force=True).astype(TOTAL_DTYPE).tobytes()
    return pack(write_place(reply.place, total=total, next_shares=write_named(reply.next_shares)))


def decode_sum_reply(record: RecordDict, *, size: int) -> SumReply:
    """Read a reply, trusting nothing in it; whether it answers the right round is for the caller to check.

    Parameters
    ----------
    size
        The number of parameters that the request sent; `total` has one number more, which counts the member.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type or size.
    """
    about = unpack_about(record, fields=REPLY_FIELDS)
    return SumReply(
        read_place(about),
        read_numbers(about, "total", dtype=TOTAL_DTYPE, size=size + 1),
        read_named(about, "next_shares", longest=LONGEST_VALUE),
    )
