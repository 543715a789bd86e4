import hashlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from common.errors import MessageError
from common.message.round import (
    RoundReply,
    RoundRequest,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)
from common.message.vector import hash_vector

PLAN_HASH = hashlib.sha256(b"plan").hexdigest()
SIZE = 3
Spoil = Callable[[RecordDict], None]


def make_request(parameters: torch.Tensor | None = None, *, round_number: int = 1) -> RoundRequest:
    vector = torch.tensor([0.5, -1.0, 2.0]) if parameters is None else parameters
    return RoundRequest(PLAN_HASH, round_number, hash_vector(vector), vector)


def make_reply(total: torch.Tensor | None = None, *, round_number: int = 1) -> RoundReply:
    return RoundReply(PLAN_HASH, round_number, torch.tensor([1, -2, 3]) if total is None else total)


def put_about(name: str, value: Any) -> Spoil:
    def spoil(record: RecordDict) -> None:
        record.config_records["about"][name] = value

    return spoil


def put_record(name: str, value: ArrayRecord | ConfigRecord | MetricRecord) -> Spoil:
    def spoil(record: RecordDict) -> None:
        record[name] = value

    return spoil


def drop_record(name: str) -> Spoil:
    def spoil(record: RecordDict) -> None:
        del record[name]

    return spoil


def drop_about(name: str) -> Spoil:
    def spoil(record: RecordDict) -> None:
        del record.config_records["about"][name]

    return spoil


def put_array(values: Array, *, name: str = "values") -> Spoil:
    def spoil(record: RecordDict) -> None:
        record.array_records["vector"][name] = values

    return spoil


