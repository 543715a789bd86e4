"""Who sums with whom follows from what is signed alone, and suits the terms of every cohort."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.errors import ConfigError, MessageError
from common.plan.schema import SumPlan
from common.secure_sum.cohort import (
    cohort_sizes,
    form_cohorts,
    form_sessions,
    require_cohort_terms,
    session_of,
    usual_cohort_terms,
)
from common.secure_sum.roster import Peer, Session, require_terms, usual_terms

RUN, OTHER_RUN = "ab" * 32, "cd" * 32
ROSTER = tuple(Peer(name=f"shop-{place:03}", key=f"{place + 1:064x}", size_class=32) for place in range(12))
FROZEN = [["00", "03", "06", "11"], ["01", "05", "08", "09"], ["02", "04", "07", "10"]]
HASHES = ["04c90d9f12ad2578", "4dbf9cef1ce7442c", "f6605fadaa319195"]
TERMS = SumPlan(threshold=3, colluders=1, cohort=4)


@pytest.mark.parametrize(
    ("members", "usual", "sizes"),
    [
        (4, None, (4,)),
        (300, None, (300,)),
        (301, None, (101, 100, 100)),
        (350, None, (88, 88, 87, 87)),
        (1000, None, (100,) * 10),
        (12, 4, (4, 4, 4)),
        (14, 4, (4, 4, 3, 3)),
        (13, 4, (5, 4, 4)),
        (3, 4, (3,)),
        (449, 300, (225, 224)),
    ],
)
def test_a_long_roster_is_cut_as_evenly_as_can_be(members: int, usual: int | None, sizes: tuple[int, ...]) -> None:
    assert cohort_sizes(members, usual) == sizes


def test_nobody_is_left_out_of_the_cohorts_and_none_is_large() -> None:
    for members in range(1, 3000):
        sizes = cohort_sizes(members)
        assert sum(sizes) == members
        assert members <= 300 or 75 <= min(sizes) <= max(sizes) <= 125


def test_the_usual_terms_are_legal_in_every_cohort_and_those_of_one_sum_where_there_is_one() -> None:
    for members in (*range(2, 300, 7), *range(301, 2000, 13)):
        threshold, colluders = usual_cohort_terms(members)
        require_cohort_terms(members, SumPlan(threshold=threshold, colluders=colluders))
        assert members > 300 or (threshold, colluders) == usual_terms(members)
    with pytest.raises(ConfigError, match=r"cannot be cut into sums of 2 and 3; choose another privacy\.sum\.cohort"):
        usual_cohort_terms(5, 2)


@pytest.mark.parametrize(("threshold", "colluders"), [(3, 1), (5, 1), (4, 2)])
def test_terms_have_to_be_legal_in_the_smallest_and_in_the_largest_cohort(threshold: int, colluders: int) -> None:
    terms = SumPlan(threshold=threshold, colluders=colluders, cohort=4)  # 13 are cut into 5, 4 and 4
    legal = all(_is_legal(size, terms) for size in (4, 5))
    if legal:
        require_cohort_terms(13, terms)
    else:
        with pytest.raises(ConfigError, match="must lie between"):
            require_cohort_terms(13, terms)
    assert legal == ((threshold, colluders) == (4, 2))


def _is_legal(size: int, terms: SumPlan) -> bool:
    try:
        require_terms(size, terms.threshold, terms.colluders)
    except ConfigError:
        return False
    return True


# Frozen: whoever cuts a roster otherwise has other sessions, and nothing that it says is accepted.
def test_the_cohorts_of_a_roster_are_these_for_ever() -> None:
    assert [[peer.name[-2:] for peer in cohort] for cohort in form_cohorts(ROSTER, RUN, 4)] == FROZEN
    assert [session.hash[:16] for session in form_sessions(ROSTER, RUN, TERMS)] == HASHES


def test_everybody_is_in_one_cohort_and_each_is_a_roster_of_its_own() -> None:
    sessions = form_sessions(ROSTER, RUN, TERMS)
    assert sorted(name for session in sessions for name in session.names) == [peer.name for peer in ROSTER]
    for peer in ROSTER:
        session = session_of(peer.name, sessions)
        assert peer in session.roster
        assert session.noise_share == 2
    with pytest.raises(MessageError, match="stranger"):
        session_of("stranger", sessions)


def test_a_roster_that_stays_whole_has_the_session_that_it_always_had() -> None:
    terms = SumPlan(threshold=8, colluders=3)
    assert form_sessions(ROSTER, RUN, terms) == (Session(RUN, ROSTER, 8, 3),)


# Else a coordinator could move one merchant among its own by a name that it invents.
@pytest.mark.parametrize("changed", ["run", "a key", "a size class", "one more"])
def test_another_run_or_one_other_peer_puts_everybody_elsewhere(changed: str) -> None:
    run = OTHER_RUN if changed == "run" else RUN
    roster = {
        "run": ROSTER,
        "a key": (*ROSTER[:-1], Peer(name=ROSTER[-1].name, key="f" * 64, size_class=32)),
        "a size class": (*ROSTER[:-1], Peer(name=ROSTER[-1].name, key=ROSTER[-1].key, size_class=64)),
        "one more": (*ROSTER, Peer(name="shop-100", key="f" * 64, size_class=32)),
    }[changed]
    before, after = ({peer.name: mates_of(peer.name, cohorts) for peer in ROSTER}
                     for cohorts in (form_cohorts(ROSTER, RUN, 4), form_cohorts(roster, run, 4)))  # fmt: skip
    assert sum(before[name] == after[name] for name in before) <= len(before) / 3


def mates_of(name: str, cohorts: tuple[tuple[Peer, ...], ...]) -> frozenset[str]:
    return next(names for cohort in cohorts if name in (names := frozenset(peer.name for peer in cohort)))


def test_a_roster_that_is_none_is_not_cut() -> None:
    with pytest.raises(MessageError, match="sorted"):
        form_cohorts(ROSTER[::-1], RUN, 4)


def test_where_members_were_shown_other_cohorts_no_session_is_theirs_in_common() -> None:
    one, other = form_sessions(ROSTER, RUN, TERMS), form_sessions(ROSTER, RUN, replace_cohort(TERMS, 6))
    assert not {session.hash for session in one} & {session.hash for session in other}
    assert {replace(session, threshold=4).hash for session in one}.isdisjoint(session.hash for session in one)


def replace_cohort(terms: SumPlan, cohort: int) -> SumPlan:
    return terms.model_copy(update={"cohort": cohort, "threshold": 4})
