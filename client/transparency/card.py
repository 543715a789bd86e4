"""The privacy card: what one release of one merchant promises, to whom, and what it does not.

A card is JSON that the merchant signs (`client.transparency.card_signature`). It holds numbers of the ledger and
names of software, and nothing that was computed from data, but for whether an audit was clean: whoever is shown one
learns little that the coordinator does not know already.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from client.account.assumption import assumption_of
from client.account.ledger.balance import Account
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, now_utc
from client.account.policy import Policy
from common.errors import DataError, PrivacyError
from common.plan.schema import Count, Positive, Section, Unit
from common.privacy.guarantee import (
    Guarantee,
    noise_multiplier_in_release,
    state_guarantee,
    worst_participant,
)
from common.privacy.weight import merchant_weights
from common.schema import SCHEMA

PACKAGES = ("client", "common")
LIBRARIES = ("hansa", "cryptography", "flwr", "numpy", "opacus", "scipy", "torch")
NOT_RUN = "not run"
FORMULAS = {
    "everyone_else_colludes": "mu² = Σ 1/σ² over rounds, the merchant's own noise alone",
    "secure_sum": "absent: the coordinator sees every message by itself",
    "released_models_only": "mu² = rounds · aₘ² / Σ aᵢ²σᵢ², with aᵢ = weightᵢ / size classᵢ; informs, is no promise",
    "another_participant": "the same, without the noise aₖ²σₖ² of the participant k who knows its own",
    "epsilon": "the ε at which Φ(mu/2 − ε/mu) − e^ε Φ(−mu/2 − ε/mu) = δ",
    "delta": "δ of the account and (1 + e^ε) · numbers released · 2⁻¹⁰⁰ for lattice and floating tail",
    "customer": "mu of a customer who touched k units = 2k · mu of one unit",
}
SHARED_FORMULAS = FORMULAS | {
    "secure_sum": "mu² = Σ 1/(h·σ²) over rounds: at least h = noise_share honest merchants add as much noise",
    "released_models_only": "follows from the secure sum",
    "another_participant": "follows from the secure sum, whose colluders are participants",
    "delta": "δ of the account and (1 + e^ε) · rounded numbers · 2⁻¹⁰⁰ for lattice and tail; h + 1 for each of a sum",
}


class CohortMember(Section):
    """What is public about one merchant of a federation."""

    size_class: Count
    noise_multiplier: Positive


class PublicCohort(Section):
    """Who took part, as the coordinator says; `own` is the place, from 0, of the merchant whose card it is."""

    members: tuple[CohortMember, ...]
    own: Annotated[int, Field(ge=0)]
    weight_cap: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _own_is_a_member(self) -> PublicCohort:
        if self.own >= len(self.members):
            raise ValueError(f"own is {self.own}: the places of {len(self.members)} members start at 0")
        return self


def make_card(
    ledger: Ledger,
    policy: Policy,
    plan_hash: str,
    *,
    cohort: PublicCohort | None = None,
    audit: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """State what the release of one plan promises, and what all releases so far do together.

    Parameters
    ----------
    plan_hash
        First digits of the run's hash, as the ledger shows it.
    cohort
        The public terms of all merchants; without them nothing is said of who sees only models.
    audit
        What `hansa-client audit --json` found.

    Raises
    ------
    PrivacyError
        Nothing was charged for such a plan, or for more than one.
    """
    account = ledger.account(policy.dataset, policy.unit)
    spends = _find_release(account, plan_hash)
    entries, heads = ledger.entries, ledger.heads
    return {
        "schema": SCHEMA,
        "issued_at": now_utc().isoformat(),
        "unit": policy.unit,
        "adjacency": f"add or remove one {policy.unit} with everything it did at this merchant",
        "size_class": policy.size_class,
        "release": _describe_release(spends),
        "guarantee_of_release": _three_numbers(account, spends, cohort),
        "guarantee_for_life": _describe_life(account, policy),
        "customers": _describe_customers(ledger, policy, spends),
        "formulas": SHARED_FORMULAS if is_shared(spends) else FORMULAS,
        "ledger": {"head": heads[-1], "num_lines": len(entries)},
        "software": describe_software(),
        "audit": NOT_RUN if audit is None else _describe_audit(audit),
        "not_protected": _not_protected(policy, spends),
    }


def is_shared(spends: Sequence[Spend]) -> bool:
    """Whether a release stands on other merchants' noise; a plan shares it in all rounds or in none."""
    return any(spend.noise_share is not None for spend in spends)


def describe_software() -> dict[str, Any]:
    """Name the versions of what the guarantee rests on, and the hash of our own source files."""
    return {"source_sha256": hash_sources(), **{name: version(name) for name in LIBRARIES}}


