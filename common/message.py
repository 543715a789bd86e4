"""What crosses the wire, all of it: the allow-list that both ends hold each other to.

A message holds one `ArrayRecord` named "vector" with one flat array "values", and one `ConfigRecord` named
"about". A record, a field or a byte more than this table is refused, as is one less.

| field          | request            | reply                | what it is                                       |
|----------------|--------------------|----------------------|--------------------------------------------------|
| `plan_hash`    | about, str         | about, str           | `Plan.run_hash`: the plan, with or without noise |
| `round_number` | about, int         | about, int           | 1 for the first round                            |
| `model_hash`   | about, str         | absent               | SHA-256 of the parameters' bytes                 |
| `parameters`   | vector, float32    | absent               | the global model, flat                           |
| `total`        | absent             | vector, int64        | the merchant's noised lattice sum, flat          |

A reply says nothing of counts, losses or durations, and its size follows from the model's size alone.
"""

import hashlib
import re
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from jaxtyping import Float32, Int64
from torch import Tensor

from common.errors import MessageError

ABOUT, VECTOR, VALUES = "about", "vector", "values"
REQUEST_FIELDS = frozenset({"plan_hash", "round_number", "model_hash"})
REPLY_FIELDS = frozenset({"plan_hash", "round_number"})
PARAMETER_DTYPE = np.dtype("<f4")
TOTAL_DTYPE = np.dtype("<i8")


@dataclass(frozen=True, eq=False)
class RoundRequest:
    """Ask a merchant for its noised sum at these parameters.

    Raises
    ------
    MessageError
        If a hash is no SHA-256 in lower-case hex, the round is below 1, a parameter is not finite, or
        `model_hash` is not the hash of `parameters`.
    """

    plan_hash: str
    round_number: int
    model_hash: str
    parameters: Float32[Tensor, " parameter"]

    def __post_init__(self) -> None:
        _check_round(self.plan_hash, self.round_number)
        if not bool(torch.isfinite(self.parameters).all()):
            raise MessageError(
                "The model of a round request has parameters that are not finite; restart from a good one."
            )
        if self.model_hash != hash_vector(self.parameters):
            raise MessageError("The model of a round request does not match its model_hash; have it sent again.")


@dataclass(frozen=True, eq=False)
class RoundReply:
    """Carry a merchant's noised lattice sum back, and nothing else.

    Raises
    ------
    MessageError
        If the plan's hash is no SHA-256 in lower-case hex or the round is below 1.
    """

    plan_hash: str
    round_number: int
    total: Int64[Tensor, " parameter"]

    def __post_init__(self) -> None:
        _check_round(self.plan_hash, self.round_number)


def hash_vector(vector: Float32[Tensor, " parameter"]) -> str:
    """Return the SHA-256, in hex, of a parameter vector's little-endian bytes."""
    return hashlib.sha256(vector.numpy(force=True).astype(PARAMETER_DTYPE).tobytes()).hexdigest()


def encode_request(request: RoundRequest) -> RecordDict:
    """Write a request as Flower records.

    Parameters
    ----------
    request
        The request; its parameters may live on any device.

    Returns
    -------
    RecordDict
        Two records, "about" and "vector".
    """
    about = ConfigRecord(
        {
            "plan_hash": request.plan_hash,
            "round_number": request.round_number,
            "model_hash": request.model_hash,
        }
    )
    return _pack(about, request.parameters, dtype=PARAMETER_DTYPE)


def decode_request(record: RecordDict, *, size: int) -> RoundRequest:
    """Read a request, trusting nothing in it.

    Parameters
    ----------
    record
        The content of the message as it arrived.
    size
        The number of parameters of the approved plan's model.

    Returns
    -------
    RoundRequest
        Its `parameters` are `size` finite numbers that match `model_hash`, in memory of their own.

    Raises
    ------
    MessageError
        If anything is missing, additional, of another type, dtype or size, not finite, or does not match
        its hash.
    """
    about, array = _unpack(record, fields=REQUEST_FIELDS)
    return RoundRequest(
        plan_hash=_read_text(about, "plan_hash"),
        round_number=_read_whole(about, "round_number"),
        model_hash=_read_text(about, "model_hash"),
        parameters=_read_vector(array, dtype=PARAMETER_DTYPE, size=size),
    )


