"""Hold what is charged for a secure sum against the noise in it, and against how well a canary in it shows."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import torch

from client.account.ledger.entry import Spend
from client.audit.accounting import TOLERANCE, delta_by_definition
from client.audit.canary import mu_lower_bound
from client.audit.replay import BOUND
from client.audit.subject import AuditSubject
from client.audit.sum.noise import TEST_FALSE_ALARM, Noise
from common.plan.schema import SumPlan
from common.privacy import shared_noise
from common.privacy.accounting import epsilon_of
from common.privacy.noise import SecureNoise


def check_terms(subject: AuditSubject, terms: SumPlan, session: str) -> list[str]:
    """Hold the merchant's part of the noise and what the ledger charges for it against the definition.

    h is counted here by itself: fewest members less those who may conspire.
    """
    honest, own = terms.threshold - terms.colluders, subject.mechanism.noise_multiplier
    found = []
    if terms.noise_multiplier is not None:
        least = terms.noise_multiplier / math.sqrt(honest)
        shared = shared_noise.share_noise(terms.noise_multiplier, terms.noise_share)
        if min(own, shared) < least * (1 - TOLERANCE):
            found.append(f"this merchant adds noise {min(own, shared):.4g}, its part among {honest} is {least:.4g}")
    spend = _spend(subject, terms, session)
    unit = subject.plan.privacy.unit
    if spend.cost(unit) < (1 - TOLERANCE) / (honest * own**2):
        found.append("a round is charged less than the noise of the honest members costs")
    if spend.cost_alone(unit) < (1 - TOLERANCE) / own**2:
        found.append("a round is charged less than its own noise costs if everybody else conspires")
    mu = math.sqrt(subject.num_rounds * spend.cost(unit))
    if delta_by_definition(mu, subject.epsilon) > subject.delta * (1 + TOLERANCE):
        found.append(f"{subject.num_rounds} rounds of the sum cost more than epsilon {subject.epsilon:.4g}")
    return found


def _spend(subject: AuditSubject, terms: SumPlan, session: str) -> Spend:
    """Write down a round as the ledger does."""
    return Spend(
        at=datetime.now(UTC),
        dataset="audit",
        unit=subject.plan.privacy.unit,
        units_per_customer=None,
        coordinator="0" * 64,
        plan=subject.plan.name,
        plan_hash=subject.plan.run_hash(private=True),
        round_number=1,
        model_hash="0" * 64,
        clipping_norm=subject.clipping_norm,
        noise_multiplier=subject.mechanism.noise_multiplier,
        num_coordinates=1,
        noise_share=terms.noise_share,
        session=session,
    )


def tell_apart(subject: AuditSubject, terms: SumPlan, *, runs: int) -> tuple[list[str], dict[str, float | int]]:
    """Tell released sums with a canary of length C from those without, by what a coordinator has of them.

    At a noise of one clipping norm in the sum: once with the noise of the honest members, once with the merchant's own
    alone, as where everybody else conspires. The canary is one coordinate, and a sum the sum of what members release:
    masks are gone by then, exactly.
    """
    honest = terms.threshold - terms.colluders
    unit = replace(subject.mechanism, noise_multiplier=1 / math.sqrt(honest))
    noise, canary = SecureNoise(), BOUND

    def statistics(num_members: int, shift: int) -> Noise:
        total = torch.full((runs,), shift, dtype=torch.int64)
        others = torch.zeros(runs, dtype=torch.int64)
        released = [unit.release(total if place == 0 else others, noise) for place in range(num_members)]
        summed: Noise = torch.stack(released).sum(0).numpy() / BOUND
        return summed

    found, measured = [], dict[str, float | int]()
    for words, members, claim in (("", honest, 1.0), (" if all collude", 1, math.sqrt(honest))):
        absent, present = statistics(members, 0), statistics(members, canary)
        errors = int((absent > 0.5).sum()), int((present <= 0.5).sum())
        mu = max(0.0, mu_lower_bound(*errors, runs, TEST_FALSE_ALARM))
        if mu > claim:
            found.append(
                f"a sum{words} tells of one entity as no noise of its claim can: mu is at least {mu / claim:.3f}"
            )
        whole = mu * math.sqrt(subject.num_rounds) / (subject.mechanism.noise_multiplier * math.sqrt(honest))
        claimed = claim * math.sqrt(subject.num_rounds) / (subject.mechanism.noise_multiplier * math.sqrt(honest))
        measured[f"epsilon{words} at least"] = epsilon_of(whole, subject.delta)
        measured[f"epsilon{words} claimed"] = epsilon_of(claimed, subject.delta)
    return found, measured
