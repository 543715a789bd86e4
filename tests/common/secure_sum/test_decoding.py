"""Whatever some holders tell: the secrets come out, and who told wrong shares is named, as far as m goes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest

from common.secure_sum.decoding import Column, are_consistent, column_of, find_wrong, moments_of, solve, tells_wrong
from common.secure_sum.roster import usual_terms
from common.secure_sum.shamir import PRIME, split

Shares = dict[int, int]


def share_out(secrets: Sequence[int], threshold: int, holders: int, draw: random.Random) -> list[Shares]:
    points = range(1, holders + 1)
    made = []
    for secret in secrets:
        shares = split(secret.to_bytes(32), points, coefficients=[draw.randrange(PRIME) for _ in range(threshold - 1)])
        made.append({point: int.from_bytes(share) for point, share in zip(points, shares, strict=True)})
    return made


def columns_of(secrets: Sequence[int], told: Sequence[Mapping[int, int]], threshold: int) -> list[Column]:
    return [column_of(shares, threshold, secret.__eq__) for secret, shares in zip(secrets, told, strict=True)]


def name_liars(columns: Sequence[Column]) -> tuple[set[int], int]:
    """Give who told a wrong share of a secret that came out, and how many did."""
    suspected = find_wrong(columns)
    known = [column for column in columns if column.without(suspected).is_right]
    liars = {point for column in known for point in suspected if tells_wrong(column, point, suspected=suspected)}
    return liars, len(known)


# By hand: 5 + 3x at 1, 2, 3 with weights 3, -3, 1.
def test_moments_of_one_polynomial_are_its_secret_and_zeros() -> None:
    assert moments_of({1: 8, 2: 11, 3: 14}, 2) == [5, 0]
    assert moments_of({1: 8, 2: 11}, 2) == [5]
    assert moments_of({1: 8}, 2) == ()
    assert moments_of({1: 8, 2: 11, 3: 15}, 2) == [6, 3]


def test_equations_in_the_field_are_solved() -> None:
    assert solve([[1, 1, 0], [0, 1, 1]], 3) == [[1, PRIME - 1, 1]]
    assert solve([[1, 2], [3, 4]], 2) == []
    assert len(solve([[2, 4, 6], [1, 2, 3]], 3)) == 2


# Every number of liars up to all that are to spare, each about all secrets or about few; and one more.
@pytest.mark.parametrize("about", ["all", "few", "one"])
@pytest.mark.parametrize("members", [3, 5, 8, 12, 20])
def test_liars_up_to_all_to_spare_are_named_exactly_and_every_secret_comes_out(members: int, about: str) -> None:
    draw = random.Random(members)  # noqa: S311
    threshold, _ = usual_terms(members)
    for number in range(members - threshold + 1):
        for _ in range(3 if members < 12 else 1):
            secrets = [draw.randrange(1 << 256) for _ in range(members)]
            told = share_out(secrets, threshold, members, draw)
            liars = set(draw.sample(range(1, members + 1), number))
            of_few = draw.sample(range(members), min(3, members))
            for liar in liars:
                for owner in {"all": range(members), "few": of_few, "one": [draw.choice(of_few)]}[about]:
                    told[owner][liar] = (told[owner][liar] + draw.randrange(1, PRIME)) % PRIME
            assert name_liars(columns_of(secrets, told, threshold)) == (liars, members)


@pytest.mark.parametrize("members", [3, 5, 8, 12])
def test_one_liar_more_than_there_is_to_spare_and_no_secret_comes_out(members: int) -> None:
    draw = random.Random(members)  # noqa: S311
    threshold, _ = usual_terms(members)
    secrets = [draw.randrange(1 << 256) for _ in range(members)]
    told = share_out(secrets, threshold, members, draw)
    for liar in draw.sample(range(1, members + 1), members - threshold + 1):
        for shares in told:
            shares[liar] = draw.randrange(PRIME)
    assert name_liars(columns_of(secrets, told, threshold)) == (set(), 0)


# Of 33 to spare: half by one secret, all but one by several, and more than can be tried out are left alone quickly.
@pytest.mark.parametrize(
    ("number", "owners", "found"), [(16, 1, True), pytest.param(32, 40, True, marks=pytest.mark.slow), (17, 1, False)]
)
def test_among_a_hundred_half_of_the_liars_are_found_by_one_secret_and_more_by_several(
    number: int, owners: int, found: bool
) -> None:
    draw = random.Random(number)  # noqa: S311
    secrets = [draw.randrange(1 << 256) for _ in range(owners)]
    told = share_out(secrets, 67, 100, draw)
    liars = set(draw.sample(range(1, 101), number))
    for liar in liars:
        for shares in told:
            shares[liar] = draw.randrange(PRIME)
    assert name_liars(columns_of(secrets, told, 67)) == ((liars, owners) if found else (set(), 0))


def test_who_has_no_share_of_one_secret_is_missed_there_alone() -> None:
    draw = random.Random(1)  # noqa: S311
    secrets = [draw.randrange(1 << 256) for _ in range(4)]
    told = share_out(secrets, 4, 8, draw)
    del told[0][1], told[0][5], told[1][2]
    told[0][3] = told[2][6] = told[3][6] = 7
    assert name_liars(columns_of(secrets, told, 4)) == ({3, 6}, 4)
    del told[0][2], told[0][8], told[0][7]  # three are left
    assert name_liars(columns_of(secrets, told, 4)) == ({6}, 3)


# Liars who know each other's shares make the secret come out right where all are taken together; still they are found.
def test_lies_that_cancel_at_the_secret_are_found() -> None:
    draw = random.Random(2)  # noqa: S311
    (told,) = share_out([5], 4, 8, draw)
    moved = {**told, 2: (told[2] + 1) % PRIME}
    step = moments_of({**dict.fromkeys(told, 0), 7: 1}, 4)[0]
    moved[7] = (told[7] - (moments_of(moved, 4)[0] - 5) * pow(step, -1, PRIME)) % PRIME
    assert moments_of(moved, 4)[0] == 5
    assert name_liars(columns_of([5], [moved], 4)) == ({2, 7}, 1)


def test_one_wrong_share_among_many_secrets_is_seen_in_all_of_them_at_once() -> None:
    draw = random.Random(3)  # noqa: S311
    told = share_out([draw.randrange(1 << 256) for _ in range(5)], 4, 6, draw)
    assert are_consistent(told, 4)
    told[3][2] += 1
    assert not are_consistent(told, 4)
