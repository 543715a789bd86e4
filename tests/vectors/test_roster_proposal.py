"""A proposal of a secure sum names everyone in it, and is said in no protocol that cannot."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from common.errors import MessageError
from common.message.proposal import PURPOSE, Proposal, parse_proposal, proposal_in
from common.message.signature import Signed, public_bytes, sign, verify
from common.plan.reading import read_plan
from common.plan.schema import Plan
from common.secure_sum.roster import Peer

KEY = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
ROSTER = tuple(Peer(name=f"shop{number}", key=f"{number:064x}", size_class=32) for number in range(5))


@pytest.fixture
def plan(vectors: Path) -> Plan:
    local = read_plan(vectors / "plans" / "vector.toml")
    values = local.model_dump(mode="json")
    values["privacy"] |= {"trust": "sum", "sum": {"threshold": 4, "colluders": 1, "noise_multiplier": 14.0}}

    return Plan.model_validate_json(json.dumps(values))


def proposal(plan: Plan, roster: tuple[Peer, ...] | None = ROSTER, cohort_size: int = 5) -> Proposal:
    return Proposal(plan=plan, private=True, cohort_size=cohort_size, quorum=4, roster=roster)


def signed(said: Proposal) -> Signed:
    return sign(said.to_bytes(), KEY, purpose=PURPOSE)


def test_the_roster_is_in_what_is_signed(plan: Plan) -> None:
    said = proposal_in(3, signed(proposal(plan)), KEY)
    read = parse_proposal(verify(said, public_bytes(KEY), purpose=PURPOSE))
    assert read.roster == ROSTER
    assert read.plan.privacy.noise_share == 3
    assert said == signed(proposal(plan))


@pytest.mark.parametrize("protocol", [1, 2])
def test_a_secure_sum_is_never_proposed_to_a_member_of_an_older_protocol(plan: Plan, protocol: int) -> None:
    with pytest.raises(MessageError, match=r"needs protocol 3; a member of protocol \d is not asked until"):
        proposal_in(protocol, signed(proposal(plan)), KEY)


def test_a_proposal_without_a_roster_keeps_its_bytes_and_is_said_in_every_protocol(vectors: Path) -> None:
    said = Proposal(plan=read_plan(vectors / "plans" / "vector.toml"), private=True, cohort_size=5, quorum=4)
    assert b"roster" not in said.to_bytes()
    assert b"trust" not in said.to_bytes()
    assert said.least_protocol == 1
    assert [proposal_in(protocol, signed(said), KEY) == signed(said) for protocol in (1, 2, 3)] == [False, True, True]


@pytest.mark.parametrize(
    "roster",
    [
        None,
        ROSTER[::-1],
        ROSTER[:4],
        (*ROSTER[:4], ROSTER[3]),
        (*ROSTER[:4], Peer(name="shop9", key=ROSTER[0].key, size_class=32)),
    ],
    ids=["none", "not in order", "not everyone", "a name twice", "a key twice"],
)
def test_a_roster_that_could_mean_two_things_is_refused(plan: Plan, roster: tuple[Peer, ...] | None) -> None:
    with pytest.raises(ValidationError):
        proposal(plan, roster)


# With fewer nothing is summed, and a merchant holds the number against its smallest cohort.
@pytest.mark.parametrize("quorum", [None, 1, 3, 5])
def test_a_quorum_that_is_not_the_sum_s_threshold_is_refused(plan: Plan, quorum: int | None) -> None:
    with pytest.raises(ValidationError, match=r"quorum of a secure sum is privacy\.sum\.threshold"):
        Proposal(plan=plan, private=True, cohort_size=5, quorum=quorum, roster=ROSTER)


def test_a_quorum_of_more_than_take_part_is_refused(vectors: Path) -> None:
    with pytest.raises(ValidationError, match="the quorum is more than take part"):
        Proposal(plan=read_plan(vectors / "plans" / "vector.toml"), private=True, cohort_size=5, quorum=6)


def test_a_plan_that_trusts_nobody_takes_no_roster(vectors: Path) -> None:
    with pytest.raises(ValidationError, match="another takes none"):
        proposal(read_plan(vectors / "plans" / "vector.toml"))


def test_a_proposal_under_noise_says_how_much_noise_merchants_share(plan: Plan) -> None:
    terms = plan.privacy.sum.model_copy(update={"noise_multiplier": None})
    silent = plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"sum": terms})})
    with pytest.raises(ValidationError, match=r"needs privacy.sum.noise_multiplier"):
        proposal(silent)
    Proposal(plan=silent, private=False, cohort_size=5, quorum=4, roster=ROSTER)
