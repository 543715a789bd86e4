"""One member: each step once a round, the same bytes again, and no step that would tell its part.

The number of a check is that of docs/protocol.md §10.9.
"""

from pathlib import Path

import numpy as np
import pytest

from client.secure_sum import entropy
from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.member import SumMember
from client.secure_sum.store import Kind
from common.errors import HansaError, MessageError, PrivacyError
from common.secure_sum.agreement import sign_agreement, write_agreement
from server.secure_sum.round import SumRound
from sum_world import (
    MODEL,
    OTHER_MODEL,
    identity,
    make_members,
    make_session,
    open_store,
    to_agreed,
    to_masked,
    to_total,
    totals_of,
)

SESSION = make_session(5)
TOTALS = totals_of(SESSION)
FIRST, LAST = SESSION.names[0], SESSION.names[-1]


@pytest.fixture
def members(folder: Path) -> dict[str, SumMember]:
    return make_members(SESSION, folder)


def collect(members: dict[str, SumMember]) -> SumRound:
    return to_masked(members, TOTALS, lost=[LAST])


# Check 1.
def test_of_each_owner_one_share_is_revealed_whatever_is_asked_and_how_often(members) -> None:
    asked = collect(members)
    signatures = to_agreed(members, asked)
    for member in (members[name] for name in asked.survivors()):
        reveals = [member.reveal(1, signatures) for _ in range(2)]
        assert reveals[0] == reveals[1]
        assert set(reveals[0].self_shares) == set(asked.survivors())
        assert set(reveals[0].key_shares) == {LAST}


# Check 2, also in a process that knows nothing but the file or the ledger.
@pytest.mark.parametrize("forgets", ["nothing", "its file of sums"])
def test_a_second_set_or_model_is_never_signed(folder: Path, forgets: str) -> None:
    notes = {name: MemoryAgreements() for name in SESSION.names}
    members = make_members(SESSION, folder, agreements=notes)
    asked = to_masked(members, TOTALS)
    member = members[FIRST]
    signature = member.agree(1, MODEL, SESSION.names)
    again = make_members(SESSION, folder, agreements=notes if forgets == "nothing" else None)[FIRST]
    for one in (member, again):
        assert one.agree(1, MODEL, asked.survivors()[::-1]) == signature
        for model, survivors in ((MODEL, SESSION.names[:4]), (OTHER_MODEL, SESSION.names)):
            with pytest.raises(PrivacyError, match="second sum"):
                one.agree(1, model, survivors)


def test_a_set_that_the_ledger_noted_is_the_one_though_the_file_of_sums_was_put_back(folder: Path) -> None:
    notes = {FIRST: MemoryAgreements()}
    notes[FIRST].note(SESSION.hash, 1, MODEL, SESSION.names)
    members = make_members(SESSION, folder, agreements=notes)
    to_masked(members, TOTALS)
    with pytest.raises(PrivacyError, match="second sum"):
        members[FIRST].agree(1, MODEL, SESSION.names[:4])
    assert members[FIRST].agree(1, MODEL, SESSION.names)


# Checks 3 and 14.
@pytest.mark.parametrize(
    "survivors",
    [SESSION.names[:3], (*SESSION.names[:4], FIRST), (*SESSION.names[:4], "stranger"), SESSION.names[1:]],
    ids=["too few", "twice", "stranger", "without itself"],
)
def test_a_set_that_may_not_be_summed_is_not_signed_and_another_may_follow(members, survivors) -> None:
    to_masked(members, TOTALS)
    with pytest.raises(MessageError):
        members[FIRST].agree(1, MODEL, survivors)
    assert members[FIRST].agree(1, MODEL, SESSION.names)


def test_who_sent_no_shares_is_in_no_set(members) -> None:
    asked = SumRound(SESSION, 1, MODEL)
    for name, member in members.items():
        asked.add_keys(name, member.keys(1, 1))
    for name in SESSION.names[:4]:
        asked.add_shares(name, members[name].shares(1, asked.keys()))
    members[FIRST].mask(1, TOTALS[FIRST], asked.shares_for(FIRST), model_hash=MODEL)
    with pytest.raises(MessageError, match="sent no shares"):
        members[FIRST].agree(1, MODEL, SESSION.names)