def encode_reply(reply: RoundReply) -> RecordDict:
    """Write a reply as Flower records.

    Guarantee: the records hold the plan's hash, the round and the noised sum. Their size depends on the
    round and the model's size, never on the merchant's data.

    Parameters
    ----------
    reply
        The reply; its sum may live on any device.

    Returns
    -------
    RecordDict
        Two records, "about" and "vector".
    """
    about = ConfigRecord({"plan_hash": reply.plan_hash, "round_number": reply.round_number})
    return _pack(about, reply.total, dtype=TOTAL_DTYPE)


def decode_reply(record: RecordDict, *, size: int) -> RoundReply:
    """Read a reply, trusting nothing in it.

    Parameters
    ----------
    record
        The content of the message as it arrived.
    size
        The number of parameters that the request sent.

    Returns
    -------
    RoundReply
        Its `total` is `size` integers in memory of their own. Whether it answers the right plan and round,
        and whether its norm is plausible, is for the caller to check.

    Raises
    ------
    MessageError
        If anything is missing, additional, or of another type, dtype or size.
    """
    about, array = _unpack(record, fields=REPLY_FIELDS)
    return RoundReply(
        plan_hash=_read_text(about, "plan_hash"),
        round_number=_read_whole(about, "round_number"),
        total=_read_vector(array, dtype=TOTAL_DTYPE, size=size),
    )


# Errors name what is allowed and never quote what arrived: a stranger's text has no place in our logs.


def _check_round(plan_hash: str, round_number: int) -> None:
    if not re.fullmatch(r"[0-9a-f]{64}", plan_hash):
        raise MessageError("The plan_hash of a message is not 64 lower-case hex digits; send the plan's SHA-256.")
    if round_number < 1:
        raise MessageError("The round_number of a message is below 1; the first round is round 1.")


def _pack(about: ConfigRecord, vector: Tensor, *, dtype: "np.dtype[Any]") -> RecordDict:
    values = Array(vector.numpy(force=True).astype(dtype))
    return RecordDict({ABOUT: about, VECTOR: ArrayRecord({VALUES: values})})


def _unpack(record: RecordDict, *, fields: frozenset[str]) -> tuple[ConfigRecord, Array]:
    if set(record) != {ABOUT, VECTOR}:
        raise MessageError(f"A message holds other records than '{ABOUT}' and '{VECTOR}'; send these two alone.")
    about, vector = record[ABOUT], record[VECTOR]
    if not isinstance(about, ConfigRecord) or not isinstance(vector, ArrayRecord):
        raise MessageError(f"A message's '{ABOUT}' must be a ConfigRecord and its '{VECTOR}' an ArrayRecord.")
    if set(about) != fields:
        raise MessageError(f"The '{ABOUT}' of a message must hold {', '.join(sorted(fields))} and nothing else.")
    if set(vector) != {VALUES}:
        raise MessageError(f"The '{VECTOR}' of a message must hold one array '{VALUES}' and nothing else.")
    return about, vector[VALUES]


def _read_text(about: ConfigRecord, name: str) -> str:
    value = about[name]
    if not isinstance(value, str):
        raise MessageError(f"The {name} of a message is not text; send a SHA-256 in hex.")
    return value


def _read_whole(about: ConfigRecord, name: str) -> int:
    value = about[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise MessageError(f"The {name} of a message is not a whole number; send an integer.")
    return value


def _read_vector(array: Array, *, dtype: "np.dtype[Any]", size: int) -> Tensor:
    """Take the numbers out of Flower's .npy bytes without parsing a header that a stranger wrote.

    One header is right for this dtype and size, so the bytes must start with exactly that one: no pickle can
    hide behind it, no other shape or order, and no text in its padding.
    """
    header = _npy_header(dtype, size)
    described = (array.stype, array.dtype, tuple(array.shape))
    if described != ("numpy.ndarray", dtype.name, (size,)):
        raise MessageError(
            f"The vector of a message is not {size} numbers of type {dtype.name}; send the plan's model."
        )
    if not array.data.startswith(header) or len(array.data) != len(header) + size * dtype.itemsize:
        raise MessageError(f"The bytes of a message's vector are not {size} plain {dtype.name} numbers in .npy form.")
    values = np.frombuffer(array.data, dtype=dtype, count=size, offset=len(header))
    return torch.from_numpy(values.astype(dtype.newbyteorder("=")))


def _npy_header(dtype: "np.dtype[Any]", size: int) -> bytes:
    buffer = BytesIO()
    description = {"descr": dtype.str, "fortran_order": False, "shape": (size,)}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()
