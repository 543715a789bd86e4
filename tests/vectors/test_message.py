"""Messages of the first version decode, and what this version says in protocol 1 is what the first version said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from common.errors import HansaError, MessageError, PrivacyError
from common.message import proposal, release
from common.message.proposal import (
    decode_signed,
    decode_terms,
    encode_signed,
    encode_terms,
    parse_proposal,
    proposal_in,
)
from common.message.receipt import decode_receipt, encode_receipt
from common.message.release import decode_parameters, decode_signature, note_in, parse_note
from common.message.round import decode_reply, decode_request, encode_reply, encode_request
from common.message.signature import public_bytes, sign, verify
from common.message.wire import from_wire, to_wire

FIRST = Path(__file__).parent / "0.1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIZE = 634
WARM_HASH = "ab" * 32


def read(name: str) -> RecordDict:
    return from_wire((FIRST / name).read_bytes())


def read_proposal(content: RecordDict) -> proposal.Proposal:
    return parse_proposal(verify(decode_signed(content), public_bytes(KEY), purpose=proposal.PURPOSE))


def read_release(content: RecordDict) -> release.ReleaseNote:
    note = parse_note(verify(decode_signature(content), public_bytes(KEY), purpose=release.PURPOSE))
    decode_parameters(content, note)
    return note


def test_a_signed_proposal_and_release_are_read_and_written_byte_for_byte() -> None:
    proposed = read_proposal(read("messages/proposal.bin"))
    assert proposed.plan.hash == json.loads((FIRST / "plans" / "hashes.json").read_text())["vector.toml"]["plan_hash"]
    assert proposed.to_bytes() == decode_signed(read("messages/proposal.bin")).content
    note = read_release(read("messages/release.bin"))
    assert note.to_bytes() == decode_signature(read("messages/release.bin")).content
    assert (
        to_wire(encode_signed(sign(proposed.to_bytes(), KEY, purpose=proposal.PURPOSE)))
        == (FIRST / "messages" / "proposal.bin").read_bytes()
    )


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("terms", lambda record: encode_terms(decode_terms(record))),
        ("request", lambda record: encode_request(decode_request(record, size=SIZE))),
        ("second_request", lambda record: encode_request(decode_request(record, size=SIZE))),
        ("reply", lambda record: encode_reply(decode_reply(record, size=SIZE))),
        ("receipt", lambda record: encode_receipt(decode_receipt(record))),
    ],
)
def test_every_other_message_is_read_and_written_byte_for_byte(
    name: str, again: Callable[[RecordDict], RecordDict]
) -> None:
    assert to_wire(again(read(f"messages/{name}.bin"))) == (FIRST / "messages" / f"{name}.bin").read_bytes()


@pytest.mark.parametrize(
    ("name", "read_it", "sentence"),
    [
        ("terms", decode_terms, "must hold .* and nothing else"),
        ("request", lambda record: decode_request(record, size=SIZE), "must hold .* and nothing else"),
        ("reply", lambda record: decode_reply(record, size=SIZE), "must hold .* and nothing else"),
        ("receipt", decode_receipt, "must hold .* and nothing else"),
        ("proposal", decode_signed, "must hold .* and nothing else"),
        ("release", decode_signature, "must hold .* and nothing else"),
    ],
)
def test_a_message_with_a_field_more_is_refused(name: str, read_it: Callable[[RecordDict], Any], sentence: str) -> None:
    with pytest.raises(MessageError, match=sentence):
        read_it(read(f"bad/{name}-additional-field.bin"))


@pytest.mark.parametrize(
    ("name", "read_it", "error", "sentence"),
    [
        (
            "proposal-unknown-key",
            read_proposal,
            MessageError,
            "says something that this version of hansa does not know",
        ),
        ("proposal-later-schema", read_proposal, MessageError, "says something that this version of hansa does not"),
        ("release-unknown-key", read_release, MessageError, "says something that this version of hansa does not"),
        ("proposal-signed-as-release", read_proposal, PrivacyError, "not signed by this federation's coordinator"),
    ],
)
def test_a_signed_document_that_says_more_is_one_sentence_that_quotes_nothing_of_it(
    name: str, read_it: Callable[[RecordDict], Any], error: type[HansaError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        read_it(read(f"bad/{name}.bin"))
    assert "novelty" not in str(caught.value)


def test_protocol_1_is_what_the_first_version_said_and_protocol_2_names_the_warm_model() -> None:
    old = decode_signed(read("messages/proposal.bin"))
    new = parse_proposal(old.content).model_copy(update={"warm_hash": WARM_HASH})
    signed = sign(new.to_bytes(), KEY, purpose=proposal.PURPOSE)
    assert proposal_in(1, signed, KEY) == old
    assert proposal_in(2, signed, KEY) == signed
    assert proposal_in(2, old, KEY) == old
    assert parse_proposal(signed.content).warm_hash == WARM_HASH
    first_note = decode_signature(read("messages/release.bin"))
    note = parse_note(first_note.content).model_copy(update={"warm_hash": WARM_HASH})
    signed_note = sign(note.to_bytes(), KEY, purpose=release.PURPOSE)
    assert note_in(1, signed_note, KEY) == first_note
    assert note_in(2, signed_note, KEY) == signed_note
