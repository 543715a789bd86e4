"""A round over a network is called: signed with who is asked, and said to each member in its protocol."""

from __future__ import annotations

import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.message import call
from common.message.call import parse_call, write_ticket
from common.message.round import RoundRequest, decode_request
from common.message.signature import public_bytes, verify
from common.message.vector import hash_vector
from server.coordinator.calling import calling
from server.registry.registry import Member

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RUN = "a" * 64


def member(name: str, node_id: int, protocol: int) -> Member:
    return Member(name, 64, name, f"key of {name}", node_id, "", None, protocol)


def test_everyone_who_is_asked_is_in_the_call_and_protocol_1_hears_what_it_always_heard() -> None:
    members = [member("north", 10, 2), member("south", 11, 1), member("away", 12, 2)]
    parameters = torch.zeros(3)
    request = RoundRequest(RUN, 4, hash_vector(parameters), parameters)
    said = calling(members, quorum=2, key=KEY)(request, [10, 11])
    assert decode_request(said[11], size=3).call is None
    signed = decode_request(said[10], size=3).call
    assert signed is not None
    called = parse_call(verify(signed, public_bytes(KEY), purpose=call.PURPOSE))
    assert (called.run_hash, called.round_number, called.model_hash) == (RUN, 4, request.model_hash)
    assert called.quorum == 2
    assert set(called.asked) == {write_ticket(RUN, f"key of {name}") for name in ("north", "south")}
