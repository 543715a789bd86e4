"""Calls of protocol 2 are read and written byte for byte for ever, and what is none is one sentence."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.account.company import CallReader
from common.errors import HansaError, MessageError, PrivacyError
from common.message import proposal
from common.message.call import write_ticket
from common.message.proposal import decode_signed, parse_proposal, proposal_in
from common.message.round import RoundRequest, decode_request, encode_request
from common.message.signature import public_bytes, verify
from common.message.wire import from_wire, to_wire

SECOND = Path(__file__).parent / "0.2"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
READER = CallReader(coordinators=lambda: [public_bytes(KEY)], node_key=lambda: "node key of north")


def read(name: str) -> RoundRequest:
    return decode_request(from_wire((SECOND / name).read_bytes()), size=3)


def test_a_round_with_its_call_is_read_and_written_byte_for_byte() -> None:
    request = read("messages/request.bin")
    assert to_wire(encode_request(request)) == (SECOND / "messages" / "request.bin").read_bytes()
    company = READER.read_of(request)
    assert company is not None
    assert (company.asked, company.quorum) == (2, 2)
    assert company.digest == "f9d93b84c672216d6b92dd4a4a7f2a3b85aeca9615d7ca000acc6c038f6d1263"
    assert (
        write_ticket(request.plan_hash, "node key of north")
        == "b70b676d8bb21af0bdd6148d39f22ad50f1202097d0876b435d30bfe9a5bce34"
    )


def test_a_proposal_with_its_quorum_is_that_of_protocol_1_without_it() -> None:
    signed = decode_signed(from_wire((SECOND / "messages" / "proposal.bin").read_bytes()))
    offered = parse_proposal(verify(signed, public_bytes(KEY), purpose=proposal.PURPOSE))
    assert (offered.cohort_size, offered.quorum) == (2, 2)
    assert offered.to_bytes() == signed.content
    assert proposal_in(2, signed, KEY) == signed
    first = parse_proposal(proposal_in(1, signed, KEY).content)
    assert first == offered.model_copy(update={"quorum": None})
    assert first.run_hash == offered.run_hash


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("call-unknown-key", MessageError, "does not know; install the coordinator's version"),
        ("call-later-schema", MessageError, "does not know; install the coordinator's version"),
        ("call-unsorted", MessageError, "cannot be read"),
        ("call-twice", MessageError, "cannot be read"),
        ("call-quorum-of-more", MessageError, "cannot be read"),
        ("call-signed-as-proposal", PrivacyError, "not signed by this federation's coordinator"),
        ("call-changed", PrivacyError, "not signed by this federation's coordinator"),
        ("call-without-signature", MessageError, "must hold .* and nothing else"),
    ],
)
def test_what_is_no_call_is_refused(name: str, error: type[HansaError], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        READER.read_of(read(f"bad/{name}.bin"))
