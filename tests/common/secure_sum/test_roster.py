"""Sessions: legal terms alone, rosters in one order, and a hash over all of it."""

from dataclasses import replace

import pytest

from common.errors import ConfigError, MessageError
from common.message.signature import public_bytes
from common.secure_sum.roster import Peer, Session, least_threshold, usual_terms
from sum_world import identity, make_session


@pytest.mark.parametrize(
    ("members", "terms"), [(2, (2, 1)), (3, (3, 1)), (5, (4, 1)), (20, (14, 6)), (100, (67, 33)), (300, (200, 99))]
)
def test_usual_terms_let_a_third_collude_and_a_third_drop_out(members: int, terms: tuple[int, int]) -> None:
    assert usual_terms(members) == terms


# Two sets with t signatures each share 2t - n signers, of whom more than c must be left.
def test_under_every_legal_threshold_two_signed_sets_share_an_honest_member() -> None:
    for members in range(2, 60):
        for colluders in range(1, members):
            least = least_threshold(members, colluders)
            assert 2 * least - members > colluders
            assert 2 * (least - 1) - members <= colluders


# Check 6.
@pytest.mark.parametrize(
    ("members", "terms"),
    [(5, (3, 1)), (5, (6, 1)), (5, (4, 0)), (5, (4, 4)), (5, (4, 3)), (20, (13, 6)), (1, (1, 0)), (301, (201, 100))],
)
def test_terms_under_which_two_sets_could_be_signed_are_refused(members: int, terms: tuple[int, int]) -> None:
    with pytest.raises(ConfigError):
        make_session_of(members, terms)


def make_session_of(members: int, terms: tuple[int, int]) -> Session:
    roster = tuple(Peer(name=f"m{place:03}", key=f"{place:064x}", size_class=1) for place in range(members))
    return Session("ab" * 32, roster, *terms)


def test_so_much_noise_of_honest_members_is_in_every_sum() -> None:
    assert make_session(20).noise_share == 8


def test_every_part_of_a_session_is_in_its_hash() -> None:
    session = make_session(5)
    first, *rest = session.roster
    others = [
        replace(session, run_hash="ac" * 32),
        replace(session, threshold=5),
        replace(session, threshold=5, colluders=2),
        replace(session, roster=(first.model_copy(update={"size_class": 9}), *rest)),
        replace(session, roster=(first.model_copy(update={"key": "00" * 32}), *rest)),
        replace(session, roster=(first.model_copy(update={"name": "shop"}), *rest)),
    ]
    assert len({session.hash, *(other.hash for other in others)}) == 7


@pytest.mark.parametrize("spoil", ["unsorted", "name twice", "key twice", "long name", "run hash"])
def test_a_roster_that_is_none_is_refused(spoil: str) -> None:
    session = make_session(5)
    first, second, *rest = session.roster
    spoilt = {
        "unsorted": (second, first, *rest),
        "name twice": (first, second.model_copy(update={"name": first.name}), *rest),
        "key twice": (first, second.model_copy(update={"key": first.key}), *rest),
        "long name": (first.model_copy(update={"name": "a" * 1001}), second, *rest),
    }
    with pytest.raises(MessageError):
        Session("AB" * 32 if spoil == "run hash" else session.run_hash, spoilt.get(spoil, session.roster), 4, 1)


def test_who_is_not_in_the_roster_is_nobody() -> None:
    with pytest.raises(MessageError, match="stranger"):
        make_session(5).peer("stranger")
    assert make_session(5).peer("shop-002").key == public_bytes(identity(2)).hex()
    assert make_session(5).point("shop-002") == 3
