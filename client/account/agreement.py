"""What stands between a coordinator's wishes and the merchant's data: policy first, then ledger, then seal.

`agree` holds a whole plan against the policy before the first round; `client.account.ledger.answer_log` charges and
seals each round. Neither looks at the data, so no refusal depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from client.account.company import Company
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, now_utc
from client.account.policy import Policy
from client.account.scope import require_named, require_within
from client.account.sum_terms import join_session, require_trust, share_of_noise, sum_size
from common.errors import PrivacyError
from common.plan.schema import Plan, TrainingPlan
from common.privacy.accounting import epsilon_of, noise_multiplier_for
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER
from common.privacy.clipping import require_model_size
from common.privacy.clipping_rule import clipping_rule
from common.privacy.guarantee import gaussian_delta
from common.privacy.mechanism import Mechanism
from common.secure_sum.roster import Peer, Session


@dataclass(frozen=True)
class Offer:
    """What a coordinator proposes; all of it is what the coordinator says.

    Attributes
    ----------
    private
        Whether the plan's training under noise runs, or the one without.
    coordinator
        SHA-256 of its signing key.
    cohort_size
        How many merchants take part.
    vouched_by
        The same of every key that it followed: each was named by the one before (`common.message.succession`).
    roster
        Everyone in the secure sum; None where the plan trusts nobody, and where it is only considered.
    """

    plan: Plan
    private: bool
    coordinator: str
    cohort_size: int
    vouched_by: tuple[str, ...] = ()
    roster: tuple[Peer, ...] | None = None

    @property
    def training(self) -> TrainingPlan:
        """Rounds and rates of what would run."""
        return self.plan.training(private=self.private)

    @property
    def run_hash(self) -> str:
        """Names the run on every message."""
        return self.plan.run_hash(private=self.private)

    @property
    def num_members(self) -> int:
        """Merchants who take part, in the roster where there is one."""
        return self.cohort_size if self.roster is None else len(self.roster)

    @property
    def company(self) -> int:
        """Merchants whose answers hide one another's at least: of a secure sum, those in one sum."""
        return self.num_members if self.plan.privacy.sum is None else sum_size(self.plan, self.num_members)


@dataclass(frozen=True)
class Agreement:
    """An offer that the policy allows, and the mechanism that the merchant chose for it.

    Attributes
    ----------
    own
        This merchant in the roster, and `session` the secure sum that it agreed to take part in; both None where the
        plan trusts nobody, and where a plan is only considered.
    """

    policy: Policy
    offer: Offer
    mechanism: Mechanism
    num_coordinates: int
    own: Peer | None = None
    session: Session | None = None

    @property
    def is_shared(self) -> bool:
        """Whether other merchants' noise stands before this one's entities."""
        return self.offer.plan.privacy.trust == "sum"

    @property
    def epsilon(self) -> float:
        """What all rounds cost at the policy's delta, while no more conspire than the plan says."""
        mu_squared = self.mechanism.mu_squared / self.offer.plan.privacy.noise_share
        return epsilon_of((self.offer.training.num_rounds * mu_squared) ** 0.5, self.policy.budget.delta)

    @property
    def epsilon_if_all_collude(self) -> float:
        """The same if everybody else conspires."""
        return epsilon_of((self.offer.training.num_rounds * self.mechanism.mu_squared) ** 0.5, self.policy.budget.delta)

    def said_by(self, coordinator: str, vouched_by: tuple[str, ...]) -> Agreement:
        """Give the same agreement with a coordinator whose key was followed by another."""
        return replace(self, offer=replace(self.offer, coordinator=coordinator, vouched_by=vouched_by))

    def spend(self, *, round_number: int, model_hash: str, at: datetime, company: Company | None = None) -> Spend:
        """Write down what one round costs, who called it, and in whose company."""
        terms = self.offer.plan.privacy.sum
        return Spend(
            at=at,
            dataset=self.policy.dataset,
            unit=self.policy.unit,
            units_per_customer=self.policy.units_per_customer,
            coordinator=self.offer.coordinator if company is None else company.coordinator,
            plan=self.offer.plan.name,
            plan_hash=self.offer.run_hash,
            round_number=round_number,
            model_hash=model_hash,
            clipping_norm=self.mechanism.clipping_norm,
            noise_multiplier=self.mechanism.noise_multiplier,
            num_coordinates=self.num_coordinates,
            asked=None if company is None else company.asked,
            quorum=None if company is None else company.quorum,
            call=None if company is None else company.digest,
            noise_share=None if terms is None else terms.noise_share,
            session=None if terms is None else self._session_hash,
            colluders=None if terms is None else terms.colluders,
            num_members=None if terms is None else self.num_members,
        )

    @property
    def num_members(self) -> int:
        """Merchants who sum with this one, itself included; as the coordinator says where there is no roster."""
        return self.offer.company if self.session is None else len(self.session.roster)

    @property
    def _session_hash(self) -> str:
        """Name the session; one that is only considered has the run's hash in its place, and no round is answered."""
        return self.offer.run_hash if self.session is None else self.session.hash


