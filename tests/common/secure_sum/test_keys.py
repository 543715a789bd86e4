"""Keys of a block of rounds: signed by an identity of the roster, for this session, as they stand."""

from dataclasses import replace

import pytest

from common.errors import MessageError
from common.secure_sum.keys import RoundKeys, SignedKeys, commit, sign_keys, verify_keys
from sum_world import identity, make_session

SESSION = make_session(5)
NAME = "shop-001"
KEYS = tuple(RoundKeys(bytes([one]) * 32, bytes([one + 10]) * 32, bytes([one + 20]) * 32) for one in range(3))


def signed(session=SESSION, name: str = NAME, place: int = 1, first_round: int = 4) -> SignedKeys:
    return sign_keys(session, name, first_round=first_round, keys=KEYS, identity=identity(place))


def test_keys_are_of_the_rounds_of_their_block_alone() -> None:
    verify_keys(SESSION, NAME, signed())
    assert [signed().of(number) for number in (4, 5, 6)] == list(KEYS)
    for number in (3, 7):
        with pytest.raises(MessageError, match="do not reach"):
            signed().of(number)


def test_keys_are_read_as_they_are_written() -> None:
    assert SignedKeys.from_bytes(signed().to_bytes()) == signed()
    for spoilt in (signed().to_bytes()[:-1], signed().to_bytes()[:72], b"", signed().to_bytes() + b"x"):
        with pytest.raises(MessageError):
            SignedKeys.from_bytes(spoilt)


# Check 5.
@pytest.mark.parametrize(
    "forged",
    [
        signed(place=2),
        signed(name="shop-002"),
        signed(make_session(5, run_hash="ac" * 32)),
        signed(make_session(4)),
        replace(signed(), first_round=5),
        replace(signed(), keys=KEYS[:2]),
        replace(signed(), keys=(*KEYS[:2], KEYS[0])),
        replace(signed(), keys=()),
        replace(signed(), signature=bytes(64)),
        replace(signed(), signature=signed().signature[:63]),
    ],
    ids=["stranger", "other name", "other run", "other roster", "moved", "cut", "swapped", "none", "zeros", "short"],
)
def test_keys_that_the_roster_s_identity_did_not_sign_for_this_sum_are_refused(forged: SignedKeys) -> None:
    with pytest.raises(MessageError):
        verify_keys(SESSION, NAME, forged)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_has_32_bytes(length: int) -> None:
    with pytest.raises(MessageError):
        RoundKeys(bytes(length), bytes(32), bytes(32))


def test_a_commitment_is_of_one_seed_of_one_member_in_one_round() -> None:
    commitments = {
        commit(SESSION, name, round_number=number, seed=seed)
        for name in SESSION.names
        for number in (1, 2)
        for seed in (bytes(32), bytes([1]) * 32)
    }
    assert len(commitments) == 20