# Check 4.
def test_nothing_is_revealed_before_t_survivors_signed_the_same_set_and_model(members) -> None:
    asked = collect(members)
    signatures = to_agreed(members, asked)
    names = asked.survivors()
    other = write_agreement(SESSION, names, round_number=1, model_hash=OTHER_MODEL)
    bad = [
        {name: signatures[name] for name in names[:3]},
        {**signatures, names[3]: sign_agreement(other, identity(3))},
        {**signatures, names[3]: signatures[names[0]]},
        {**signatures, "stranger": bytes(64)},
        {},
    ]
    for given in bad:
        with pytest.raises(MessageError):
            members[FIRST].reveal(1, given)
    assert members[FIRST].reveal(1, signatures)


def test_who_masked_under_a_model_signs_and_masks_under_no_other(members) -> None:
    asked = to_masked(members, TOTALS)
    with pytest.raises(PrivacyError, match="another model"):
        members[FIRST].agree(1, OTHER_MODEL, SESSION.names)
    with pytest.raises(PrivacyError, match="another model"):
        members[FIRST].mask(1, TOTALS[FIRST], asked.shares_for(FIRST), model_hash=OTHER_MODEL)
    assert members[FIRST].agree(1, MODEL, SESSION.names)


def test_who_was_shown_another_model_gets_no_reveal(members) -> None:
    asked = SumRound(SESSION, 1, MODEL)
    for name, member in members.items():
        asked.add_keys(name, member.keys(1, 1))
    for name, member in members.items():
        asked.add_shares(name, member.shares(1, asked.keys()))
    for name, member in members.items():
        model = OTHER_MODEL if name == FIRST else MODEL
        asked.add_masked(name, member.mask(1, TOTALS[name], asked.shares_for(name), model_hash=model))
    for name, member in members.items():
        signature = member.agree(1, OTHER_MODEL if name == FIRST else MODEL, asked.survivors())
        if name != FIRST:
            asked.add_signature(name, signature)
    with pytest.raises(MessageError):
        members[FIRST].reveal(1, asked.signatures())


# Check 5.
def test_shares_are_made_for_keys_of_the_roster_s_identities_alone(members, folder: Path) -> None:
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    other_run = make_members(make_session(5, run_hash="ac" * 32), folder)[LAST].keys(1, 1)
    bad = [
        {**keys, LAST: keys[SESSION.names[1]]},
        {**keys, LAST: other_run},
        {**keys, "stranger": keys[LAST]},
        {**keys, LAST: members[LAST].keys(2, 1)},
        {name: keys[name] for name in SESSION.names[:3]},
        {name: keys[name] for name in SESSION.names[1:]},
        {**keys, FIRST: members[FIRST].keys(2, 1)},
    ]
    for given in bad:
        with pytest.raises(MessageError):
            members[FIRST].shares(1, given)
    assert set(members[FIRST].shares(1, keys)) == set(SESSION.names[1:])


def test_a_member_takes_part_under_its_own_key_alone(folder: Path) -> None:
    with pytest.raises(PrivacyError, match="not this merchant's"):
        SumMember(SESSION, FIRST, identity(1), open_store(folder / "a.sqlite"), agreements=MemoryAgreements())
    with pytest.raises(MessageError, match="stranger"):
        SumMember(SESSION, "stranger", identity(1), open_store(folder / "b.sqlite"), agreements=MemoryAgreements())


# Check 7.
def test_no_secret_serves_two_rounds_or_two_sessions(folder: Path) -> None:
    members = make_members(SESSION, folder)
    other = make_members(make_session(5, run_hash="ac" * 32), folder)
    blocks = [member.keys(1, 3) for member in (*members.values(), *other.values())]
    published = [part for block in blocks for keys in block.keys for part in (keys.mask, keys.seal, keys.commitment)]
    assert len(set(published)) == 10 * 3 * 3


def test_a_round_s_secrets_are_shared_among_one_set_of_members(members) -> None:
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    shares = members[FIRST].shares(1, keys)
    with pytest.raises(MessageError, match="other keys"):
        members[FIRST].shares(1, {name: keys[name] for name in SESSION.names[:4]})
    assert members[FIRST].shares(1, keys) == shares


# Check 8.
def test_a_round_is_masked_for_one_set_of_participants(members) -> None:
    asked = to_masked(members, TOTALS)
    incoming = asked.shares_for(FIRST)
    fewer = {name: incoming[name] for name in SESSION.names[1:4]}
    with pytest.raises(MessageError, match="second sum"):
        members[FIRST].mask(1, TOTALS[FIRST], fewer, model_hash=MODEL)