def agree(
    policy: Policy,
    offer: Offer,
    ledger: Ledger,
    *,
    num_coordinates: int,
    rounds_to_fit: int | None = None,
    own: Peer | None = None,
) -> Agreement:
    """Hold an offer against the policy and what the ledger has left for its remaining rounds.

    Guarantee: depends on policy, offer and ledger alone, never on data; charges nothing.

    Parameters
    ----------
    num_coordinates
        Parameters of the plan's model.
    rounds_to_fit
        Rounds that the budget must have room for; all that are not charged yet if left out.
    own
        This merchant as it knows itself, for an offer with a roster.

    Returns
    -------
    Agreement
        With noise that makes all rounds of the plan cost the policy's `plan.epsilon`; where the plan trusts in the sum,
        with this merchant's part of the plan's noise, and all rounds cost no more than that.

    Raises
    ------
    PrivacyError
        The policy does not allow it, or its model is larger than clipping is proven for; the sentence is for the
        merchant.
    BudgetExhausted
        The ledger has no room for all rounds that are not charged yet.
    """
    require_approved(policy, offer)
    require_model_size(num_coordinates)
    _check_terms(policy, offer)
    delta = ledger.account(policy.dataset, policy.unit).delta
    session = _join_sum(policy, offer, own)
    mechanism = choose_mechanism(policy, offer, delta, num_coordinates=num_coordinates)
    agreement = Agreement(policy, offer, mechanism, num_coordinates, own, session)
    remaining = _count_uncharged(agreement, ledger) if rounds_to_fit is None else rounds_to_fit
    if remaining > 0:
        ledger.require_allowed(
            agreement.spend(round_number=1, model_hash=offer.run_hash, at=now_utc()),
            policy.budgets,
            ceilings=policy.ceilings,
            allow_without_noise=policy.plan.allow_training_without_noise,
            num_rounds=remaining,
        )
    return agreement


def _join_sum(policy: Policy, offer: Offer, own: Peer | None) -> Session | None:
    """Hold what a plan that trusts in the sum asks against the policy; give its session where there is a roster."""
    plan, roster = offer.plan, offer.roster
    if plan.privacy.trust == "nobody":
        return None
    require_trust(policy, plan, num_members=offer.num_members)
    return None if roster is None else join_session(policy, plan, offer.run_hash, roster, own=own)


def _count_uncharged(agreement: Agreement, ledger: Ledger) -> int:
    dataset, offer = agreement.policy.dataset, agreement.offer
    charged = (
        entry.round_number
        for entry in ledger.entries
        if isinstance(entry, Spend) and (entry.dataset, entry.plan_hash) == (dataset, offer.run_hash)
    )
    return offer.training.num_rounds - max(charged, default=0)


