"""Who is asked in a round: what is signed, and what is no call."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.errors import MessageError, PrivacyError
from common.message import call
from common.message.call import parse_call, sign_call, write_ticket
from common.message.round import RoundRequest, decode_request, encode_request
from common.message.signature import Signed, public_bytes, verify
from common.message.vector import hash_vector

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RUN = "a" * 64
MODEL = torch.tensor([0.5, -1.0])


def signed(*node_keys: str, quorum: int = 1) -> Signed:
    return sign_call(
        KEY, run_hash=RUN, round_number=1, model_hash=hash_vector(MODEL), quorum=quorum, node_keys=node_keys
    )


def test_two_members_find_themselves_and_each_other_and_nobody_s_name() -> None:
    called = parse_call(verify(signed("north", "south", quorum=2), public_bytes(KEY), purpose=call.PURPOSE))
    assert set(called.asked) == {write_ticket(RUN, "north"), write_ticket(RUN, "south")}
    assert write_ticket("b" * 64, "north") not in called.asked, "nobody is known again in another run"


def test_the_order_of_members_changes_nothing_and_another_member_does() -> None:
    assert signed("north", "south") == signed("south", "north")
    assert signed("north", "south").content != signed("north", "east").content


def test_a_request_carries_its_call_both_ways() -> None:
    request = RoundRequest(RUN, 1, hash_vector(MODEL), MODEL, signed("north"))
    assert decode_request(encode_request(request), size=2).call == request.call
    assert decode_request(encode_request(replace(request, call=None)), size=2).call is None


@pytest.mark.parametrize("missing", ["call", "call_signature"])
def test_a_call_without_its_signature_or_a_signature_alone_is_refused(missing: str) -> None:
    record = encode_request(RoundRequest(RUN, 1, hash_vector(MODEL), MODEL, signed("north")))
    del record.config_records["about"][missing]
    with pytest.raises(MessageError, match=r"must hold .* and nothing else"):
        decode_request(record, size=2)


def test_a_call_is_no_proposal_and_no_release() -> None:
    for purpose in ("proposal", "release"):
        with pytest.raises(PrivacyError, match="not signed"):
            verify(signed("north"), public_bytes(KEY), purpose=purpose)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"asked": ["b" * 64, "a" * 64]}, "cannot be read"),
        ({"asked": ["a" * 64, "a" * 64]}, "cannot be read"),
        ({"asked": ["north"]}, "cannot be read"),
        ({"asked": []}, "cannot be read"),
        ({"quorum": 2}, "cannot be read"),
        ({"quorum": 0}, "cannot be read"),
        ({"round_number": 0}, "cannot be read"),
        ({"novelty": 1}, "does not know; install the coordinator's version"),
        ({"schema": 99}, "does not know; install the coordinator's version"),
    ],
)
def test_what_is_no_call_is_one_sentence_that_quotes_nothing_of_it(changes: dict[str, object], sentence: str) -> None:
    content = json.dumps(json.loads(signed("north").content) | changes).encode()
    with pytest.raises(MessageError, match=sentence) as caught:
        parse_call(content)
    assert "north" not in str(caught.value)
    assert "novelty" not in str(caught.value)
