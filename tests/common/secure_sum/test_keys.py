"""Keys of a block of rounds: signed by an identity of the roster, for this session, as they stand."""

from dataclasses import replace

import pytest

from common.errors import MessageError
from common.secure_sum.keys import RoundKeys, SignedKeys, commit, sign_keys, verify_keys
from sum_world import identity, make_session

SESSION = make_session(5)
NAME = "shop-001"
KEYS = tuple(RoundKeys(bytes([one]) * 32, bytes([one + 10]) * 32, bytes([one + 20]) * 32) for one in range(1, 4))


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


# Points of order 1, 2, 4 and 8 of the curve and of its twist, each also as the number p larger, where that has room.
FIELD = 2**255 - 19
ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
SMALL = [0, 1, FIELD - 1, FIELD, FIELD + 1, *ORDER_8]


# Check 5. The highest bit is not looked at (RFC 7748, section 5).
@pytest.mark.parametrize("kind", ["mask", "seal"])
@pytest.mark.parametrize("high_bit", [0, 1])
@pytest.mark.parametrize("point", SMALL)
def test_a_key_of_small_order_is_refused_though_it_is_signed(point: int, high_bit: int, kind: str) -> None:
    public = (point + (high_bit << 255)).to_bytes(32, "little")
    keys = (KEYS[0], replace(KEYS[1], **{kind: public}), KEYS[2])
    bad = sign_keys(SESSION, NAME, first_round=4, keys=keys, identity=identity(1))
    with pytest.raises(MessageError, match="is none"):
        verify_keys(SESSION, NAME, bad)


# Origin: doubling an order-8 point twice gives u = 0 by (u² - 1)² / (4·u·(u² + 486662·u + 1)); its order is 8.
@pytest.mark.parametrize("point", ORDER_8)
def test_the_points_of_order_8_are_such(point: int) -> None:
    def double(u: int) -> int:
        below = 4 * u * (u * u + 486662 * u + 1)
        return (u * u - 1) ** 2 * pow(below, -1, FIELD) % FIELD

    assert double(double(point)) == 0
    assert double(point) in (1, FIELD - 1)


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
