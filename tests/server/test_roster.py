"""Who is in a secure sum, and what a launch says where that does not fit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.errors import ConfigError
from common.plan.schema import Plan
from server.registry.registry import Member
from server.roster import choose_quorum, make_roster, require_noise, without_key


def member(number: int) -> Member:
    return Member(f"m{number:03}", 32, f"{number}", f"{number}", number, "2026-11-30", None, 3)


def keys(number: int) -> dict[str, str]:
    return {f"m{place:03}": f"{place:064x}" for place in range(number)}


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"trust": "sum", "sum": {"threshold": 4, "colluders": 1}})


def test_the_roster_is_sorted_and_leaves_out_who_has_shown_no_key(plan: Plan) -> None:
    members = [member(number) for number in (5, 3, 0, 4, 2, 1)]
    roster = make_roster(plan, members, keys(5))
    assert [peer.name for peer in roster] == [f"m{number:03}" for number in range(5)]
    assert without_key(members, roster) == ("m005",)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, "The peer keys of 1 of the 1 members are known, and a secure sum has at least 2"),
        (20, "Usual for 20 is: threshold = 14, colluders = 6"),
        (301, "Usual for 301 in 3 sums of 100 or 101 is: threshold = 68, colluders = 33"),
        (1000, "Usual for 1000 in 10 sums of 100 is: threshold = 67, colluders = 33"),
    ],
)
def test_a_roster_that_does_not_fit_is_refused_in_a_sentence_that_says_what_would(
    plan: Plan, number: int, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        make_roster(plan, [member(place) for place in range(number)], keys(number))


def test_the_quorum_is_the_threshold_and_the_noise_stands_in_the_plan(plan: Plan) -> None:
    assert choose_quorum(plan, 5, None) == choose_quorum(plan, 5, 4) == 4
    with pytest.raises(ConfigError, match="is its threshold, 4"):
        choose_quorum(plan, 5, 5)
    require_noise(plan, private=False)
    with pytest.raises(ConfigError, match=r"no privacy\.sum\.noise_multiplier"):
        require_noise(plan, private=True)
