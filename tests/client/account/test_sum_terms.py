"""A merchant lets others' noise stand before its entities only on its own terms, and pays for both accounts."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from flwr.app import RecordDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.account.agreement import Agreement, Offer, agree
from client.account.assumption import explain_sum
from client.account.company import Company, require_company
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.balance import Account
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.account.policy import Policy
from client.account.standing import Standing
from client.account.sum_terms import count_verified, fingerprint
from common.errors import BudgetExhausted, PrivacyError
from common.message.round import RoundReply, RoundRequest, encode_reply
from common.message.vector import hash_vector
from common.privacy.accounting import epsilon_of, mu_of
from common.privacy.mechanism import Mechanism
from common.secure_sum.cohort import form_sessions, session_of
from common.secure_sum.roster import Peer, Session, usual_terms

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
SIZE = 100
ROSTER = tuple(Peer(name=f"shop{number:02}", key=f"{number + 1:064x}", size_class=32) for number in range(20))
OWN = ROSTER[3]
THRESHOLD, COLLUDERS = usual_terms(20)
SHARE = THRESHOLD - COLLUDERS
SIGMA = 3.46  # costs epsilon 2 in 3 rounds
TERMS: dict[str, Any] = {
    "smallest_cohort": 20,
    "verified_peers": 2,
    "colluders": 6,
    "epsilon_if_all_collude": 8.0,
    "peers": [fingerprint(ROSTER[0]), fingerprint(ROSTER[7])],
}


@pytest.fixture
def trusting(make_policy: Callable[..., Policy]) -> Callable[..., Policy]:
    """Make a policy with terms for a sum."""

    def make(**sections: Any) -> Policy:
        return make_policy(**{**sections, "sum": {**TERMS, **sections.get("sum", {})}})

    return make


@pytest.fixture
def summed(make_offer: Callable[..., Offer]) -> Callable[..., Offer]:
    """Make an offer of a plan that trusts in the sum of a roster."""

    def make(*, roster: tuple[Peer, ...] | None = ROSTER, plan: dict[str, Any] | None = None, **terms: Any) -> Offer:
        asked = {"threshold": THRESHOLD, "colluders": COLLUDERS, "noise_multiplier": SIGMA, **terms}
        privacy = {**(plan or {}).get("privacy", {}), "trust": "sum", "sum": asked}
        return replace(make_offer(plan={**(plan or {}), "privacy": privacy}, cohort_size=20), roster=roster)

    return make


def refusal(policy: Policy, offer: Offer, ledger: Ledger, own: Peer | None = OWN) -> str:
    with pytest.raises(PrivacyError) as caught:
        agree(policy, offer, ledger, num_coordinates=SIZE, own=own)
    assert str(caught.value).count(". ") == 0, "one sentence"
    return str(caught.value)


def test_terms_that_are_kept_give_this_merchant_s_part_of_the_one_noise(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    offer = summed()
    agreement = agree(trusting(), offer, ledger, num_coordinates=SIZE, own=OWN)
    assert SHARE == 8
    assert agreement.mechanism.noise_multiplier == SIGMA / math.sqrt(8)
    assert agreement.session == Session(offer.run_hash, ROSTER, THRESHOLD, COLLUDERS)
    assert agreement.epsilon == pytest.approx(epsilon_of(math.sqrt(3) / SIGMA, 1e-5))
    assert agreement.epsilon_if_all_collude == pytest.approx(epsilon_of(math.sqrt(3 * 8) / SIGMA, 1e-5))
    assert 1.9 < agreement.epsilon <= 2.0 < 6 < agreement.epsilon_if_all_collude < 7
    assert ledger.account("shop", "customer").mu_squared() == 0.0


# 20 merchants in two sums of 10: what counts is the own one, in the policy, in the ledger, and in what is said.
def test_a_merchant_of_a_long_roster_stands_on_its_own_cohort_alone(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    offer = summed(threshold=7, colluders=3, cohort=10)
    own = session_of(OWN.name, form_sessions(ROSTER, offer.run_hash, offer.plan.privacy.sum))
    mates = [peer for peer in own.roster if peer != OWN]
    strangers = [peer for peer in ROSTER if peer not in own.roster]
    assert (len(mates), len(strangers)) == (9, 10)
    terms = {"smallest_cohort": 10, "colluders": 3}
    limits = {"smallest_cohort": 10}
    known = {"peers": [fingerprint(peer) for peer in mates[:2]]}
    agreement = agree(trusting(plan=limits, sum=terms | known), offer, ledger, num_coordinates=SIZE, own=OWN)
    assert agreement.session == own
    assert agreement.mechanism.noise_multiplier == SIGMA / math.sqrt(4)
    spend = agreement.spend(round_number=1, model_hash="ab" * 32, at=NOON)
    assert (spend.num_members, spend.colluders, spend.noise_share, spend.session) == (10, 3, 4, own.hash)
    assert "at most 3 of the 10 merchants" in " ".join(explain_sum(agreement))
    elsewhere = {"peers": [fingerprint(peer) for peer in strangers]}
    assert "has verified 0 itself" in refusal(trusting(plan=limits, sum=terms | elsewhere), offer, ledger)
    said = refusal(trusting(plan=limits, sum=terms | known | {"smallest_cohort": 11}), offer, ledger)
    assert "sums 10 merchants, sum.smallest_cohort is 11" in said
    said = refusal(trusting(plan={"smallest_cohort": 11}, sum=terms | known), offer, ledger)
    assert "has 10 merchants, plan.smallest_cohort is 11" in said


# The quorum of a call is signed, and the merchant's company is what it says.
@pytest.mark.parametrize("quorum", [THRESHOLD - 1, THRESHOLD + 1])
def test_a_round_whose_quorum_is_not_the_threshold_is_refused(
    quorum: int, trusting: Callable[..., Policy], summed: Callable[..., Offer]
) -> None:
    policy, plan = trusting(plan={"smallest_cohort": 1}), summed().plan
    require_company(policy, plan, Company(20, THRESHOLD, "ab" * 32, "cd" * 32))
    with pytest.raises(PrivacyError, match=rf"quorum of {quorum}, privacy\.sum\.threshold is {THRESHOLD}"):
        require_company(policy, plan, Company(20, quorum, "ab" * 32, "cd" * 32))


@pytest.mark.parametrize(
    ("policy", "terms", "said"),
    [
        ({"smallest_cohort": 21}, {}, "sums 20 merchants, sum.smallest_cohort is 21"),
        ({"colluders": 7}, {}, "at most 6 merchants conspire with the coordinator, sum.colluders asks for 7"),
        ({"verified_peers": 3}, {}, "has verified 2 itself, sum.verified_peers is 3"),
        ({"peers": [fingerprint(OWN), fingerprint(ROSTER[0])]}, {}, "has verified 1 itself"),
        ({}, {"threshold": 13}, "cannot be summed: privacy.sum: with 20 members and 6 colluders the threshold"),
        ({}, {"threshold": 21}, "the threshold must lie between 14 and 20, not at 21"),
        ({}, {"noise_multiplier": None}, "does not say privacy.sum.noise_multiplier"),
        ({}, {"noise_multiplier": 0.9}, "sums with noise 0.9, the policy allows 1.0 to 10000"),
        ({}, {"noise_multiplier": 3.3}, "costs epsilon 2.1"),
    ],
)
def test_what_keeps_to_no_term_is_refused_in_one_sentence(
    policy: dict[str, Any],
    terms: dict[str, Any],
    said: str,
    trusting: Callable[..., Policy],
    summed: Callable[..., Offer],
    ledger: Ledger,
) -> None:
    assert said in refusal(trusting(sum=policy), summed(**terms), ledger)


def test_a_merchant_without_terms_trusts_in_no_sum_and_its_local_plans_stay_as_they_were(
    make_policy: Callable[..., Policy],
    make_offer: Callable[..., Offer],
    summed: Callable[..., Offer],
    ledger: Ledger,
) -> None:
    assert "the policy has no section [sum]" in refusal(make_policy(), summed(), ledger)
    assert "the policy has no section [sum]" in refusal(make_policy(), summed(roster=None), ledger, None)
    local = agree(make_policy(), make_offer(), ledger, num_coordinates=SIZE)
    assert (local.session, local.is_shared) == (None, False)
    assert local.epsilon == local.epsilon_if_all_collude == pytest.approx(2.0, rel=1e-6)
    assert "noise_share" not in local.spend(round_number=1, model_hash="b" * 64, at=NOON).model_dump_json()


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (None, "this merchant has no key of its own in it yet"),
        (OWN.model_copy(update={"name": "other"}), "of whom none is called 'other'"),
        (OWN.model_copy(update={"key": "f" * 64}), "gives 'shop03' another key than this merchant's"),
        (OWN.model_copy(update={"size_class": 64}), "gives 'shop03' the size class 32, which is 64"),
    ],
    ids=["no key", "name", "key", "size class"],
)
def test_a_roster_with_another_in_this_merchants_place_is_refused(
    own: Peer | None, said: str, trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    assert said in refusal(trusting(), summed(), ledger, own)


def test_who_is_verified_is_known_by_its_key_and_not_by_its_name(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    swapped = tuple(
        peer.model_copy(update={"key": f"{99 + place:064x}"}) if place in (0, 7) else peer
        for place, peer in enumerate(ROSTER)
    )
    assert count_verified(trusting(), ROSTER, OWN) == 2
    assert count_verified(trusting(), swapped, OWN) == 0
    assert "has verified 0 itself" in refusal(trusting(), summed(roster=swapped), ledger)


def test_a_plan_that_is_only_considered_is_held_against_everything_but_the_roster(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    considered = agree(trusting(), summed(roster=None), ledger, num_coordinates=SIZE)
    assert considered.session is None
    assert "sum.smallest_cohort is 20" in refusal(
        trusting(), replace(summed(roster=None), cohort_size=19), ledger, None
    )
    log, request = LedgerAnswerLog(ledger, considered), make_request(considered)
    with pytest.raises(PrivacyError, match="without a roster that was agreed on"):
        log.reserve(request, considered.mechanism)
    assert ledger.account("shop", "customer").mu_squared() == 0.0


def test_a_plan_over_the_ceiling_is_refused_though_its_promise_would_fit(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    with pytest.raises(BudgetExhausted, match=r"epsilon 6.0 per customer for life .* if everybody else put"):
        agree(trusting(sum={"epsilon_if_all_collude": 6.0}), summed(), ledger, num_coordinates=SIZE, own=OWN)


def test_a_second_plan_passes_the_ceiling_of_both_together(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    policy = trusting(sum={"epsilon_if_all_collude": 9.0})
    first = agree(policy, summed(), ledger, num_coordinates=SIZE, own=OWN)
    for number in (1, 2, 3):
        spend(ledger, first, number)
    account = ledger.account("shop", "customer")
    assert account.guarantee().epsilon == pytest.approx(first.epsilon)
    assert account.guarantee_alone().epsilon == pytest.approx(first.epsilon_if_all_collude)
    other = summed(plan={"name": "other"})
    with pytest.raises(BudgetExhausted, match="if everybody else put their heads together"):
        agree(policy, other, ledger, num_coordinates=SIZE, own=OWN)


def spend(ledger: Ledger, agreement: Agreement, number: int) -> int:
    policy = agreement.policy
    paid = agreement.spend(round_number=number, model_hash="b" * 64, at=NOON)
    return ledger.reserve(paid, policy.budgets, ceilings=policy.ceilings)


def test_local_rounds_count_in_both_accounts_and_shared_ones_in_each_their_part(
    make_spend: Callable[..., Spend],
) -> None:
    local = make_spend(noise_multiplier=4.0)
    shared = make_spend(noise_multiplier=2.0, noise_share=8, session="5" * 64)
    account = Account("shop", "customer", 1e-5, (local, shared))
    assert account.mu_squared() == pytest.approx(1 / 16 + 1 / 4 / 8)
    assert account.mu_squared_alone() == pytest.approx(1 / 16 + 1 / 4)
    assert (account.num_coordinates, account.num_roundings) == (200, 100 + 100 * 9)
    assert account.is_shared


def test_the_2k_rule_holds_in_both_accounts_of_a_customer(make_spend: Callable[..., Spend]) -> None:
    shared = make_spend(unit="product", units_per_customer=3, noise_multiplier=2.0, noise_share=4, session="5" * 64)
    assert shared.cost("customer") == pytest.approx(36 / 4 / 4)
    assert shared.cost_alone("customer") == pytest.approx(36 / 4)
    assert shared.cost("store") == shared.cost_alone("store") == 0
    unbounded = shared.model_copy(update={"units_per_customer": None})
    assert unbounded.cost("customer") == unbounded.cost_alone("customer") == math.inf


def make_request(agreement: Agreement) -> RoundRequest:
    parameters = torch.zeros(SIZE)
    return RoundRequest(agreement.offer.run_hash, 1, hash_vector(parameters), parameters)


def alone(policy: Policy) -> Policy:
    """Nobody signs calls in these tests."""
    limits = policy.approval.automatic
    assert limits is not None
    approval = policy.approval.model_copy(update={"automatic": limits.model_copy(update={"smallest_cohort": 1})})
    plan = policy.plan.model_copy(update={"smallest_cohort": 1})
    return policy.model_copy(update={"approval": approval, "plan": plan})


def test_a_sum_without_masks_is_never_sealed_where_noise_is_shared(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    agreement = agree(alone(trusting()), summed(), ledger, num_coordinates=SIZE, own=OWN)
    log, request = LedgerAnswerLog(ledger, agreement), make_request(agreement)
    assert log.reserve(request, agreement.mechanism) is None
    bare = encode_reply(RoundReply(request.plan_hash, 1, torch.zeros(SIZE, dtype=torch.int64)))
    with pytest.raises(PrivacyError, match="answered without masks; nothing of it is kept or sent"):
        log.seal(request, bare)
    assert ledger.num_messages == 0
    sealed = log.seal(request, RecordDict({"masked": bare["about"]}))
    assert list(sealed) == ["masked"]
    paid = ledger.entries[1]
    assert isinstance(paid, Spend)
    assert agreement.session is not None
    assert (paid.noise_share, paid.session) == (8, agreement.session.hash)


def test_rounds_of_a_sum_go_on_only_as_long_as_the_policy_keeps_its_terms(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger, tmp_path: Any
) -> None:
    agreement = agree(trusting(), summed(), ledger, num_coordinates=SIZE, own=OWN)
    file = tmp_path / "policy.toml"
    file.write_text(_as_toml(trusting()))
    standing = Standing(file, ledger)
    assert standing.renew(agreement).session == agreement.session
    file.write_text(_as_toml(trusting(sum={"peers": []})))
    with pytest.raises(PrivacyError, match="has verified 0 itself"):
        standing.renew(agreement)


def test_a_plan_is_not_answered_under_a_roster_that_was_not_charged(
    trusting: Callable[..., Policy], summed: Callable[..., Offer], ledger: Ledger
) -> None:
    """Otherwise what was sealed for one set of merchants would be sent to another."""
    agreement = agree(trusting(), summed(), ledger, num_coordinates=SIZE, own=OWN)
    spend(ledger, agreement, 1)
    other = agree(trusting(sum={"smallest_cohort": 19}), summed(roster=ROSTER[:19], threshold=13), ledger,
                  num_coordinates=SIZE, own=OWN)  # fmt: skip
    paid = agreement.spend(round_number=1, model_hash="b" * 64, at=NOON)
    again = paid.model_copy(update={"session": "6" * 64})
    with pytest.raises(PrivacyError, match="was charged for a sum of other merchants; it is lost"):
        ledger.reserve(again, other.policy.budgets, ceilings=other.policy.ceilings)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(2, 24),
    threshold=st.integers(2, 25),
    colluders=st.integers(1, 24),
    sigma=st.none() | st.floats(1e-7, 1e4),
    rounds=st.integers(1, 60),
    place=st.integers(0, 23),
)
def test_whatever_sum_a_coordinator_proposes_it_is_refused_or_within_both_budgets(
    trusting: Callable[..., Policy],
    make_offer: Callable[..., Offer],
    ledger: Ledger,
    number: int,
    threshold: int,
    colluders: int,
    sigma: float | None,
    rounds: int,
    place: int,
) -> None:
    if colluders >= threshold:
        return
    roster = tuple(Peer(name=f"shop{one:02}", key=f"{one + 1:064x}", size_class=32) for one in range(number))
    policy = trusting(sum={"smallest_cohort": 5, "colluders": 2, "verified_peers": 1})
    terms = {"threshold": threshold, "colluders": colluders, "noise_multiplier": sigma}
    offer = replace(
        make_offer(num_rounds=rounds, plan={"privacy": {"trust": "sum", "sum": terms}}, cohort_size=number),
        roster=roster,
    )
    own = roster[place % number]
    try:
        agreement = agree(policy, offer, ledger, num_coordinates=SIZE, own=own)
    except PrivacyError:
        return
    assert number >= 5
    assert colluders >= 2
    assert 2 * threshold > number + colluders
    assert threshold <= number
    share, local = threshold - colluders, agreement.mechanism.noise_multiplier
    together = Mechanism(1.0, local * math.sqrt(share))
    assert epsilon_of(math.sqrt(rounds * together.mu_squared), 1e-5) <= policy.plan.epsilon * (1 + 1e-9)
    assert epsilon_of(math.sqrt(rounds) / local, 1e-5) <= policy.ceilings["customer"]
    assert together.noise_multiplier >= policy.plan.smallest_noise_multiplier * (1 - 1e-12)


def _as_toml(policy: Policy) -> str:
    """Write a policy as its merchant would."""
    lines = [f'dataset = "{policy.dataset}"', f'unit = "{policy.unit}"', f"size_class = {policy.size_class}"]
    written = policy.model_dump(mode="json", exclude={"customer", "data"})
    for section in ("budget", "plan", "approval", "sum"):
        lines.append(f"[{section}]")
        for key, value in written[section].items():
            if value is not None and not isinstance(value, dict):
                lines.append(f"{key} = {str(value).lower() if isinstance(value, bool) else value}".replace("'", '"'))
    automatic = policy.approval.automatic
    assert automatic is not None
    lines += ["[approval.automatic]", *(f"{key} = {value}" for key, value in automatic.model_dump().items())]
    assert policy.data is not None
    lines += ["[data]", f'entity = "{policy.data.entity}"', "[data.files]"]
    lines += [f'"{file}" = {list(columns)}'.replace("'", '"') for file, columns in policy.data.files.items()]
    return "\n".join(lines)


# Origin: docs/how-to/peers.md and docs/privacy.md.
@pytest.mark.parametrize(("number", "alone"), [(5, "3.7"), (20, "6.6"), (100, "16"), (300, "33")])
def test_what_all_others_together_learn_is_what_the_pages_say(number: int, alone: str) -> None:
    threshold, colluders = usual_terms(number)
    epsilon = epsilon_of(mu_of(2.0, 1e-5) * math.sqrt(threshold - colluders), 1e-5)
    assert f"{epsilon:.2g}" == alone
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "peers.md").read_text()
    assert f"| {number} | {threshold} | {colluders} |" in page