def require_approved(policy: Policy, offer: Offer) -> None:
    """Refuse what the policy's approval does not cover.

    Raises
    ------
    PrivacyError
        Neither the plan nor its coordinator is approved, it would read what the policy's `[data]` does not allow or
        counts something else as one entity, or it is beyond the automatic limits.
    """
    approval, name = policy.approval, f"The plan {offer.plan.name!r}"
    if not {offer.coordinator, *offer.vouched_by} & set(approval.coordinators):
        raise PrivacyError(f"{name} comes from a coordinator that approval.coordinators does not list; add its key.")
    require_within(policy, offer.plan)
    if offer.plan.hash in approval.plans:
        return
    automatic = approval.automatic
    if automatic is None:
        raise PrivacyError(f"{name} is not approved; add its hash {offer.plan.hash} to approval.plans.")
    require_named(policy, offer.plan)
    _check_rounds(offer, automatic.largest_num_rounds, "approval.automatic.largest_num_rounds")
    _check_cohort(offer, automatic.smallest_cohort, "approval.automatic.smallest_cohort")


def _check_terms(policy: Policy, offer: Offer) -> None:
    privacy, name = offer.plan.privacy, f"The plan {offer.plan.name!r}"
    if privacy.unit != policy.unit:
        raise PrivacyError(f"{name} protects one {privacy.unit}, the policy's unit is {policy.unit}; decide which.")
    if policy.size_class not in privacy.size_classes:
        raise PrivacyError(
            f"{name} has no size class {policy.size_class}; declare one of {', '.join(map(str, privacy.size_classes))}."
        )
    _check_rounds(offer, policy.plan.largest_num_rounds, "plan.largest_num_rounds")
    _check_cohort(offer, policy.plan.smallest_cohort, "plan.smallest_cohort")


def _check_rounds(offer: Offer, largest: int, key: str) -> None:
    if offer.training.num_rounds > largest:
        raise PrivacyError(
            f"The plan {offer.plan.name!r} has {offer.training.num_rounds} rounds, {key} is {largest}; stay away, "
            "or raise it."
        )


def _check_cohort(offer: Offer, smallest: int, key: str) -> None:
    if offer.company < smallest:
        raise PrivacyError(
            f"The plan {offer.plan.name!r} has {offer.company} merchants, {key} is {smallest}; wait for more."
        )


def choose_mechanism(policy: Policy, offer: Offer, delta: float, *, num_coordinates: int) -> Mechanism:
    """Choose the noise that spends the policy's epsilon on the whole plan, or take the part that the plan asks for.

    Raises
    ------
    PrivacyError
        The policy does not allow that noise, or none.
    """
    if not offer.private:
        if not policy.plan.allow_training_without_noise:
            raise PrivacyError(
                f"The plan {offer.plan.name!r} would train without noise; only "
                "plan.allow_training_without_noise = true in the policy allows that."
            )
        return Mechanism(None, 0.0)
    privacy = offer.plan.privacy
    if privacy.trust == "sum":
        noise_multiplier = share_of_noise(policy, offer.plan, delta, num_coordinates=num_coordinates)
        return Mechanism(privacy.clipping_norm, noise_multiplier, rule=clipping_rule(privacy.clipping_rule))
    num_rounds, epsilon = offer.training.num_rounds, policy.plan.epsilon
    delta = gaussian_delta(epsilon, delta, num_coordinates=num_rounds * num_coordinates)
    noise_multiplier = noise_multiplier_for(epsilon=epsilon, delta=delta, num_rounds=num_rounds)
    if not policy.plan.smallest_noise_multiplier <= noise_multiplier <= LARGEST_NOISE_MULTIPLIER:
        raise PrivacyError(
            f"The {num_rounds} rounds of plan {offer.plan.name!r} at epsilon {epsilon} would leave with noise "
            f"{noise_multiplier:.3g}, the policy allows {policy.plan.smallest_noise_multiplier} to "
            f"{LARGEST_NOISE_MULTIPLIER:.0f}; change plan.epsilon, or stay away."
        )
    return Mechanism(privacy.clipping_norm, noise_multiplier, rule=clipping_rule(privacy.clipping_rule))
