"""On which terms a merchant lets others' noise stand before its entities: the policy's [sum] against plan and roster.

Nothing here has a default, and a policy without the section trusts in no sum. The coordinator makes plan, roster and
every certificate, so no cryptography tells a merchant that it invented from a real one. What does are the
fingerprints that the merchant has verified itself; how many it wants to know is one of the terms.
"""

from __future__ import annotations

import math

from client.account.policy import Policy, SumLimits
from common.errors import ConfigError, MessageError, PrivacyError
from common.message.signature import name_key
from common.plan.schema import Plan, SumPlan
from common.privacy.accounting import epsilon_of, round_mu_squared
from common.privacy.bound import LARGEST_NOISE_MULTIPLIER
from common.privacy.guarantee import mu_within
from common.privacy.shared_noise import count_roundings, share_noise
from common.secure_sum.cohort import cohort_sizes, form_sessions, require_cohort_terms, session_of
from common.secure_sum.roster import Peer, Session

Roster = tuple[Peer, ...]


def fingerprint(peer: Peer) -> str:
    """Name a peer's key by its SHA-256, as it is told by telephone and listed in a policy."""
    return name_key(bytes.fromhex(peer.key))


def count_verified(policy: Policy, roster: Roster, own: Peer | None) -> int:
    """Count the others of a roster whose fingerprints the policy lists."""
    known = set() if policy.sum is None else set(policy.sum.peers)
    return sum(fingerprint(peer) in known for peer in roster if peer != own)


def sum_size(plan: Plan, num_members: int) -> int:
    """Return how many merchants of so many sum together at least: a long roster is cut into several sums."""
    return min(cohort_sizes(num_members, _terms_of(plan).cohort))


def require_trust(policy: Policy, plan: Plan, *, num_members: int) -> None:
    """Hold a plan that trusts in the sum against the policy's terms, before there is a roster.

    Parameters
    ----------
    num_members
        Merchants in the whole roster.

    Raises
    ------
    PrivacyError
        The policy has no terms for a sum, or the plan does not keep to them.
    """
    terms, limits, name = _terms_of(plan), policy.sum, f"The plan {plan.name!r}"
    if limits is None:
        raise PrivacyError(
            f"{name} would have this merchant's answers stand behind other merchants' noise, and the policy has no "
            "section [sum] that says on which terms; stay away, or decide on them."
        )
    size = sum_size(plan, num_members)
    if size < limits.smallest_cohort:
        raise PrivacyError(
            f"{name} sums {size} merchants, sum.smallest_cohort is {limits.smallest_cohort}; wait for more."
        )
    if terms.colluders < limits.colluders:
        raise PrivacyError(
            f"{name} holds while at most {terms.colluders} merchants conspire with the coordinator, sum.colluders asks "
            f"for {limits.colluders}; ask for a plan that bears more."
        )
    try:
        require_cohort_terms(num_members, terms)
    except ConfigError as error:
        raise PrivacyError(f"{name} cannot be summed: {error}") from error


def join_session(policy: Policy, plan: Plan, run_hash: str, roster: Roster, *, own: Peer | None) -> Session:
    """Hold a roster against the policy; return the session of this merchant's own sum, which every signature will name.

    Only those who sum with it count as verified, and everything that it is told of the sum is about them.

    Parameters
    ----------
    own
        This merchant as it knows itself: its name, its peer key, its size class.

    Raises
    ------
    PrivacyError
        The roster is none, has another merchant in this one's place, or too few that it verified itself.
    """
    terms, name = _terms_of(plan), f"The plan {plan.name!r}"
    try:
        sessions = form_sessions(roster, run_hash, terms)
    except (ConfigError, MessageError) as error:
        raise PrivacyError(f"{name} cannot be summed: {error}") from error
    if own is None or own not in roster:
        raise PrivacyError(f"{name} {_why_not_in(roster, own)}; ask the coordinator for a roster that is right.")
    session = session_of(own.name, sessions)
    if policy.sum is not None:
        _require_verified(policy, policy.sum, session.roster, own, name)
    return session


def _require_verified(policy: Policy, limits: SumLimits, roster: Roster, own: Peer, name: str) -> None:
    verified = count_verified(policy, roster, own)
    if verified < limits.verified_peers:
        raise PrivacyError(
            f"{name} sums merchants of whom this one has verified {verified} itself, sum.verified_peers is "
            f"{limits.verified_peers}; compare fingerprints by telephone, see: hansa-client peers"
        )


def share_of_noise(policy: Policy, plan: Plan, delta: float, *, num_coordinates: int) -> float:
    """Return the noise multiplier that this merchant adds: its part of the plan's, which is one for all merchants.

    `plan.smallest_noise_multiplier` of the policy is about the noise of the sum, which `plan.epsilon` follows from too;
    what the part alone would hide is for `sum.epsilon_if_all_collude`.

    Raises
    ------
    PrivacyError
        The plan says no noise, too little of it for the policy, or a part that the lattice cannot carry.
    """
    terms, name = _terms_of(plan), f"The plan {plan.name!r}"
    sigma, num_rounds = terms.noise_multiplier, plan.privacy.training.num_rounds
    if sigma is None:
        raise PrivacyError(f"{name} does not say privacy.sum.noise_multiplier, the one noise of all; stay away.")
    if not policy.plan.smallest_noise_multiplier <= sigma <= LARGEST_NOISE_MULTIPLIER:
        raise PrivacyError(
            f"{name} sums with noise {sigma:.3g}, the policy allows {policy.plan.smallest_noise_multiplier} to "
            f"{LARGEST_NOISE_MULTIPLIER:.0f}; ask for more noise, or stay away."
        )
    own = share_noise(sigma, terms.noise_share)
    spent = num_rounds * (round_mu_squared(own) / terms.noise_share)
    roundings = num_rounds * count_roundings(num_coordinates, terms.noise_share)
    if spent > mu_within(policy.plan.epsilon, delta, num_coordinates=roundings) ** 2:
        raise PrivacyError(
            f"{name} costs epsilon {epsilon_of(math.sqrt(spent), delta):.4g} in {num_rounds} rounds with noise "
            f"{sigma:.3g}, plan.epsilon is {policy.plan.epsilon}; ask for more noise, or stay away."
        )
    return own


def _terms_of(plan: Plan) -> SumPlan:
    if plan.privacy.sum is None:
        raise PrivacyError(f"The plan {plan.name!r} trusts in no sum.")
    return plan.privacy.sum


def _why_not_in(roster: Roster, own: Peer | None) -> str:
    if own is None:
        return "has a roster, and this merchant has no key of its own in it yet"
    named = next((peer for peer in roster if peer.name == own.name), None)
    if named is None:
        return f"sums merchants of whom none is called {own.name!r}, as this one is"
    if named.key != own.key:
        return f"gives {own.name!r} another key than this merchant's"
    return f"gives {own.name!r} the size class {named.size_class}, which is {own.size_class}"
