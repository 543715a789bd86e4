import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from common.errors import PrivacyError
from common.message.signature import SIGNATURE_BYTES, Signed, is_signed, name_key, public_bytes, sign, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = public_bytes(KEY)


def test_what_was_signed_is_what_comes_back() -> None:
    signed = sign(b"content", KEY, purpose="proposal")
    assert len(signed.signature) == SIGNATURE_BYTES
    assert verify(signed, PUBLIC, purpose="proposal") == b"content"


@pytest.mark.parametrize(
    "signed",
    [
        sign(b"content", KEY, purpose="release"),
        Signed(b"contents", sign(b"content", KEY, purpose="proposal").signature),
        Signed(b"content", bytes(64)),
        Signed(b"content", b""),
        sign(b"content", Ed25519PrivateKey.generate(), purpose="proposal"),
    ],
)
def test_another_purpose_content_or_signer_is_refused(signed: Signed) -> None:
    with pytest.raises(PrivacyError, match="not signed by"):
        verify(signed, PUBLIC, purpose="proposal")


def test_a_key_is_named_by_its_hash() -> None:
    assert name_key(PUBLIC) == hashlib.sha256(PUBLIC).hexdigest()


def test_what_is_no_key_verifies_nothing() -> None:
    with pytest.raises(PrivacyError):
        verify(sign(b"content", KEY, purpose="proposal"), b"short", purpose="proposal")


def test_bare_bytes_are_signed_for_no_purpose_and_no_purpose_is_taken_for_another() -> None:
    bare, proposal = sign(b"{}", KEY, purpose=None), sign(b"{}", KEY, purpose="proposal")
    assert is_signed(bare, public_bytes(KEY), purpose=None)
    assert not is_signed(bare, public_bytes(KEY), purpose="proposal")
    assert not is_signed(proposal, public_bytes(KEY), purpose=None)
    assert not is_signed(bare, b"too short", purpose=None)
