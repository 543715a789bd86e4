import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from certs.key import read_or_make_signing_key
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.policy import Budget, CustomerBudget, Policy
from client.transparency.card import CohortMember, PublicCohort, hash_sources, make_card
from client.transparency.card_page import write_page
from client.transparency.card_signature import sign_card, verify_card
from common.errors import DataError, PrivacyError
from common.privacy.accounting import customer_mu, epsilon_of

ROOMY = Budget(epsilon=32.0, period_epsilon=32.0, period_days=1, delta=1e-5)
CUSTOMER = {"epsilon": 32.0, "period_epsilon": 32.0, "period_days": 1, "delta": 1e-5}


@pytest.fixture
def spend_rounds(ledger: Ledger, make_spend: Callable[..., Spend]) -> Callable[..., None]:
    """Charge four rounds of noise 8, so that mu of the release is 1/4."""

    def spend(*, rounds: int = 4, **other: Any) -> None:
        fields = {"noise_multiplier": 8.0, **other}
        customer = CustomerBudget(**CUSTOMER, units_per_customer=fields.get("units_per_customer") or 1)
        budgets = {"customer": customer, "product": ROOMY}
        for number in range(1, rounds + 1):
            ledger.reserve(make_spend(round_number=number, **fields), budgets, allow_without_noise=True)

    return spend


def test_a_card_states_unit_adjacency_epsilon_noise_rounds_and_head(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None]
) -> None:
    spend_rounds()
    card = make_card(ledger, make_policy(), "")
    promise = card["guarantee_of_release"]["everyone_else_colludes"]
    assert promise["mu"] == pytest.approx(0.25)
    assert promise["epsilon"] == epsilon_of(0.25, 1e-5)
    assert promise["delta"] == pytest.approx(1e-5)
    assert promise["delta"] > 1e-5 or promise["numerical_delta"] < 1e-21
    assert card["guarantee_of_release"]["secure_sum"] == "absent"
    assert (card["unit"], card["adjacency"]) == (
        "customer",
        "add or remove one customer with everything it did at this merchant",
    )
    release = card["release"]
    assert (release["num_rounds"], release["noise_multipliers"], release["clipping_norms"]) == (4, [8.0], [1.0])
    assert card["ledger"] == {"head": ledger.heads[-1], "num_lines": 5}
    assert card["audit"] == "not run"
    assert card["software"]["source_sha256"] == hash_sources()
    assert set(card["guarantee_of_release"]) <= set(card["formulas"])


def test_a_card_of_one_release_adds_up_the_others_for_life(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None]
) -> None:
    spend_rounds()
    spend_rounds(plan_hash="d" * 64)
    with pytest.raises(PrivacyError, match="2 releases begin with ''"):
        make_card(ledger, make_policy(), "")
    card = make_card(ledger, make_policy(), "dd")
    assert card["guarantee_of_release"]["everyone_else_colludes"]["mu"] == pytest.approx(0.25)
    assert card["guarantee_for_life"]["mu"] == pytest.approx(0.125**0.5)


def test_what_others_see_in_the_models_follows_from_the_public_cohort(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None]
) -> None:
    spend_rounds()
    equal = PublicCohort(members=(CohortMember(size_class=32, noise_multiplier=8.0),) * 4, own=1, weight_cap=0.25)
    seen = make_card(ledger, make_policy(), "", cohort=equal)["guarantee_of_release"]
    assert seen["released_models_only"]["mu"] == pytest.approx(0.25 / 2)
    assert seen["another_participant"]["mu"] == pytest.approx(0.25 / 3**0.5)
    assert seen["released_models_only"]["epsilon"] < seen["another_participant"]["epsilon"]
    assert seen["another_participant"]["epsilon"] < seen["everyone_else_colludes"]["epsilon"]
    alone = make_card(ledger, make_policy(), "")["guarantee_of_release"]
    assert "unknown" in alone["released_models_only"]


