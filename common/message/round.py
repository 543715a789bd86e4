"""A round's request and its reply, the only message of a merchant that was computed from data.

| field          | request            | reply                | what it is                                       |
|----------------|--------------------|----------------------|--------------------------------------------------|
| `plan_hash`    | about, str         | about, str           | `Plan.run_hash`: the plan, with or without noise |
| `round_number` | about, int         | about, int           | 1 for the first round                            |
| `model_hash`   | about, str         | absent               | SHA-256 of the parameters' bytes                 |
| `parameters`   | vector, float32    | absent               | the global model, flat                           |
| `call`, `call_signature` | about, bytes | absent           | who is asked, signed (`common.message.call`)     |
| `total`        | absent             | vector, int64        | the merchant's noised lattice sum, flat          |

`call` and its signature travel over a network from protocol 2 on; in one process there is nobody who could sign. A
reply says nothing of counts, losses or durations, and its size follows from the model's size alone. See
docs/protocol.md §5.4.
"""

from dataclasses import dataclass

from flwr.app import Array, ConfigRecord, RecordDict
from jaxtyping import Float32, Int64
from torch import Tensor

from common.errors import MessageError
from common.message.record import ABOUT, check_hash, read_bytes, read_text, read_whole, unpack
from common.message.signature import SIGNATURE_BYTES, Signed
from common.message.vector import PARAMETER_DTYPE, TOTAL_DTYPE, check_parameters, pack_vector, read_vector

REQUEST_FIELDS = frozenset({"plan_hash", "round_number", "model_hash"})
CALL_FIELDS = frozenset({"call", "call_signature"})
MOST_CALL_BYTES = 1 << 20
REPLY_FIELDS = frozenset({"plan_hash", "round_number"})


@dataclass(frozen=True, eq=False)
class RoundRequest:
    """Ask a merchant for its noised sum at these parameters.

    Attributes
    ----------
    call
        Who is asked, signed; the signature is for whoever knows the coordinator's key to check. None in protocol 1
        and in one process. It is no part of what makes two requests the same.

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
    call: Signed | None = None

    def __post_init__(self) -> None:
        _check_round(self.plan_hash, self.round_number)
        check_parameters(self.parameters, self.model_hash)


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
    if request.call is not None:
        about["call"], about["call_signature"] = request.call.content, request.call.signature
    return pack_vector(about, request.parameters, dtype=PARAMETER_DTYPE)


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
    about, array = unpack_request(record)
    return RoundRequest(
        plan_hash=read_text(about, "plan_hash"),
        round_number=read_whole(about, "round_number"),
        model_hash=read_text(about, "model_hash"),
        parameters=read_vector(array, dtype=PARAMETER_DTYPE, size=size),
        call=read_signed_call(about),
    )


def unpack_request(record: RecordDict) -> tuple[ConfigRecord, Array]:
    """Take a request apart, in either protocol.

    Raises
    ------
    MessageError
        If a record or a field is missing or additional; a call without its signature is a field too few.
    """
    about = record.get(ABOUT)
    is_called = isinstance(about, ConfigRecord) and not CALL_FIELDS.isdisjoint(about)
    return unpack(record, fields=REQUEST_FIELDS | CALL_FIELDS if is_called else REQUEST_FIELDS)


def read_signed_call(about: ConfigRecord) -> Signed | None:
    """Read who is asked, as it was signed; None in protocol 1."""
    if "call" not in about:
        return None
    content = read_bytes(about, "call", most=MOST_CALL_BYTES)
    return Signed(content, read_bytes(about, "call_signature", most=SIGNATURE_BYTES))


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
    return pack_vector(about, reply.total, dtype=TOTAL_DTYPE)


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
    about, array = unpack(record, fields=REPLY_FIELDS)
    return RoundReply(
        plan_hash=read_text(about, "plan_hash"),
        round_number=read_whole(about, "round_number"),
        total=read_vector(array, dtype=TOTAL_DTYPE, size=size),
    )


def _check_round(plan_hash: str, round_number: int) -> None:
    check_hash(plan_hash, "plan_hash")
    if round_number < 1:
        raise MessageError("The round_number of a message is below 1; the first round is round 1.")
