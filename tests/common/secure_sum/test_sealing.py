"""Sealed shares: opened by whom they are for, from whom they are, in the round that they are of."""

from dataclasses import replace

import pytest

from common.errors import MessageError
from common.secure_sum.keys import load_secret, public_of
from common.secure_sum.sealing import SEALED_BYTES, ShareBundle, Way, open_share, seal_share
from sum_world import make_session

SESSION = make_session(5)
WAY = Way(SESSION, 3, "shop-000", "shop-001")
SENDER, RECIPIENT, STRANGER = (bytes([one]) * 32 for one in (1, 2, 3))
BUNDLE = ShareBundle((7).to_bytes(33), (9).to_bytes(33))
SEALED = seal_share(BUNDLE, WAY, secret=load_secret(SENDER), public=public_of(RECIPIENT))


def opened(sealed: bytes = SEALED, way: Way = WAY, *, secret: bytes = RECIPIENT, public: bytes = SENDER) -> ShareBundle:
    return open_share(sealed, way, secret=load_secret(secret), public=public_of(public))


def test_a_bundle_is_opened_by_whom_it_is_for_and_sealed_again_in_the_same_bytes() -> None:
    assert opened() == BUNDLE
    assert len(SEALED) == SEALED_BYTES
    assert seal_share(BUNDLE, WAY, secret=load_secret(SENDER), public=public_of(RECIPIENT)) == SEALED


@pytest.mark.parametrize(
    "way",
    [
        replace(WAY, round_number=4),
        replace(WAY, sender="shop-002"),
        replace(WAY, recipient="shop-002"),
        replace(WAY, sender="shop-001", recipient="shop-000"),
        replace(WAY, session=make_session(5, run_hash="ac" * 32)),
    ],
    ids=["round", "sender", "recipient", "direction", "session"],
)
def test_a_bundle_does_not_open_on_another_way(way: Way) -> None:
    with pytest.raises(MessageError, match="were changed"):
        opened(way=way)


def test_a_bundle_does_not_open_for_or_from_a_stranger_or_changed_or_cut() -> None:
    for sealed in (SEALED[:-1], b"", bytes(SEALED_BYTES), bytes([SEALED[0] ^ 1]) + SEALED[1:]):
        with pytest.raises(MessageError):
            opened(sealed)
    for keys in ({"secret": STRANGER}, {"public": STRANGER}):
        with pytest.raises(MessageError):
            opened(**keys)


def test_what_is_sealed_are_two_shares() -> None:
    with pytest.raises(MessageError):
        ShareBundle(bytes(32), bytes(33))
    with pytest.raises(MessageError):
        ShareBundle(bytes(33), b"\xff" * 33)