def test_of_an_audit_the_card_takes_over_the_verdict_and_nothing_that_was_measured(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None]
) -> None:
    spend_rounds()
    levels = {"L0": {"violations": [], "measured": {"shift": 0.73917}}, "L1": {"violations": ["mu is 1.2"]}}
    card = make_card(ledger, make_policy(), "", audit={"clean": False, "levels": levels})
    assert card["audit"] == {"clean": False, "levels": {"L0": "clean", "L1": "violated"}}
    with pytest.raises(DataError, match="no report of hansa-client audit"):
        make_card(ledger, make_policy(), "", audit={"clean": True})


def test_without_noise_the_card_promises_nothing_and_says_so_first(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None]
) -> None:
    spend_rounds(noise_multiplier=0.0, clipping_norm=None)
    card = make_card(ledger, make_policy(), "")
    assert card["guarantee_of_release"]["everyone_else_colludes"]["epsilon"] is None
    assert card["not_protected"][0].startswith("ANYBODY")
    assert "no guarantee" in write_page({"card": card, "public_key": "", "signature": ""})


def test_a_product_card_promises_customers_what_the_2k_rule_gives(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None]
) -> None:
    ledger.open_account("shop", "product", delta=1e-5, at=ledger.entries[0].at)
    spend_rounds(unit="product", units_per_customer=2)
    policy = make_policy(unit="product", customer={**CUSTOMER, "units_per_customer": 2})
    card = make_card(ledger, policy, "")
    assert card["customers"]["mu"] == pytest.approx(customer_mu(0.25, 2))
    assert card["customers"]["units_per_customer"] == 2
    assert any("customers, beyond" in line for line in card["not_protected"])


def test_a_product_card_without_the_rule_says_no_customer_guarantee(
    tmp_path: Path, make_policy: Callable[..., Policy], make_spend: Callable[..., Spend]
) -> None:
    create_ledger(tmp_path / "products.sqlite")
    with closing(Ledger(tmp_path / "products.sqlite")) as ledger:
        ledger.open_account("shop", "product", delta=1e-5, at=now_utc())
        ledger.reserve(make_spend(unit="product"), {"product": ROOMY})
        card = make_card(ledger, make_policy(unit="product"), "")
    assert card["customers"] == "no customer guarantee"
    assert "no customer guarantee" in write_page(sign_card(card, read_or_make_signing_key(tmp_path / "card.key")))


def test_a_card_survives_its_file_and_no_value_of_it_can_be_changed(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None], tmp_path: Path
) -> None:
    spend_rounds()
    signed = json.loads(
        json.dumps(sign_card(make_card(ledger, make_policy(), ""), read_or_make_signing_key(tmp_path / "card.key")))
    )
    assert verify_card(signed)["unit"] == "customer"
    signed["card"]["release"]["num_rounds"] = 3
    with pytest.raises(PrivacyError, match="signature does not fit"):
        verify_card(signed)
    for broken in ({}, {"card": {}}, {**signed, "public_key": "zz"}, {**signed, "signature": 7}):
        with pytest.raises(PrivacyError, match="signature does not fit"):
            verify_card(broken)


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "card.key"
    first = read_or_make_signing_key(path).public_key().public_bytes_raw()
    assert read_or_make_signing_key(path).public_key().public_bytes_raw() == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("no key")
    with pytest.raises(DataError, match="is no private key"):
        read_or_make_signing_key(path)


def test_the_page_needs_no_other_file_and_escapes_every_value(
    ledger: Ledger, make_policy: Callable[..., Policy], spend_rounds: Callable[..., None], tmp_path: Path
) -> None:
    spend_rounds(plan="<script>alert(1)</script>")
    page = write_page(sign_card(make_card(ledger, make_policy(), ""), read_or_make_signing_key(tmp_path / "card.key")))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert re.findall(r"(?:src|href)=", page) == []
    assert "What is not protected" in page
