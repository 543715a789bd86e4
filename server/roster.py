"""Who is in a secure sum: every welcome member whose peer key is known, and what its plan must say for so many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.errors import ConfigError
from common.plan.schema import Plan, SumPlan
from common.secure_sum.cohort import cohort_sizes, require_cohort_terms, usual_cohort_terms
from common.secure_sum.roster import Peer
from server.registry.registry import Member


def make_roster(plan: Plan, welcome: Sequence[Member], keys: Mapping[str, str]) -> tuple[Peer, ...]:
    """Make the roster of a launch, and see that the plan's terms fit so many.

    Parameters
    ----------
    keys
        The peer keys that are known, by member.

    Raises
    ------
    ConfigError
        They do not; the sentence says which would.
    """
    named = sorted((member for member in welcome if member.name in keys), key=lambda member: member.name)
    roster = tuple(Peer(name=member.name, key=keys[member.name], size_class=member.size_class) for member in named)
    if len(roster) < 2:
        raise ConfigError(
            f"The peer keys of {len(roster)} of the {len(welcome)} members are known, and a secure sum has at least 2; "
            "a member shows its key once it has connected with this version of hansa."
        )
    terms = plan.privacy.sum
    assert terms is not None  # noqa: S101  for mypy: a plan that trusts in the sum has them
    try:
        require_cohort_terms(len(roster), terms)
    except ConfigError as error:
        threshold, colluders = usual_cohort_terms(len(roster), terms.cohort)
        raise ConfigError(
            f"{error} Usual for {say_sums(len(roster), terms)} is: threshold = {threshold}, colluders = {colluders}"
        ) from error
    return roster


def say_sums(num_members: int, terms: SumPlan) -> str:
    """Say how many sum, and in how many sums where it is not one."""
    sizes = cohort_sizes(num_members, terms.cohort)
    if len(sizes) == 1:
        return str(num_members)
    each = str(sizes[-1]) if sizes[0] == sizes[-1] else f"{sizes[-1]} or {sizes[0]}"
    return f"{num_members} in {len(sizes)} sums of {each}"


def without_key(welcome: Sequence[Member], roster: Sequence[Peer] | None) -> tuple[str, ...]:
    """Name the members that a secure sum goes on without, since their peer keys are not known."""
    if roster is None:
        return ()
    named = {peer.name for peer in roster}
    return tuple(member.name for member in welcome if member.name not in named)


def choose_quorum(plan: Plan, members: int, quorum: int | None) -> int:
    """Give the fewest answers that make a round: where trust is in the sum, its threshold.

    Raises
    ------
    ConfigError
        Another was asked for, or one that cannot be met.
    """
    if plan.privacy.sum is not None:
        if quorum not in (None, plan.privacy.sum.threshold):
            raise ConfigError(
                f"The quorum of a secure sum is its threshold, {plan.privacy.sum.threshold}; leave --quorum out."
            )
        return plan.privacy.sum.threshold
    chosen = -(-2 * members // 3) if quorum is None else quorum
    if chosen > members:
        raise ConfigError(f"A quorum of {chosen} cannot be met by {members} members; choose at most that many.")
    return chosen


def require_noise(plan: Plan, *, private: bool) -> None:
    """Refuse to share a noise that the plan does not say.

    Raises
    ------
    ConfigError
        It trusts in the sum, trains with noise, and does not say how much.
    """
    if private and plan.privacy.sum is not None and plan.privacy.sum.noise_multiplier is None:
        raise ConfigError(
            f"The plan {plan.name!r} has no privacy.sum.noise_multiplier, and merchants of a secure sum share one "
            "noise; write it into the plan, or launch the training --without-noise."
        )
