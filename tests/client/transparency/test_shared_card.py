"""The card of a release that stands on others' noise: both numbers, what they rest on, and what cannot be true."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.account.policy import Budget, Policy
from client.transparency.card import CohortMember, PublicCohort, make_card
from client.transparency.card_check import check_card
from client.transparency.card_page import write_page
from client.transparency.card_signature import sign_card
from common.privacy.accounting import epsilon_of
from common.privacy.tail import tail_delta

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ROOMY = Budget(epsilon=32.0, period_epsilon=32.0, period_days=1, delta=1e-5)
TERMS = {"smallest_cohort": 20, "verified_peers": 2, "colluders": 6, "epsilon_if_all_collude": 32.0}
SHARED = {"noise_multiplier": 8.0, "noise_share": 8, "session": "5" * 64, "colluders": 6, "num_members": 20}


@pytest.fixture
def card(ledger: Ledger, make_policy: Callable[..., Policy], make_spend: Callable[..., Spend]) -> dict[str, Any]:
    """The card of a shared release of 32 rounds, after a local one of 4: mu 1/√2 if all collude, 1/4 in the sum."""
    for number in range(1, 5):
        ledger.reserve(make_spend(round_number=number, noise_multiplier=8.0), {"customer": ROOMY})
    for number in range(1, 33):
        spend = make_spend(plan_hash="b" * 64, round_number=number, **SHARED)
        ledger.reserve(spend, {"customer": ROOMY}, ceilings={"customer": 32.0})
    cohort = PublicCohort(members=(CohortMember(size_class=32, noise_multiplier=8.0),) * 20, own=1, weight_cap=0.25)
    return make_card(ledger, make_policy(sum=TERMS), "b", cohort=cohort)


def signed(card: dict[str, Any]) -> Any:
    return json.loads(json.dumps(sign_card(card, KEY)))


def test_a_card_says_both_numbers_and_what_the_smaller_rests_on(card: dict[str, Any]) -> None:
    seen, life = card["guarantee_of_release"], card["guarantee_for_life"]
    assert seen["everyone_else_colludes"]["mu"] == pytest.approx(0.5**0.5)
    assert seen["secure_sum"]["mu"] == pytest.approx(0.25)
    assert seen["secure_sum"]["epsilon"] == pytest.approx(epsilon_of(0.25, 1e-5))
    epsilon = seen["secure_sum"]["epsilon"]
    assert seen["secure_sum"]["numerical_delta"] == pytest.approx(9 * tail_delta(100, 32, epsilon=epsilon))
    assert {key: seen["secure_sum"][key] for key in ("noise_share", "colluders", "num_members")} == {
        "noise_share": 8,
        "colluders": 6,
        "num_members": 20,
    }
    assert life["mu"] == pytest.approx((1 / 16 + 1 / 16) ** 0.5)
    assert life["if_all_collude"]["mu"] == pytest.approx((1 / 16 + 1 / 2) ** 0.5)
    assert life["if_all_collude"]["budget_epsilon"] == 32.0
    assert seen["released_models_only"] == "no more than the secure sum tells"
    assert set(seen) <= set(card["formulas"])
    assert any("who conspire with the coordinator" in line for line in card["not_protected"])


def test_the_page_of_a_card_says_it_in_a_sentence(card: dict[str, Any]) -> None:
    page = write_page(signed(card))
    assert (
        "epsilon 0.926 as long as at most 6 of the 20 merchants and the coordinator put their heads together; 2.94 if "
        "all the others do." in page
    )
    assert "The coordinator sees only the sum of all merchants (the promise)" in page
    assert "If everyone else colludes: epsilon" in page


def test_a_true_card_is_believed_and_a_card_of_local_noise_looks_as_it_did(
    card: dict[str, Any], ledger: Ledger, make_policy: Callable[..., Policy]
) -> None:
    assert check_card(signed(card)).reason is None
    local = make_card(ledger, make_policy(), "a")
    assert local["guarantee_of_release"]["secure_sum"] == "absent"
    assert "absent" in local["formulas"]["secure_sum"]
    assert check_card(signed(local)).reason is None
    assert "(the promise)" in write_page(signed(local))


SUM, ALONE = ["guarantee_of_release", "secure_sum"], ["guarantee_of_release", "everyone_else_colludes"]
LIES: dict[str, tuple[list[str], Any, str]] = {
    "more share it": ([*SUM, "noise_share"], 9, "is not that of noise that 9 merchants share"),
    "nobody shares it": ([*SUM, "noise_share"], 0, "not shared by 0"),
    "a smaller mu": ([*SUM, "mu"], 0.1, "does not follow"),
    "a smaller epsilon": ([*SUM, "epsilon"], 0.1, "does not follow"),
    "a smaller delta": ([*SUM, "numerical_delta"], 0.0, "is not that of 32 sums"),
    "the promise for both": (ALONE, None, "is none"),
    "less for all": (["guarantee_for_life", "if_all_collude"], {"mu": 0.35, "epsilon": 1.353, "delta": 1e-5,
                     "numerical_delta": 0.0}, "for life"),
    "more colluders than there can be": ([*SUM, "colluders"], 13, "cannot be sure to be honest"),
    "nothing of all for life": (["guarantee_for_life", "if_all_collude"], None, "is none"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_card_that_makes_the_assumption_look_better_is_not_believed(lie: str, card: dict[str, Any]) -> None:
    path, value, said = LIES[lie]
    inner = card
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    verdict = check_card(signed(card))
    assert verdict.outcome == "contradicts itself"
    assert said in (verdict.reason or "")


def test_rounds_without_noise_in_a_sum_promise_nothing_to_anybody(
    ledger: Ledger, make_policy: Callable[..., Policy], make_spend: Callable[..., Spend]
) -> None:
    spend = make_spend(**{**SHARED, "noise_multiplier": 0.0, "clipping_norm": None})
    ledger.reserve(spend, {"customer": ROOMY}, ceilings={"customer": 32.0}, allow_without_noise=True)
    card = make_card(ledger, make_policy(sum=TERMS), "")
    assert card["guarantee_of_release"]["secure_sum"]["epsilon"] is None
    assert check_card(signed(card)).reason is None
    assert "without bound" in write_page(signed(card))


def test_all_others_together_learn_no_less_than_the_coordinator_over_the_life_of_the_ledger(
    card: dict[str, Any],
) -> None:
    life = card["guarantee_for_life"]
    life |= {"mu": 1.0, "epsilon": epsilon_of(1.0, life["delta"] - life["numerical_delta"])}
    verdict = check_card(signed(card))
    assert verdict.outcome == "contradicts itself"
    assert "would learn less than the coordinator" in (verdict.reason or "")
