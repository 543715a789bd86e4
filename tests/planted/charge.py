"""Faults of a price: a line in the ledger that says less than what left, and arithmetic that loses it."""

import math
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from client.account import agreement
from client.account.agreement import Agreement, Offer
from client.account.ledger.balance import Account
from client.account.ledger.entry import Spend
from client.account.policy import Policy
from common.plan.leg import is_rehearsal
from common.plan.schema import Unit
from common.privacy import accounting, guarantee
from common.privacy.accounting import round_mu_squared
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER
from common.privacy.mechanism import Mechanism
from planted.fault import Fault

Patch = pytest.MonkeyPatch
spend, cost = Agreement.spend, Spend.cost


def single_precision(patch: Patch) -> None:
    """Add spends up in float32: small ones vanish beside what is there."""

    def faulty(self: Account, *, after: datetime | None = None) -> float:
        total = np.float32(0.0)
        for each in self.spends:
            if after is None or each.at > after:
                total += np.float32(each.cost(self.unit))
        return float(total)

    patch.setattr(Account, "mu_squared", faulty)


def rounded_up(patch: Patch) -> None:
    """Write the noise multiplier down as the next whole number."""

    def faulty(self: Agreement, **about: Any) -> Spend:
        line = spend(self, **about)
        return line.model_copy(update={"noise_multiplier": float(math.ceil(line.noise_multiplier))})

    patch.setattr(Agreement, "spend", faulty)


def rehearsal_for_nothing(patch: Patch) -> None:
    """Charge next to nothing for a rehearsal: its model does not serve."""

    def faulty(self: Agreement, *, round_number: int, **about: Any) -> Spend:
        line = spend(self, round_number=round_number, **about)
        if line.noise_multiplier and is_rehearsal(
            self.offer.plan, private=self.offer.private, round_number=round_number
        ):
            return line.model_copy(update={"noise_multiplier": LARGEST_NOISE_MULTIPLIER})
        return line

    patch.setattr(Agreement, "spend", faulty)


def any_number(patch: Patch) -> None:
    """Charge a customer like a product where nobody says how many products one has."""

    def faulty(self: Spend, unit: Unit) -> float:
        if unit == "customer" and self.unit != unit and self.units_per_customer is None:
            return round_mu_squared(self.noise_multiplier)
        return cost(self, unit)

    patch.setattr(Spend, "cost", faulty)


def whole_budget(patch: Patch) -> None:
    """Choose a plan's noise by the budget for life instead of the limit of one plan."""
    choose = agreement.choose_mechanism

    def faulty(policy: Policy, offer: Offer, delta: float, **rest: Any) -> Mechanism:
        limits = policy.plan.model_copy(update={"epsilon": policy.budget.epsilon})
        return choose(policy.model_copy(update={"plan": limits}), offer, delta, **rest)

    patch.setattr(agreement, "choose_mechanism", faulty)


def without_tail(patch: Patch) -> None:
    """State delta without what finite precision adds."""
    patch.setattr(guarantee, "_numerical_delta", lambda epsilon, num_coordinates: 0.0)


def margin_the_other_way(patch: Patch) -> None:
    """Round mu up where it has to be rounded down: half a percent for good looks."""
    exact = accounting.mu_of
    patch.setattr(accounting, "mu_of", lambda epsilon, delta: math.ceil(200 * exact(epsilon, delta)) / 200)


FAULTS = (
    Fault("account-in-float32", "medium", "small spends vanish in a float32 sum", single_precision),
    Fault("charged-for-more-noise", "high", "the ledger rounds the noise multiplier up", rounded_up),
    Fault("rehearsal-for-nothing", "high", "a rehearsal is charged next to nothing", rehearsal_for_nothing),
    Fault("customers-without-number", "high", "a customer without a number of products costs one", any_number),
    Fault("plan-gets-the-whole-budget", "medium", "a plan gets the budget for life", whole_budget),
    Fault("delta-without-tail", "low", "delta leaves out what finite precision adds", without_tail),
    Fault("mu-rounded-up", "low", "mu is rounded up to half a percent", margin_the_other_way),
)
