"""Shares: t of them give the secret, t - 1 say nothing, and others give another secret."""

import random

import pytest

from common.errors import MessageError
from common.secure_sum.shamir import PRIME, combine, read_share, split, weigh


def coefficients(count: int, *, seed: int = 1) -> list[int]:
    draw = random.Random(seed)  # noqa: S311
    return [draw.randrange(PRIME) for _ in range(count)]


@pytest.mark.parametrize("secret", [bytes(32), bytes([255]) * 32, bytes(range(32))])
@pytest.mark.parametrize(("threshold", "members"), [(1, 1), (2, 2), (3, 5), (67, 100)])
def test_any_t_shares_give_the_secret(secret: bytes, threshold: int, members: int) -> None:
    shares = split(secret, range(1, members + 1), coefficients=coefficients(threshold - 1))
    for chosen in (range(threshold), range(members - threshold, members)):
        weights = weigh([1 + place for place in chosen])
        assert combine([shares[place] for place in chosen], weights) == secret


# Each secret is as likely as any other: for every value there is one polynomial through the t - 1 shares.
def test_one_share_too_few_fits_every_secret() -> None:
    shares = split(bytes(range(32)), [1, 2, 3], coefficients=coefficients(2))
    for guess in (bytes(32), bytes([7]) * 32):
        missing = _third_share(guess, shares[:2])
        assert combine([*shares[:2], missing], weigh([1, 2, 3])) == guess


def _third_share(secret: bytes, shares: list[bytes]) -> bytes:
    first, second, third = weigh([1, 2, 3])
    known = int.from_bytes(shares[0]) * first + int.from_bytes(shares[1]) * second
    return ((int.from_bytes(secret) - known) * pow(third, -1, PRIME) % PRIME).to_bytes(33)


# Origin: 5 + 3x + 2x² at 1, 2, 3 by hand.
def test_shares_are_the_values_of_the_polynomial() -> None:
    shares = split((5).to_bytes(32), [1, 2, 3], coefficients=[3, 2])
    assert [int.from_bytes(share) for share in shares] == [10, 19, 32]


def test_a_changed_share_gives_another_secret_or_none() -> None:
    shares = split(bytes(range(32)), [1, 2, 3], coefficients=coefficients(2))
    shares[1] = (int.from_bytes(shares[1]) ^ 1).to_bytes(33)
    assert combine(shares, weigh([1, 2, 3])) != bytes(range(32))
    with pytest.raises(MessageError, match="belong together"):
        combine([(2**256).to_bytes(33)], [1])


@pytest.mark.parametrize("share", [b"", bytes(32), bytes(34), PRIME.to_bytes(33), b"\xff" * 33])
def test_what_is_no_share_is_refused(share: bytes) -> None:
    with pytest.raises(MessageError):
        read_share(share)


@pytest.mark.parametrize("points", [[1, 1], [0, 1], [-1, 2]])
def test_shares_come_from_different_members_and_none_is_the_secret(points: list[int]) -> None:
    with pytest.raises(MessageError):
        weigh(points)


# Check 10.
@pytest.mark.parametrize("secret", [b"", bytes(4), bytes(31), bytes(33)])
def test_a_secret_of_fewer_bits_is_refused(secret: bytes) -> None:
    with pytest.raises(MessageError, match="32 bytes"):
        split(secret, [1], coefficients=[])
