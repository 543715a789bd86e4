"""Who reveals wrong shares, or sealed broken ones, is named, and costs the others their round only where it must."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from client.secure_sum.member import SumMember
from common.errors import MessageError
from common.secure_sum.recovery import Recovered, Reveal
from common.secure_sum.shamir import PRIME, SHARE_BYTES
from server.secure_sum.blame import find_blame
from server.secure_sum.round import SumRound
from sum_world import MODEL, make_members, make_session, to_agreed, to_masked, totals_of

Shares = dict[str, bytes]


def wrong_share(draw: random.Random) -> bytes:
    return draw.randrange(PRIME).to_bytes(SHARE_BYTES)


def lie(reveal: Reveal, draw: random.Random, *, about: str) -> Reveal:
    """Tell a wrong share of one owner, or of all."""
    kinds: tuple[Shares, Shares] = dict(reveal.self_shares), dict(reveal.key_shares)
    places = [(kind, owner) for kind in kinds for owner in sorted(kind)]
    for kind, owner in places if about == "all" else [draw.choice(places)]:
        kind[owner] = wrong_share(draw)
    return replace(reveal, self_shares=kinds[0], key_shares=kinds[1])


def reveals_of(members: Mapping[str, SumMember], asked: SumRound) -> dict[str, Reveal]:
    signatures = to_agreed(members, asked)
    return {name: members[name].reveal(asked.round_number, signatures) for name in asked.survivors()}


# Any number of bad reveals up to those who revealed beyond the threshold, of anybody about anybody: no more than c.
@pytest.mark.parametrize("about", ["one", "all"])
@pytest.mark.parametrize(("num_members", "lost"), [(5, 0), (8, 1), pytest.param(14, 2, marks=pytest.mark.slow)])
def test_with_bad_reveals_the_sum_is_exact_and_who_told_them_is_named(
    folder: Path, num_members: int, lost: int, about: str
) -> None:
    draw = random.Random(num_members + lost)  # noqa: S311
    session = make_session(num_members)
    members, totals = make_members(session, folder), totals_of(session)
    gone = draw.sample(session.names, lost)
    asked = to_masked(members, totals, lost=gone)
    expected = sum(totals[name] for name in asked.survivors())
    right = reveals_of(members, asked)
    most = len(right) - session.threshold
    for number in range(most + 2):
        liars = set(draw.sample(sorted(right), number))
        again = to_masked(members, totals, lost=gone)
        to_agreed(members, again)
        for name, reveal in right.items():
            told = lie(reveal, draw, about="all" if number > most else about) if name in liars else reveal
            again.add_reveal(name, told)
        assert again.is_settled() == (number <= most)
        if number > most:  # nobody can tell who
            with pytest.raises(MessageError, match="do not give what was published"):
                again.total()
            continue
        assert again.total().tolist() == expected.tolist()
        assert set(again.blame().sentences) == liars
        assert not again.blame().owners


def test_a_bad_reveal_among_t_is_made_up_for_by_the_next_one(folder: Path) -> None:
    session = make_session(5)  # t = 4
    members, totals = make_members(session, folder), totals_of(session)
    asked = to_masked(members, totals)
    reveals = reveals_of(members, asked)
    first, *others = asked.survivors()
    asked.add_reveal(first, lie(reveals[first], random.Random(1), about="one"))  # noqa: S311
    for name in others[:3]:
        assert not asked.is_settled()
        asked.add_reveal(name, reveals[name])
    assert not asked.is_settled()
    asked.add_reveal(others[3], reveals[others[3]])
    assert asked.is_settled()
    assert asked.total().tolist() == sum(totals.values()).tolist()
    assert set(asked.blame().holders) == {first}


def change(sealed: bytes) -> bytes:
    return bytes([sealed[0] ^ 1]) + sealed[1:]


def broken(members: Mapping[str, SumMember], owner: str, *, to: Callable[[str], bool]) -> SumRound:
    """Hold a round up to its reveals in which one member's bundles do not open."""
    session = next(iter(members.values())).session
    totals = totals_of(session)
    asked = SumRound(session, 1, MODEL)
    for name, member in members.items():
        asked.add_keys(name, member.keys(1, 1))
    for name, member in members.items():
        shares = member.shares(1, asked.keys())
        if name == owner:
            shares = {other: change(sealed) if to(other) else sealed for other, sealed in shares.items()}
        asked.add_shares(name, shares)
    for name, member in members.items():
        asked.add_masked(name, member.mask(1, totals[name], asked.shares_for(name), model_hash=MODEL))
    for name, reveal in reveals_of(members, asked).items():
        asked.add_reveal(name, reveal)
    return asked


def test_a_member_whose_bundles_do_not_open_is_named_and_the_round_gives_no_sum(folder: Path) -> None:
    session = make_session(5)
    owner = session.names[2]
    asked = broken(make_members(session, folder), owner, to=lambda name: True)
    assert set(asked.blame().owners) == {owner}
    assert not asked.blame().holders
    with pytest.raises(MessageError, match=owner):
        asked.total()


def test_a_bundle_that_one_member_cannot_open_costs_nothing_and_both_are_named(folder: Path) -> None:
    session = make_session(5)
    owner, holder = session.names[2], session.names[4]
    asked = broken(make_members(session, folder), owner, to=lambda name: name == holder)
    assert asked.total().tolist() == sum(totals_of(session).values()).tolist()
    assert dict(asked.blame().holders) == {holder: f"it could not open what {owner} sealed for it"}


def test_a_member_that_shared_another_secret_than_it_published_is_named(folder: Path) -> None:
    session = make_session(5)
    members, totals = make_members(session, folder), totals_of(session)
    asked = to_masked(members, totals)
    owner, draw = session.names[1], random.Random(1)  # noqa: S311
    for name, reveal in reveals_of(members, asked).items():
        told = {**reveal.self_shares, owner: wrong_share(draw)}
        asked.add_reveal(name, replace(reveal, self_shares=told))
    assert not asked.is_settled()
    assert set(asked.blame().owners) == {owner}


def test_of_a_round_in_which_too_many_lie_no_owner_is_blamed() -> None:
    session = make_session(8)
    unknown = Recovered({}, {}, unknown=session.names)
    assert not find_blame(session, unknown).sentences
    assert not find_blame(session, Recovered({}, {})).sentences