def hash_sources() -> str:
    """Return one SHA-256 over every source file that runs beside the data."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        root = Path(str(files(package)))
        for file in sorted(root.rglob("*.py")):
            digest.update(f"{package}/{file.relative_to(root).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _describe_audit(report: dict[str, Any]) -> dict[str, Any]:
    """Take over what an audit found, and nothing that it measured: that was computed from data without noise."""
    try:
        levels = {str(name): "violated" if level["violations"] else "clean" for name, level in report["levels"].items()}
        return {"clean": bool(report["clean"]), "levels": levels}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            "The audit is no report of hansa-client audit --json; give the file that it printed."
        ) from error


def _find_release(account: Account, plan_hash: str) -> tuple[Spend, ...]:
    own = [spend for spend in account.spends if spend.unit == account.unit]
    found = sorted({spend.plan_hash for spend in own if spend.plan_hash.startswith(plan_hash)})
    if not own:
        raise PrivacyError(f"Nothing of {account.dataset!r} was released per {account.unit}; a card needs a release.")
    if len(found) != 1:
        known = ", ".join(sorted({spend.plan_hash[:12] for spend in own}))
        raise PrivacyError(f"{len(found)} releases begin with {plan_hash!r}; give the first digits of one of: {known}.")
    return tuple(spend for spend in own if spend.plan_hash == found[0])


def _describe_release(spends: Sequence[Spend]) -> dict[str, Any]:
    last = spends[-1]
    return {
        "plan": last.plan,
        "plan_hash": last.plan_hash,
        "coordinators": sorted({spend.coordinator for spend in spends}),
        "num_rounds": len(spends),
        "first_at": spends[0].at.isoformat(),
        "last_at": last.at.isoformat(),
        "noise_multipliers": sorted({spend.noise_multiplier for spend in spends}),
        "clipping_norms": sorted({spend.clipping_norm for spend in spends if spend.clipping_norm is not None}),
        "num_parameters": last.num_coordinates,
    }


def _describe_life(account: Account, policy: Policy) -> dict[str, Any]:
    life = _say(account.guarantee()) | {"budget_epsilon": policy.budget.epsilon}
    if not account.is_shared:
        return life
    ceiling = policy.ceilings.get(account.unit)
    return life | {"if_all_collude": _say(account.guarantee_alone()) | {"budget_epsilon": ceiling}}


def _three_numbers(account: Account, spends: Sequence[Spend], cohort: PublicCohort | None) -> dict[str, Any]:
    own = math.fsum(spend.cost_alone(account.unit) for spend in spends)
    seen = {
        "everyone_else_colludes": _state(account, spends, own),
        "secure_sum": "absent",
        "released_models_only": "unknown: the cohort's public terms were not given",
        "another_participant": "unknown: the cohort's public terms were not given",
    }
    if is_shared(spends):
        models = dict.fromkeys(("released_models_only", "another_participant"), "no more than the secure sum tells")
        return seen | {"secure_sum": _seen_in_sum(account, spends)} | models
    return seen | (_seen_in_models(account, spends, cohort) if cohort and math.isfinite(own) else {})


def _seen_in_sum(account: Account, spends: Sequence[Spend]) -> dict[str, Any]:
    """State what the coordinator can learn, and what that rests on."""
    cost, assumption = math.fsum(spend.cost(account.unit) for spend in spends), assumption_of(spends)
    roundings = sum(spend.num_roundings for spend in spends)
    return _say(state_guarantee(cost, account.delta, num_coordinates=roundings)) | {
        "noise_share": spends[-1].noise_share,
        "colluders": None if assumption is None else assumption.colluders,
        "num_members": None if assumption is None else assumption.num_members,
    }


def _seen_in_models(account: Account, spends: Sequence[Spend], cohort: PublicCohort) -> dict[str, Any]:
    sizes = [member.size_class for member in cohort.members]
    sigmas = [member.noise_multiplier for member in cohort.members]
    weights = merchant_weights(sizes, sigmas, cap=cohort.weight_cap).tolist()
    influences = [weight / size for weight, size in zip(weights, sizes, strict=True)]
    worst = worst_participant(influences, sigmas, own=cohort.own)

    def seen(known: int | None) -> dict[str, Any]:
        sigma = noise_multiplier_in_release(influences, sigmas, own=cohort.own, known=known)
        return _state(account, spends, len(spends) / sigma**2) | {"noise_multiplier": sigma}

    return {"released_models_only": seen(None), "another_participant": "none" if worst is None else seen(worst)}


def _state(account: Account, spends: Sequence[Spend], mu_squared: float) -> dict[str, Any]:
    released = sum(spend.num_coordinates for spend in spends)
    return _say(state_guarantee(mu_squared, account.delta, num_coordinates=released))


def _say(guarantee: Guarantee) -> dict[str, Any]:
    """Write a guarantee in JSON, in which infinity is null: there is none."""
    return {name: value if math.isfinite(value) else None for name, value in vars(guarantee).items()}


def _describe_customers(ledger: Ledger, policy: Policy, spends: Sequence[Spend]) -> Any:
    """Say what a plan about other units promises to a customer: something, or nothing."""
    if policy.unit == "customer":
        return "the unit of this card is the customer"
    customer: Unit = "customer"
    opened = [account for account in ledger.accounts if (account.dataset, account.unit) == (policy.dataset, customer)]
    if not opened or not math.isfinite(opened[0].mu_squared()):
        return "no customer guarantee"
    most = max(spend.units_per_customer or 0 for spend in spends)
    return _say(opened[0].guarantee()) | {"units_per_customer": most}


def _not_protected(policy: Policy, spends: Sequence[Spend]) -> list[str]:
    said = [
        "that this merchant takes part, its size class, and how long it takes to answer",
        f"one {policy.unit} known to two merchants: each protects its own part, the two spends add up",
        "forecasts and personalised models: they never leave, and hide nothing from whoever sees them",
        "what many entities have in common: learning that is the purpose",
        "against whoever can read or write this merchant's disk",
    ]
    if policy.unit != "customer":
        said.append(f"customers, beyond what this card says of them: its unit is one {policy.unit}")
        said.append(
            f"one {policy.unit} against plans about customers on the same data: they are no part of this account"
        )
    if is_shared(spends):
        said.append(
            "against more merchants than colluders says who conspire with the coordinator: then the number holds that "
            "says everyone else colludes"
        )
    if any(spend.noise_multiplier == 0 for spend in spends):
        said.insert(0, "ANYBODY: rounds of this release left without noise")
    return said
