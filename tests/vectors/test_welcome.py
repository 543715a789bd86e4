"""Successions and live welcomes of protocol 2 are read and written byte for byte for ever, and bad ones refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certs.key import TLS_CURVE
from client.daemon.membership import JoinedFederation
from client.daemon.renewal import take_welcome
from common.errors import DataError, HansaError, MessageError, PrivacyError
from common.message.signature import public_bytes
from common.message.succession import read_lineage, read_links, write_links
from common.message.welcome import (
    decode_welcome,
    decode_welcome_receipt,
    encode_welcome,
    encode_welcome_receipt,
    hash_welcome,
    parse_welcome,
)
from common.message.wire import from_wire, to_wire

SECOND = Path(__file__).parent / "0.2"
KEY, NEXT = (Ed25519PrivateKey.from_private_bytes(bytes(range(first, first + 32))) for first in (0, 32))
TLS_KEY = derive_private_key(2026, TLS_CURVE)  # the merchant's, which is no secret of anybody's
NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)


def joined(name: str) -> JoinedFederation:
    return JoinedFederation.model_validate_json((SECOND / "merchant" / name).read_bytes())


def take(name: str, *, known: str = "federation-joined.json") -> JoinedFederation:
    signed, links = decode_welcome(from_wire((SECOND / name).read_bytes()))
    return take_welcome(joined(known), signed, links, tls_key=TLS_KEY, now=NOW)


def test_a_welcome_and_its_receipt_are_read_and_written_byte_for_byte() -> None:
    record = from_wire((SECOND / "messages" / "welcome.bin").read_bytes())
    signed, links = decode_welcome(record)
    assert parse_welcome(signed.content).to_bytes() == signed.content
    assert read_links(write_links(links)) == links
    assert to_wire(encode_welcome(signed, links)) == (SECOND / "messages" / "welcome.bin").read_bytes()
    receipt = from_wire((SECOND / "messages" / "welcome_receipt.bin").read_bytes())
    assert decode_welcome_receipt(receipt) == hash_welcome(signed.content)
    assert to_wire(encode_welcome_receipt(hash_welcome(signed.content))) == to_wire(receipt)
    assert read_lineage(public_bytes(KEY), links).keys == (public_bytes(KEY), public_bytes(NEXT))


def test_a_merchant_that_takes_it_knows_the_federation_as_it_was_written_down() -> None:
    taken = take("messages/welcome.bin")
    assert taken == joined("federation-renewed.json")
    assert taken.model_dump_json() == joined("federation-renewed.json").model_dump_json()
    assert taken.signers == (public_bytes(KEY), public_bytes(NEXT))


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        ("welcome-unknown-key", MessageError, "does not know; install the coordinator's version"),
        ("welcome-later-schema", MessageError, "does not know; install the coordinator's version"),
        ("welcome-signed-as-release", PrivacyError, "not signed by this federation's coordinator"),
        ("welcome-forged-successor", PrivacyError, "not vouched for by the one before it"),
        ("welcome-of-another-chain", PrivacyError, "follows from another key"),
        ("welcome-for-another-key", DataError, "is not for the key in tls.key"),
        ("welcome-for-another-name", MessageError, "for another merchant or federation"),
        ("welcome-dated-ahead", MessageError, "dated more than a day ahead"),
        ("welcome-additional-field", MessageError, "must hold .* and nothing else"),
        ("welcome-broken-links", MessageError, "successions of a message cannot be read"),
    ],
)
def test_what_is_no_sound_welcome_is_refused(name: str, error: type[HansaError], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        take(f"bad/{name}.bin")


def test_an_older_welcome_is_refused_once_a_later_one_is_in_use() -> None:
    with pytest.raises(PrivacyError, match="older than the one that is in use"):
        take("bad/welcome-rolled-back.bin", known="federation-renewed.json")
