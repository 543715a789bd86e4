"""Launch a plan: see that it can run with these members, sign it, and note it for the coordinator."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from certs.key import read_or_make_signing_key
from common.errors import ConfigError
from common.message.signature import sign
from common.plan.schema import Plan
from server.folder import CoordinatorFolder
from server.opening import open_registry

ROUND_SECONDS = 120.0


@dataclass(frozen=True)
class Launched:
    """What was launched.

    Attributes
    ----------
    members
        Who are invited.
    sums
        Into how many secure sums they are cut; 1 where everyone is in one, and where nobody trusts in a sum.
    without_key
        Members whose peer key is not known, so that a secure sum goes on without them.
    """

    number: int
    run_hash: str
    quorum: int
    members: int
    without_key: tuple[str, ...] = ()
    sums: int = 1


def launch_plan(
    home: CoordinatorFolder,
    plan: Plan,
    *,
    private: bool,
    quorum: int | None = None,
    round_seconds: float = ROUND_SECONDS,
) -> Launched:
    """Sign a plan and have it run.

    Parameters
    ----------
    private
        Whether with the plan's noise.
    quorum
        Fewest answers that make a round; two thirds of the members if left out.

    Raises
    ------
    HansaError
        It cannot run with these members.
    """
    from common.message.proposal import PURPOSE, Proposal  # brings torch
    from common.model.warm.start import hash_warm
    from server.roster import choose_quorum, make_roster, require_noise, without_key
    from server.round.start import require_runnable

    with closing(open_registry(home)) as registry:
        welcome = [member for member in registry.members() if member.is_welcome]
        if not welcome:
            raise ConfigError("Nobody is enrolled; a launch needs merchants, see: hansa-server enroll")
        roster = make_roster(plan, welcome, registry.peer_keys()) if plan.privacy.trust == "sum" else None
        require_noise(plan, private=private)
        size_classes = [member.size_class for member in roster or welcome]
        members, chosen = len(size_classes), choose_quorum(plan, len(size_classes), quorum)
        warm_hash = hash_warm(plan, private=private)
        proposal = Proposal(
            plan=plan, private=private, cohort_size=members, quorum=chosen, warm_hash=warm_hash, roster=roster
        )
        require_runnable(proposal, size_classes, quorum=chosen)
        number = registry.add_launch(
            sign(proposal.to_bytes(), read_or_make_signing_key(home.signing_key), purpose=PURPOSE),
            run_hash=proposal.run_hash,
            plan=plan.name,
            num_rounds=plan.training(private=proposal.private).num_rounds,
            quorum=chosen,
            round_seconds=round_seconds,
        )
        sums = 1 if roster is None else len(proposal.sessions)
    return Launched(number, proposal.run_hash, chosen, members, without_key(welcome, roster), sums)