def put_data(change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(record: RecordDict) -> None:
        values = record.array_records["vector"]["values"]
        values.data = change(values.data)

    return spoil


def describe(**fields: Any) -> Spoil:
    def spoil(record: RecordDict) -> None:
        for name, value in fields.items():
            setattr(record.array_records["vector"]["values"], name, value)

    return spoil


def pickled(dtype: str) -> Array:
    """Return an object array whose description lies that it is plain numbers."""
    header = np.lib.format.magic(1, 0) + b"\x76\x00"
    text = b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"
    data = header + text.ljust(117) + b"\n" + pickle.dumps([1, 2, 3])
    return Array(dtype=dtype, shape=(SIZE,), stype="numpy.ndarray", data=data)


COMMON_SPOILS = {
    "about missing": drop_record("about"),
    "vector missing": drop_record("vector"),
    "a third record": put_record("metrics", MetricRecord({"loss": 0.5})),
    "an empty third record": put_record("more", ConfigRecord()),
    "about is no ConfigRecord": put_record("about", MetricRecord({"round_number": 1})),
    "vector is no ArrayRecord": put_record("vector", ConfigRecord()),
    "vector without an array": put_record("vector", ArrayRecord()),
    "a second array": put_array(Array(np.zeros(SIZE, dtype=np.float32)), name="more"),
    "plan_hash missing": drop_about("plan_hash"),
    "round_number missing": drop_about("round_number"),
    "a further field": put_about("num_examples", 100),
    "plan_hash is a number": put_about("plan_hash", 7),
    "plan_hash is bytes": put_about("plan_hash", PLAN_HASH.encode()),
    "plan_hash too short": put_about("plan_hash", PLAN_HASH[:-1]),
    "plan_hash ends in a newline": put_about("plan_hash", PLAN_HASH + "\n"),
    "plan_hash in capitals": put_about("plan_hash", PLAN_HASH.upper()),
    "round_number is text": put_about("round_number", "1"),
    "round_number is a float": put_about("round_number", 1.0),
    "round_number is a bool": put_about("round_number", True),
    "round_number is a list": put_about("round_number", [1]),
    "round_number is zero": put_about("round_number", 0),
    "float64": put_array(Array(np.zeros(SIZE))),
    "int32": put_array(Array(np.zeros(SIZE, dtype=np.int32))),
    "big-endian float32": put_array(Array(np.zeros(SIZE, dtype=">f4"))),
    "big-endian int64": put_array(Array(np.zeros(SIZE, dtype=">i8"))),
    "text": put_array(Array(np.array(["a", "b", "c"]))),
    "too many": put_array(Array(np.zeros(SIZE + 1, dtype=np.float32))),
    "too few": put_array(Array(np.zeros(SIZE - 1, dtype=np.int64))),
    "none": put_array(Array(np.zeros(0, dtype=np.int64))),
    "a matrix": put_array(Array(np.zeros((SIZE, 1), dtype=np.float32))),
    "a scalar": put_array(Array(np.array(0, dtype=np.int64))),
    "another serialisation": describe(stype="pickle"),
    "a lie about the dtype": describe(dtype="float16"),
    "a lie about the shape": describe(shape=(SIZE, 1)),
    "no bytes": put_data(lambda data: b""),
    "a byte less": put_data(lambda data: data[:-1]),
    "a byte more": put_data(lambda data: data + b"\0"),
    "text in the padding of the header": put_data(lambda data: data.replace(b"}   ", b"} # ", 1)),
    "another npy version": put_data(lambda data: data.replace(b"\x01\x00", b"\x02\x00", 1)),
    "fortran order": put_data(lambda data: data.replace(b"False, ", b"True,  ", 1)),
    "pickled objects called float32": put_array(pickled("float32")),
    "pickled objects called int64": put_array(pickled("int64")),
}
REQUEST_SPOILS = COMMON_SPOILS | {
    "model_hash missing": drop_about("model_hash"),
    "model_hash is a number": put_about("model_hash", 1),
    "model_hash of other bytes": put_about("model_hash", PLAN_HASH),
    "model_hash empty": put_about("model_hash", ""),
    "parameters other than hashed": put_array(Array(np.zeros(SIZE, dtype=np.float32))),
    "a reply's int64": put_array(Array(np.zeros(SIZE, dtype=np.int64))),
    "objects": put_array(pickled("object")),
}
REPLY_SPOILS = COMMON_SPOILS | {
    "a request's model_hash": put_about("model_hash", PLAN_HASH),
    "a request's float32": put_array(Array(np.zeros(SIZE, dtype=np.float32))),
    "unsigned": put_array(Array(np.zeros(SIZE, dtype=np.uint64))),
}


@given(
    values=npst.arrays(
        np.float32, st.integers(1, 40), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    ),
    round_number=st.integers(1, 2**63 - 1),
)
@settings(deadline=None, max_examples=50)
def test_a_request_comes_back_as_it_was_sent(values: np.ndarray[Any, Any], round_number: int) -> None:
    sent = make_request(torch.from_numpy(values), round_number=round_number)
    came = decode_request(encode_request(sent), size=len(values))
    assert (came.plan_hash, came.round_number, came.model_hash) == (PLAN_HASH, round_number, sent.model_hash)
    assert came.parameters.dtype == torch.float32
    assert torch.equal(came.parameters, sent.parameters)


@given(
    values=npst.arrays(np.int64, st.integers(1, 40), elements=st.integers(-(2**63), 2**63 - 1)),
    round_number=st.integers(1, 2**63 - 1),
)
@settings(deadline=None, max_examples=50)
def test_a_reply_comes_back_as_it_was_sent(values: np.ndarray[Any, Any], round_number: int) -> None:
    sent = make_reply(torch.from_numpy(values), round_number=round_number)
    came = decode_reply(encode_reply(sent), size=len(values))
    assert (came.plan_hash, came.round_number) == (PLAN_HASH, round_number)
    assert came.total.dtype == torch.int64
    assert torch.equal(came.total, sent.total)


@pytest.mark.parametrize("fault", REQUEST_SPOILS)
def test_a_malformed_request_is_refused(fault: str) -> None:
    record = encode_request(make_request())
    REQUEST_SPOILS[fault](record)
    with pytest.raises(MessageError):
        decode_request(record, size=SIZE)


@pytest.mark.parametrize("fault", REPLY_SPOILS)
def test_a_malformed_reply_is_refused(fault: str) -> None:
    record = encode_reply(make_reply())
    REPLY_SPOILS[fault](record)
    with pytest.raises(MessageError):
        decode_reply(record, size=SIZE)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_request_whose_model_is_not_finite_is_refused_at_both_ends(value: float) -> None:
    parameters = torch.tensor([0.5, value, 2.0])
    with pytest.raises(MessageError, match="finite"):
        make_request(parameters)
    record = encode_request(make_request())
    put_array(Array(parameters.numpy()))(record)
    put_about("model_hash", hash_vector(parameters))(record)
    with pytest.raises(MessageError, match="finite"):
        decode_request(record, size=SIZE)


def test_an_error_never_quotes_what_a_stranger_wrote() -> None:
    record = encode_reply(make_reply())
    record.config_records["about"]["canary-7391"] = "canary-7391"
    with pytest.raises(MessageError) as refusal:
        decode_reply(record, size=SIZE)
    assert "canary" not in str(refusal.value)


def test_a_reply_weighs_the_same_whatever_the_sum() -> None:
    extreme = torch.tensor([2**63 - 1, -(2**63), 2**62])
    quiet, loud = (
        encode_reply(make_reply(torch.zeros(3, dtype=torch.int64))),
        encode_reply(make_reply(extreme)),
    )
    assert list(quiet) == list(loud) == ["about", "vector"]
    assert quiet["about"].deflate() == loud["about"].deflate()
    sizes = [len(record.array_records["vector"]["values"].data) for record in (quiet, loud)]
    assert sizes == [128 + 3 * 8] * 2  # a .npy header padded to 128 bytes, then 8 bytes a number


def test_the_hash_is_of_the_little_endian_bytes() -> None:
    # 1.0 is 00 00 80 3f in IEEE 754 single precision, lowest byte first.
    assert hash_vector(torch.tensor([1.0])) == hashlib.sha256(bytes.fromhex("0000803f")).hexdigest()


def test_a_model_still_attached_to_its_gradients_can_be_sent() -> None:
    parameters = torch.nn.Parameter(torch.ones(6))[::2]
    came = decode_request(encode_request(make_request(parameters)), size=3)
    assert not came.parameters.requires_grad
    assert torch.equal(came.parameters, torch.ones(3))


def test_a_decoded_vector_has_memory_of_its_own() -> None:
    record = encode_reply(make_reply())
    decode_reply(record, size=SIZE).total.zero_()
    assert torch.equal(decode_reply(record, size=SIZE).total, make_reply().total)