# Check 9.
def test_every_step_again_gives_the_same_bytes_also_after_a_kill_and_with_other_noise(folder: Path) -> None:
    notes = {name: MemoryAgreements() for name in SESSION.names}
    first, asked, signatures = [], None, None
    for attempt in range(2):
        members = make_members(SESSION, folder, agreements=notes)
        asked = to_masked(members, {name: total + attempt for name, total in TOTALS.items()}, lost=[LAST])
        signatures = to_agreed(members, asked)
        member = members[FIRST]
        said = (
            member.keys(1, 1).to_bytes(),
            asked._shares,
            member.mask(1, TOTALS[FIRST] + 9, asked.shares_for(FIRST), model_hash=MODEL).tobytes(),
            signatures,
            member.reveal(1, signatures),
        )
        first = first or said
        assert said == first


# Check 9. Else other shares would be sealed under the same key and nonce, and two polynomials have one secret.
def test_shares_are_the_same_though_an_older_file_of_sums_was_put_back(folder: Path) -> None:
    members = make_members(SESSION, folder)
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    (folder / "older").mkdir()
    older = make_members(SESSION, folder / "older")[FIRST]
    drawn = members[FIRST]._secrets(1).to_bytes()
    older._store.keep(SESSION.hash, 1, Kind.SECRETS, drawn)  # as it was before shares were made
    bundles = members[FIRST].shares(1, keys)
    assert older.shares(1, keys) == bundles
    assert len(set(bundles.values())) == len(bundles)
    fewer = {name: signed for name, signed in keys.items() if name != LAST}
    (folder / "third").mkdir()
    third = make_members(SESSION, folder / "third")[FIRST]
    third._store.keep(SESSION.hash, 1, Kind.SECRETS, drawn)
    assert third.shares(1, fewer).items() < bundles.items()


# Check 10.
def test_secrets_have_256_bits_of_the_operating_system_each(members, monkeypatch) -> None:
    drawn: list[int] = []
    real = entropy.os.urandom
    monkeypatch.setattr(entropy.os, "urandom", lambda count: (drawn.append(count), real(count))[1])
    members[FIRST].keys(1, 2)
    assert drawn == [32] * 6
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    drawn.clear()
    members[FIRST].shares(1, keys)
    assert drawn == []  # what shares are made with follows from the secrets


# Check 11.
def test_fewer_than_t_participants_are_masked_for_nothing(members) -> None:
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    shares = {name: member.shares(1, keys) for name, member in members.items()}
    incoming = {name: shares[name][FIRST] for name in SESSION.names[1:]}
    for given in ({}, {name: incoming[name] for name in SESSION.names[1:3]}):
        with pytest.raises(MessageError, match="needed"):
            members[FIRST].mask(1, TOTALS[FIRST], given, model_hash=MODEL)
    assert (
        members[FIRST]
        .mask(1, TOTALS[FIRST], {name: incoming[name] for name in SESSION.names[1:4]}, model_hash=MODEL)
        .size
        == 5 + 1
    )


# Check 12.
def test_a_total_without_room_is_refused_and_another_may_follow(members) -> None:
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    shares = {name: member.shares(1, keys) for name, member in members.items()}
    incoming = {name: shares[name][FIRST] for name in SESSION.names[1:]}
    with pytest.raises(PrivacyError, match="no room"):
        members[FIRST].mask(1, np.array([2**61]), incoming, model_hash=MODEL)
    assert members[FIRST].mask(1, np.array([2**60]), incoming, model_hash=MODEL).size == 1 + 1


# Check 14.
def test_no_bundle_is_for_the_member_itself_and_none_comes_from_it(members) -> None:
    asked = to_masked(members, TOTALS)
    assert all(name not in shares for name, shares in asked._shares.items())
    keys = {name: member.keys(2, 1) for name, member in members.items()}
    shares = {name: member.shares(2, keys) for name, member in members.items()}
    incoming = {name: shares[name][FIRST] for name in SESSION.names[1:]}
    with pytest.raises(MessageError, match="twice"):
        members[FIRST].mask(2, TOTALS[FIRST], {**incoming, FIRST: incoming[LAST]}, model_hash=MODEL)


