"""The contract with Flower's object format: a version of Flower that breaks it fails here."""

import hashlib

import pytest
import torch
from flwr.app import RecordDict
from hypothesis import given
from hypothesis import strategies as st

from common.errors import MessageError
from common.message.round import RoundReply, decode_reply, encode_reply
from common.message.wire import from_wire, to_wire

PLAN_HASH = hashlib.sha256(b"plan").hexdigest()
totals = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20)


def encoded(total: list[int], *, round_number: int = 3) -> RecordDict:
    return encode_reply(RoundReply(PLAN_HASH, round_number, torch.tensor(total, dtype=torch.int64)))


@given(total=totals, round_number=st.integers(1, 10**6))
def test_a_record_survives_its_bytes_and_makes_the_same_ones_again(total: list[int], round_number: int) -> None:
    wire = to_wire(encoded(total, round_number=round_number))
    again = from_wire(wire)
    reply = decode_reply(again, size=len(total))
    assert (reply.plan_hash, reply.round_number, reply.total.tolist()) == (PLAN_HASH, round_number, total)
    assert to_wire(again) == wire


def test_equal_records_have_equal_bytes_and_others_have_others() -> None:
    assert to_wire(encoded([1, 2])) == to_wire(encoded([1, 2]))
    assert to_wire(encoded([1, 2])) != to_wire(encoded([1, 3]))
    assert to_wire(encoded([1, 2])) != to_wire(encoded([1, 2], round_number=4))


def test_every_object_that_flower_would_send_is_in_the_bytes() -> None:
    record = encoded([1, 2])
    wire = to_wire(record)
    array = record.array_records["vector"]["values"]
    assert array.data in wire
    assert record.config_records["about"].deflate() in wire
    assert wire.endswith(record.deflate())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda wire: b"",
        lambda wire: wire[:-1],
        lambda wire: wire[:4],
        lambda wire: wire + b"\0",
        lambda wire: wire[:-1] + bytes([wire[-1] ^ 1]),
        lambda wire: b"\xff" * 8 + wire[8:],
        lambda wire: wire.replace(b"ConfigRecord", b"MetricRecord"),
    ],
)
def test_other_bytes_are_refused_in_one_sentence(spoil) -> None:
    with pytest.raises(MessageError, match="no message of this version"):
        from_wire(spoil(to_wire(encoded([1, 2, 3]))))
