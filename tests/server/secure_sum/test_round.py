"""One round at the coordinator: what it takes, when, and that the sum is that of the survivors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from client.secure_sum.member import SumMember
from common.errors import MessageError
from common.secure_sum.recovery import Reveal
from server.secure_sum.round import SumRound
from sum_world import MODEL, OTHER_MODEL, make_members, make_session, to_agreed, to_masked, to_total, totals_of

SESSION = make_session(5)
TOTALS = totals_of(SESSION)
FIRST, LAST = SESSION.names[0], SESSION.names[-1]


@pytest.fixture
def members(folder: Path) -> dict[str, SumMember]:
    return make_members(SESSION, folder)


@pytest.mark.parametrize(
    ("num_members", "lost"), [(2, ()), (3, ()), (5, ()), (5, (0,)), (5, (4,)), (8, (1, 5)), (20, (0, 3, 7, 11, 18, 19))]
)
def test_the_sum_is_that_of_the_survivors(folder: Path, num_members: int, lost: tuple[int, ...]) -> None:
    session = make_session(num_members)
    totals = totals_of(session, size=101)
    members = make_members(session, folder)
    gone = [session.names[place] for place in lost]
    asked = to_masked(members, totals, lost=gone)
    assert asked.survivors() == tuple(name for name in session.names if name not in gone)
    expected = sum(totals[name] for name in asked.survivors())
    assert to_total(members, asked).tolist() == expected.tolist()


def test_members_may_drop_out_in_every_phase_as_long_as_t_are_left(folder: Path) -> None:
    session = make_session(11)  # t = 8, so 3 may be lost
    members, totals = make_members(session, folder), totals_of(session)
    asked = SumRound(session, 1, MODEL)
    for name in session.names[:-1]:
        asked.add_keys(name, members[name].keys(1, 1))
    for name in session.names[:-2]:
        asked.add_shares(name, members[name].shares(1, asked.keys()))
    for name in session.names[:-3]:
        asked.add_masked(name, members[name].mask(1, totals[name], asked.shares_for(name), model_hash=MODEL))
    assert to_total(members, asked).tolist() == sum(totals[name] for name in session.names[:-3]).tolist()


def test_survivors_who_go_after_their_vector_stay_in_the_sum(folder: Path) -> None:
    session = make_session(8)  # t = 6
    members, totals = make_members(session, folder), totals_of(session)
    asked = to_masked(members, totals)
    for name in session.names[1:7]:
        asked.survivors()
        asked.add_signature(name, members[name].agree(1, MODEL, session.names))
    for name in session.names[2:]:
        if name != session.names[7]:
            asked.signatures()
            asked.add_reveal(name, members[name].reveal(1, asked.signatures()))
    with pytest.raises(MessageError, match="Only 5"):
        asked.total()
    members[session.names[7]].agree(1, MODEL, session.names)
    asked.add_reveal(session.names[7], members[session.names[7]].reveal(1, asked.signatures()))
    assert asked.total().tolist() == sum(totals.values()).tolist()


def test_totals_at_the_edge_of_the_modulus_are_summed_exactly(folder: Path) -> None:
    session = make_session(5)
    members = make_members(session, folder)
    most = (2**63 - 1) // 5
    asked = to_masked(members, {name: np.array([most, -most, 0]) for name in session.names})
    assert to_total(members, asked).tolist() == [5 * most, -5 * most, 0]


def test_an_empty_vector_is_summed_to_nothing(folder: Path) -> None:
    members = make_members(SESSION, folder)
    asked = to_masked(members, {name: np.zeros(0, dtype=np.int64) for name in SESSION.names})
    assert to_total(members, asked).tolist() == []


# False alarm 1e-9 by the threshold on each p-value.
def test_a_masked_vector_of_zeros_is_uniform_and_no_two_are_alike(folder: Path) -> None:
    members = make_members(SESSION, folder)
    asked = to_masked(members, {name: np.zeros(20_000, dtype=np.int64) for name in SESSION.names})
    vectors = list(asked._masked.values())
    for vector in (*vectors, vectors[0] + vectors[1], vectors[0] - vectors[1]):
        counts = np.bincount(np.frombuffer(vector.tobytes(), dtype=np.uint8), minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-9


# Check 11, in every phase.
def test_with_fewer_than_t_a_round_goes_nowhere(members) -> None:
    asked = SumRound(SESSION, 1, MODEL)
    few = SESSION.names[:3]
    for name in few:
        asked.add_keys(name, members[name].keys(1, 1))
    for step in (asked.keys, asked.participants, asked.survivors, asked.signatures, asked.total):
        with pytest.raises(MessageError, match="needed"):
            step()
    asked.add_keys(LAST, members[LAST].keys(1, 1))
    names = tuple(asked.keys())
    for name in few:
        asked.add_shares(name, members[name].shares(1, asked.keys()))
    with pytest.raises(MessageError, match="needed"):
        asked.participants()
    asked.add_shares(LAST, members[LAST].shares(1, asked.keys()))
    for name in names[1:]:
        asked.add_masked(name, members[name].mask(1, TOTALS[name], asked.shares_for(name), model_hash=MODEL))
    with pytest.raises(MessageError, match="needed"):
        asked.survivors()
    asked.add_masked(FIRST, members[FIRST].mask(1, TOTALS[FIRST], asked.shares_for(FIRST), model_hash=MODEL))
    assert asked.survivors() == tuple(sorted(names))


# Check 9.
def test_a_repeat_in_the_same_bytes_changes_nothing_at_any_time_and_in_others_is_refused(members) -> None:
    asked = to_masked(members, TOTALS)
    total = to_total(members, asked)
    member, vector = members[FIRST], asked._masked[FIRST]
    reveal = asked._reveals[FIRST]
    for _ in range(2):
        asked.add_keys(FIRST, member.keys(1, 1))
        asked.add_keys(FIRST, member.keys(1, 3))
        asked.add_shares(FIRST, member.shares(1, asked._keys))
        asked.add_masked(FIRST, vector.copy())
        asked.add_signature(FIRST, asked._signatures[FIRST])
        asked.add_reveal(FIRST, reveal)
    other = dict(asked._shares[FIRST])
    other[LAST] = bytes(len(other[LAST]))
    repeats = [
        lambda: asked.add_keys(FIRST, members[LAST].keys(1, 1)),
        lambda: asked.add_shares(FIRST, other),
        lambda: asked.add_masked(FIRST, vector + np.uint64(1)),
        lambda: asked.add_signature(FIRST, asked._signatures[LAST]),
        lambda: asked.add_reveal(FIRST, replace(reveal, self_shares=dict(asked._reveals[LAST].self_shares))),
    ]
    for repeat in repeats:
        with pytest.raises(MessageError, match="other bytes"):
            repeat()
    assert asked.total().tolist() == total.tolist()


# Check 8.
def test_what_comes_late_or_early_is_refused_and_the_set_stays(members) -> None:
    early = SumRound(SESSION, 1, MODEL)
    for name, member in members.items():
        early.add_keys(name, member.keys(1, 1))
    with pytest.raises(MessageError, match="early"):
        early.add_shares(FIRST, members[FIRST].shares(1, early._keys))
    asked = to_masked(members, TOTALS, lost=[LAST])
    late = members[LAST].mask(1, TOTALS[LAST], asked.shares_for(LAST), model_hash=MODEL)
    assert LAST not in asked.survivors()
    with pytest.raises(MessageError, match="late"):
        asked.add_masked(LAST, late)
    with pytest.raises(MessageError, match="late"):
        SumRound.add_shares(asked, LAST, {}) if LAST not in asked._shares else asked.add_masked(LAST, late)
    assert to_total(members, asked).tolist() == sum(TOTALS[name] for name in asked.survivors()).tolist()


def test_a_round_never_goes_back_or_over_a_step(members) -> None:
    asked = to_masked(members, TOTALS)
    to_total(members, asked)
    phase = asked.phase
    for step in (asked.keys, asked.participants, asked.survivors, asked.signatures):
        step()
    assert asked.phase == phase


@pytest.mark.parametrize("name", ["stranger", LAST])
def test_who_is_not_in_the_round_any_more_is_not_heard(members, name: str) -> None:
    asked = SumRound(SESSION, 1, MODEL)
    for other in SESSION.names[:4]:
        asked.add_keys(other, members[other].keys(1, 1))
    with pytest.raises(MessageError):
        asked.add_keys("stranger", members[FIRST].keys(1, 1))
    for other in SESSION.names[:4]:
        asked.add_shares(other, members[other].shares(1, asked.keys()))
    for step in (
        lambda: asked.add_shares(name, {}),
        lambda: asked.shares_for(name),
        lambda: asked.add_masked(name, np.zeros(5, dtype=np.uint64)),
        lambda: asked.add_signature(name, bytes(64)),
        lambda: asked.add_reveal(name, Reveal({}, {})),
    ):
        with pytest.raises(MessageError):
            step()


# Check 5 at the coordinator: a forger costs nobody a round.
def test_forged_keys_and_cut_shares_are_refused_and_the_right_ones_may_follow(members) -> None:
    asked = SumRound(SESSION, 1, MODEL)
    for forged in (members[LAST].keys(1, 1), members[FIRST].keys(2, 1)):
        with pytest.raises(MessageError):
            asked.add_keys(FIRST, forged)
    for name, member in members.items():
        asked.add_keys(name, member.keys(1, 1))
    right = members[FIRST].shares(1, asked.keys())
    cut = {name: sealed[:-1] for name, sealed in right.items()}
    fewer = {name: right[name] for name in SESSION.names[1:4]}
    for wrong in (cut, fewer, {**right, FIRST: right[LAST]}, {**fewer, "stranger": right[LAST]}, {}):
        with pytest.raises(MessageError):
            asked.add_shares(FIRST, wrong)
    asked.add_shares(FIRST, right)


def test_a_masked_vector_of_another_length_is_refused(members) -> None:
    asked = to_masked(members, TOTALS, lost=[LAST])
    with pytest.raises(MessageError, match="numbers"):
        asked.add_masked(LAST, np.zeros(5, dtype=np.uint64))


# Check 8: an earlier attempt's vector comes late, to a coordinator that was killed and asked others since.
def test_vectors_that_were_masked_for_different_participants_give_no_sum(folder: Path) -> None:
    session = make_session(8)  # t = 6
    members, totals = make_members(session, folder), totals_of(session)
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    first, second = SumRound(session, 1, MODEL), SumRound(session, 1, MODEL)
    for asked, senders in ((first, session.names), (second, session.names[:7])):
        for name in session.names:
            asked.add_keys(name, keys[name])
        asked.keys()
        for name in senders:
            asked.add_shares(name, members[name].shares(1, keys))
    late = members[FIRST].mask(1, totals[FIRST], first.shares_for(FIRST), model_hash=MODEL)
    for name in session.names[1:7]:
        second.add_masked(name, members[name].mask(1, totals[name], second.shares_for(name), model_hash=MODEL))
    second.add_masked(FIRST, late)
    signatures = to_agreed(members, second)
    with pytest.raises(MessageError, match="one share of each"):
        second.add_reveal(FIRST, members[FIRST].reveal(1, signatures))
    for name in session.names[1:7]:
        second.add_reveal(name, members[name].reveal(1, signatures))
    with pytest.raises(MessageError, match="do not cancel"):
        second.total()


def test_a_signature_of_another_is_refused_and_the_right_one_may_follow(members) -> None:
    asked = to_masked(members, TOTALS)
    names = asked.survivors()
    right = members[FIRST].agree(1, MODEL, names)
    with pytest.raises(MessageError, match="has not signed"):
        asked.add_signature(LAST, right)
    asked.add_signature(LAST, members[LAST].agree(1, MODEL, names))


# Check 13: for the lost member's key and for the survivors' seeds.
@pytest.mark.parametrize("kind", ["self_shares", "key_shares"])
def test_a_share_that_is_not_the_owner_s_gives_no_sum(members, kind: str) -> None:
    asked = to_masked(members, TOTALS, lost=[LAST])
    signatures = to_agreed(members, asked)
    reveals = {name: members[name].reveal(1, signatures) for name in asked.survivors()}
    owner = LAST if kind == "key_shares" else "shop-002"
    shares = dict(getattr(reveals[FIRST], kind))
    shares[owner] = (int.from_bytes(shares[owner]) ^ 1).to_bytes(33)
    reveals[FIRST] = replace(reveals[FIRST], **{kind: shares})
    for name, reveal in reveals.items():
        asked.add_reveal(name, reveal)
    with pytest.raises(MessageError, match=owner):
        asked.total()


@pytest.mark.parametrize("spoil", ["without its own", "one too many", "both kinds", "cut", "nothing"])
def test_a_reveal_that_is_not_at_most_one_share_of_each_is_refused(members, spoil: str) -> None:
    asked = to_masked(members, TOTALS, lost=[LAST])
    right = members[FIRST].reveal(1, to_agreed(members, asked))
    shares = dict(right.self_shares)
    wrong = {
        "without its own": Reveal({name: shares[name] for name in list(shares)[1:]}, right.key_shares),
        "one too many": Reveal(right.self_shares, {**right.key_shares, "stranger": bytes(33)}),
        "both kinds": Reveal(right.self_shares, {**right.key_shares, FIRST: bytes(33)}),
        "cut": Reveal({**shares, FIRST: shares[FIRST][:-1]}, right.key_shares),
        "nothing": Reveal({}, {}),
    }[spoil]
    with pytest.raises(MessageError):
        asked.add_reveal(FIRST, wrong)
    asked.add_reveal(FIRST, right)


# Check 4. The one that is read need not sign: t of the others do, over the model at which their own sums are known.
def test_a_sum_of_two_models_never_comes_out_whoever_signs_it(members) -> None:
    asked = SumRound(SESSION, 1, MODEL)
    for name, member in members.items():
        asked.add_keys(name, member.keys(1, 1))
    for name, member in members.items():
        asked.add_shares(name, member.shares(1, asked.keys()))
    for name, member in members.items():
        model = OTHER_MODEL if name == FIRST else MODEL
        asked.add_masked(name, member.mask(1, TOTALS[name], asked.shares_for(name), model_hash=model))
    others = [name for name in asked.survivors() if name != FIRST]
    assert len(others) >= SESSION.threshold
    for name in others:
        asked.add_signature(name, members[name].agree(1, MODEL, asked.survivors()))
    for name in others:
        asked.add_reveal(name, members[name].reveal(1, asked.signatures()))
    with pytest.raises(MessageError, match="do not cancel"):
        asked.total()
