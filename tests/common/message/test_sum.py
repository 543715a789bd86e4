"""The messages of a secure sum: what is written is read again, and whatever else comes is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from common.errors import MessageError
from common.message import peer, sum_agree, sum_keys, sum_reveal, sum_round, sum_shares
from common.message.named import read_named, write_named
from common.message.record import ABOUT, VECTOR
from common.message.round import RoundRequest, decode_reply, decode_request
from common.message.sum_place import Place
from common.message.sum_reveal import Revealed
from common.message.sum_round import SumReply, SumRequest
from common.message.vector import hash_vector
from common.message.wire import from_wire, to_wire
from common.secure_sum.keys import RoundKeys, SignedKeys

PLACE = Place("a" * 64, "b" * 64, 7)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNED = {
    name: SignedKeys(8, (RoundKeys(bytes([place]) * 32, bytes(32), bytes(32)),), bytes([place]) * 64)
    for place, name in enumerate(("north", "south"))
}
PARAMETERS = torch.arange(5, dtype=torch.float32)
REQUEST = SumRequest(
    PLACE, RoundRequest("a" * 64, 7, hash_vector(PARAMETERS), PARAMETERS), {"south": bytes(82)}, SIGNED
)
REPLY = SumReply(PLACE, torch.tensor([1, -(2**63), 2**63 - 1, 0, 5, 1]), {"south": bytes(82)})
Read = Callable[[RecordDict], object]
EVERY: dict[str, tuple[RecordDict, Read]] = {
    "peer question": (peer.encode_question("north"), peer.decode_question),
    "peer": (peer.encode_peer("north", KEY), peer.decode_peer),
    "keys question": (sum_keys.encode_question(PLACE, num_rounds=2), sum_keys.decode_question),
    "keys": (sum_keys.encode_keys(PLACE, [SIGNED["north"]]), lambda record: sum_keys.decode_keys(record, num_rounds=1)),
    "shares question": (sum_shares.encode_question(PLACE, SIGNED), sum_shares.decode_question),
    "shares": (sum_shares.encode_shares(PLACE, {"south": bytes(82)}), sum_shares.decode_shares),
    "request": (sum_round.encode_sum_request(REQUEST), lambda record: sum_round.decode_sum_request(record, size=5)),
    "reply": (sum_round.encode_sum_reply(REPLY), lambda record: sum_round.decode_sum_reply(record, size=5)),
    "agree question": (
        sum_agree.encode_question(PLACE, model_hash="c" * 64, survivors=["north", "south"]),
        sum_agree.decode_question,
    ),
    "agree": (sum_agree.encode_signature(PLACE, bytes(64)), sum_agree.decode_signature),
    "reveal question": (sum_reveal.encode_question(PLACE, {"north": bytes(64)}), sum_reveal.decode_question),
    "reveal": (
        sum_reveal.encode_revealed(PLACE, Revealed({"north": bytes(33)}, {"south": bytes(33)})),
        sum_reveal.decode_revealed,
    ),
}


@pytest.mark.parametrize("name", EVERY)
def test_a_message_is_read_after_the_wire_and_one_field_more_or_less_is_refused(name: str) -> None:
    record, read = EVERY[name]
    read(from_wire(to_wire(record)))
    about = record.config_records[ABOUT]
    vector = {VECTOR: record.array_records[VECTOR]} if VECTOR in record else {}
    for field in about:
        with pytest.raises(MessageError):
            read(RecordDict({ABOUT: ConfigRecord({key: about[key] for key in about if key != field}), **vector}))
        with pytest.raises(MessageError):
            read(RecordDict({ABOUT: ConfigRecord({**about, field: 1.5}), **vector}))
    with pytest.raises(MessageError):
        read(RecordDict({ABOUT: ConfigRecord({**about, "loss": 0.1}), **vector}))
    with pytest.raises(MessageError):
        read(RecordDict({ABOUT: about, **vector, "more": ConfigRecord({})}))


def test_what_is_written_is_read_again() -> None:
    asked = sum_round.decode_sum_request(EVERY["request"][0], size=5)
    assert (asked.place, asked.shares, asked.next_keys) == (PLACE, {"south": bytes(82)}, SIGNED)
    replied = sum_round.decode_sum_reply(EVERY["reply"][0], size=5)
    assert (replied.place, replied.next_shares) == (PLACE, {"south": bytes(82)})
    assert torch.equal(replied.total, REPLY.total)
    assert sum_shares.decode_question(EVERY["shares question"][0])[1].keys() == SIGNED.keys()
    assert sum_agree.decode_question(EVERY["agree question"][0]).survivors == ("north", "south")
    assert sum_reveal.decode_revealed(EVERY["reveal"][0])[1].key_shares == {"south": bytes(33)}
    assert peer.decode_peer(EVERY["peer"][0]).name == "north"


def test_a_masked_answer_is_no_plain_one_and_the_other_way_round() -> None:
    with pytest.raises(MessageError):
        decode_reply(EVERY["reply"][0], size=5)
    with pytest.raises(MessageError):
        decode_request(EVERY["request"][0], size=5)


def test_both_shares_of_one_member_are_never_read() -> None:
    fields = {"self_shares": write_named({"north": bytes(33)}), "key_shares": write_named({"north": bytes(33)})}
    about = dict(EVERY["reveal"][0].config_records[ABOUT]) | fields
    with pytest.raises(MessageError, match="both shares of one member"):
        sum_reveal.decode_revealed(RecordDict({ABOUT: ConfigRecord(about)}))


def test_a_peer_key_that_somebody_else_shows_is_refused() -> None:
    about = dict(EVERY["peer"][0].config_records[ABOUT]) | {"name": "south"}
    with pytest.raises(MessageError, match="did not sign the name"):
        peer.decode_peer(RecordDict({ABOUT: ConfigRecord(about)}))


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(st.dictionaries(NAMES, st.binary(min_size=1, max_size=40), max_size=8))
def test_values_of_members_are_read_as_they_were_written(values: dict[str, bytes]) -> None:
    assert read_named(ConfigRecord({"x": write_named(values)}), "x", longest=40) == values


@given(st.binary(max_size=60))
def test_no_other_bytes_are_values_of_members(content: bytes) -> None:
    try:
        found = read_named(ConfigRecord({"x": content}), "x", longest=40)
    except MessageError:
        return
    assert write_named(found) == content


@pytest.mark.parametrize(
    "content",
    [b"\x01b\x00\x01x\x01a\x00\x01x", b"\x01a\x00\x01x" * 2, b"\x01A\x00\x01x", b"\x01a\x00\x00",
     b"\x01a\x00\x29" + bytes(41), b"\x01a\x00\x05x", b"\x00\x00\x01x", b"\x05a"],
    ids=["not sorted", "twice", "no name", "too short", "too long", "cut", "no name at all", "cut name"],
)  # fmt: skip
def test_values_that_are_not_in_their_one_form_are_refused(content: bytes) -> None:
    with pytest.raises(MessageError, match="x of a message cannot be read"):
        read_named(ConfigRecord({"x": content}), "x", longest=40)


def test_a_vector_of_another_type_is_no_masked_sum() -> None:
    about = EVERY["reply"][0].config_records[ABOUT]
    vector = ArrayRecord({"values": Array(torch.zeros(6).numpy())})
    with pytest.raises(MessageError):
        sum_round.decode_sum_reply(RecordDict({ABOUT: about, VECTOR: vector}), size=5)