def spoiled(members, spoil: str) -> tuple[dict[str, bytes], bytes]:
    """Give what was sealed for the first member, and what somebody sends in place of the last one's bundle."""
    rounds = {}
    for number in (1, 2):
        keys = {name: member.keys(number, 1) for name, member in members.items()}
        rounds[number] = {name: member.shares(number, keys) for name, member in members.items()}
    incoming = {name: rounds[1][name][FIRST] for name in SESSION.names[1:]}
    right = incoming[LAST]
    return incoming, {
        "changed": right[:-1] + bytes([right[-1] ^ 1]),
        "cut": right[:-1],
        "for another": rounds[1][LAST]["shop-001"],
        "from another": incoming["shop-001"],
        "of another round": rounds[2][LAST][FIRST],
    }[spoil]


SPOILS = ["changed", "cut", "for another", "from another", "of another round"]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_bundle_that_does_not_open_stops_no_round_and_nothing_of_it_is_revealed(members, spoil: str) -> None:
    incoming, wrong = spoiled(members, spoil)
    assert members[FIRST].mask(1, TOTALS[FIRST], {**incoming, LAST: wrong}, model_hash=MODEL).size == 5 + 1
    members[FIRST].agree(1, MODEL, SESSION.names[:4])
    content = write_agreement(SESSION, SESSION.names[:4], round_number=1, model_hash=MODEL)
    signatures = {name: sign_agreement(content, identity(place)) for place, name in enumerate(SESSION.names[:4])}
    reveal = members[FIRST].reveal(1, signatures)
    assert (set(reveal.self_shares), set(reveal.key_shares)) == (set(SESSION.names[:4]), set())


# Else a merchant that lost its secrets could be made to mask a round again.
@pytest.mark.parametrize("spoil", SPOILS)
def test_where_too_few_bundles_open_nothing_is_masked_and_the_right_ones_may_follow(members, spoil: str) -> None:
    incoming, wrong = spoiled(members, spoil)
    others = {name: bytes(82) for name in SESSION.names[2:4]}
    with pytest.raises(MessageError, match="needed"):
        members[FIRST].mask(1, TOTALS[FIRST], {**incoming, **others, LAST: wrong}, model_hash=MODEL)
    assert members[FIRST].mask(1, TOTALS[FIRST], incoming, model_hash=MODEL).size == 5 + 1


def test_a_bundle_of_a_stranger_is_refused(members) -> None:
    incoming, _ = spoiled(members, "cut")
    with pytest.raises(MessageError, match="sent no shares"):
        members[FIRST].mask(1, TOTALS[FIRST], {**incoming, "stranger": incoming[LAST]}, model_hash=MODEL)


def test_a_step_whose_forerunner_is_missing_is_refused(members) -> None:
    member = members[FIRST]
    steps = [
        lambda: member.shares(1, {}),
        lambda: member.mask(1, TOTALS[FIRST], {}, model_hash=MODEL),
        lambda: member.agree(1, MODEL, SESSION.names),
        lambda: member.reveal(1, {}),
    ]
    for step in steps:
        with pytest.raises(PrivacyError, match="holds no"):
            step()
    keys = {name: other.keys(1, 1) for name, other in members.items()}
    member.shares(1, keys)
    for step in steps[2:]:
        with pytest.raises(PrivacyError, match="holds no"):
            step()


def test_nothing_is_said_of_a_closed_round(members) -> None:
    asked = to_masked(members, TOTALS)
    assert to_total(members, asked).tolist() == sum(TOTALS.values()).tolist()
    member = members[FIRST]
    member.forget(1)
    for step in (
        lambda: member.keys(1, 1),
        lambda: member.keys(1, 3),
        lambda: member.shares(1, asked.keys()),
        lambda: member.mask(1, TOTALS[FIRST], asked.shares_for(FIRST), model_hash=MODEL),
        lambda: member.agree(1, MODEL, SESSION.names),
        lambda: member.reveal(1, asked.signatures()),
    ):
        with pytest.raises(HansaError):
            step()
    assert member.keys(2, 1)


def test_floats_are_no_total(members) -> None:
    keys = {name: member.keys(1, 1) for name, member in members.items()}
    shares = {name: member.shares(1, keys) for name, member in members.items()}
    incoming = {name: shares[name][FIRST] for name in SESSION.names[1:]}
    with pytest.raises(Exception, match=r"did not match|Type-check|Cannot cast"):
        members[FIRST].mask(1, np.array([0.5]), incoming, model_hash=MODEL)
