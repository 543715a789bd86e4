"""Whoever was handed a card can tell whether to believe it, with nothing but the card."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.account.policy import Budget, CustomerBudget, Policy
from client.transparency.card import CohortMember, PublicCohort, make_card
from client.transparency.card_check import check_card
from client.transparency.card_signature import sign_card
from common.errors import DataError
from common.message.signature import public_bytes

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAME = public_bytes(KEY).hex()
ROOMY = Budget(epsilon=32.0, period_epsilon=32.0, period_days=1, delta=1e-5)
COHORT = PublicCohort(members=(CohortMember(size_class=32, noise_multiplier=8.0),) * 4, own=1, weight_cap=0.25)
VECTOR = Path(__file__).parents[2] / "vectors" / "0.1" / "merchant" / "card.json"


@pytest.fixture
def card(ledger: Ledger, make_policy: Callable[..., Policy], make_spend: Callable[..., Spend]) -> dict[str, Any]:
    """The card of the second of two releases, in which noise changed between rounds."""
    for plan_hash, sigmas in (("a" * 64, [8.0] * 4), ("b" * 64, [8.0, 9.0, 9.0])):
        for number, sigma in enumerate(sigmas, start=1):
            spend = make_spend(round_number=number, noise_multiplier=sigma, plan_hash=plan_hash)
            ledger.reserve(spend, {"customer": ROOMY})
    return make_card(ledger, make_policy(), "b", cohort=COHORT)


def signed(card: dict[str, Any]) -> Any:
    return json.loads(json.dumps(sign_card(card, KEY)))


def test_a_card_that_is_true_is_believed_with_and_without_its_key(card: dict[str, Any]) -> None:
    for key in (None, NAME, NAME.upper()):
        verdict = check_card(signed(card), key=key)
        assert (verdict.outcome, verdict.public_key, verdict.reason) == ("true", NAME, None)


def test_a_card_of_the_first_version_is_believed() -> None:
    assert check_card(json.loads(VECTOR.read_text())).outcome == "true"


@pytest.mark.parametrize("unit", ["product", "customer"])
@pytest.mark.parametrize("sigma", [0.0, 2.0, 30.0])
def test_every_card_that_is_issued_is_believed(
    unit: str, sigma: float, ledger: Ledger, make_policy: Callable[..., Policy], make_spend: Callable[..., Spend]
) -> None:
    customer = CustomerBudget(**ROOMY.model_dump(), units_per_customer=2)
    policy = make_policy(unit=unit, **({"customer": customer.model_dump()} if unit == "product" else {}))
    if unit == "product":
        ledger.open_account("shop", "product", delta=1e-5, at=ledger.entries[0].at)
    spend = make_spend(unit=unit, units_per_customer=2 if unit == "product" else None, noise_multiplier=sigma)
    ledger.reserve(spend, {"customer": customer, "product": ROOMY}, allow_without_noise=True)
    member = CohortMember(size_class=32, noise_multiplier=sigma or 1.0)
    cohort = PublicCohort(members=(member, COHORT.members[0]), own=0, weight_cap=0.5)
    verdict = check_card(signed(make_card(ledger, policy, "", cohort=cohort)))
    assert (verdict.outcome, verdict.reason) == ("true", None)


def test_a_card_that_was_changed_or_is_none_is_not_believed(card: dict[str, Any]) -> None:
    good = signed(card)
    changed = copy.deepcopy(good)
    changed["card"]["size_class"] = 64
    for bad in (changed, {}, {"card": {}}, {**good, "signature": "AAAA"}, {**good, "public_key": "00" * 32}):
        verdict = check_card(bad)
        assert (verdict.outcome, verdict.public_key) == ("changed", None)


def test_a_card_by_another_key_is_told_from_a_changed_one(card: dict[str, Any]) -> None:
    other = public_bytes(Ed25519PrivateKey.generate()).hex()
    verdict = check_card(signed(card), key=other)
    assert verdict.outcome == "other key"
    assert f"signed by the key {NAME}, not by {other}" in (verdict.reason or "")


LIES: dict[str, tuple[list[str], Any, str]] = {
    "fewer rounds": (["release", "num_rounds"], 1, "is none"),
    "more rounds": (["release", "num_rounds"], 30, "do not make mu"),
    "more noise": (["release", "noise_multipliers"], [80.0, 90.0], "do not make mu"),
    "a smaller mu": (["guarantee_of_release", "everyone_else_colludes", "mu"], 0.05, "do not make mu"),
    "a smaller epsilon": (["guarantee_of_release", "everyone_else_colludes", "epsilon"], 0.1, "does not follow"),
    "a smaller delta": (["guarantee_of_release", "everyone_else_colludes", "delta"], 1e-9, "does not follow"),
    "no epsilon": (["guarantee_of_release", "everyone_else_colludes", "epsilon"], None, "and not the other"),
    "a smaller epsilon for life": (["guarantee_for_life", "epsilon"], 0.1, "for life does not follow"),
    "more numbers": (["release", "num_parameters"], 10**12, "is not that of"),
    "a smaller one for models": (["guarantee_of_release", "released_models_only", "epsilon"], 0.001, "does not follow"),
    "another unit": (["unit"], "household", "about different things"),
    "a short ledger": (["ledger", "num_lines"], 3, "cannot have charged 3 rounds"),
    "no head": (["ledger", "head"], "", "cannot have charged"),
    "words for numbers": (["guarantee_of_release", "everyone_else_colludes", "mu"], "small", "is none"),
    "nothing": (["release"], None, "is none"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_card_whose_numbers_contradict_each_other_is_not_believed_although_it_is_signed(
    lie: str, card: dict[str, Any]
) -> None:
    path, value, said = LIES[lie]
    inner = card
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    verdict = check_card(signed(card))
    assert verdict.outcome == "contradicts itself"
    assert said in (verdict.reason or "")


def test_all_releases_together_cost_no_less_than_one(card: dict[str, Any]) -> None:
    card["guarantee_for_life"] |= {"mu": 0.1, "epsilon": 0.293}
    verdict = check_card(signed(card))
    assert verdict.outcome == "contradicts itself"


def test_a_card_of_a_later_version_is_said_to_be_one(card: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="newer version of hansa"):
        check_card(signed(card | {"schema": 2}))
