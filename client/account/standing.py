"""Whether the policy still allows what was agreed to: the file is read anew before every round.

An agreement stands for as long as the policy says so. A merchant that deletes the file, takes an approval back or
asks for other noise means the round that is asked for next, not the next start of its daemon. Once the file allows the
same terms again, rounds go on.

A sealed answer stays too while the policy does not allow its plan. It costs nothing more, and may have left before; but
whoever takes a policy away wants nothing to leave, and what is sealed is not lost: it has the same bytes later.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.account.agreement import Agreement, agree
from client.account.ledger.ledger import Ledger
from client.account.policy import read_policy
from common.errors import PrivacyError


@dataclass(frozen=True)
class Standing:
    """Hold running plans against a policy file as it is at that moment.

    Notes
    -----
    **Guarantee**: a refusal depends on policy file, offer and ledger, never on data; nothing is charged.
    """

    policy_file: Path
    ledger: Ledger

    def renew(self, agreement: Agreement) -> Agreement:
        """Agree to the same offer again, under the policy of now and on the terms that the coordinator was told.

        Room for the rounds to come is not asked for: a round that is charged already needs none, and the ledger looks
        before it charges one.

        Raises
        ------
        PrivacyError
            There is no policy, it does not allow the plan any more, or only on other terms.
        ConfigError
            The policy cannot be read.
        """
        policy = read_policy(self.policy_file)
        renewed = agree(
            policy,
            agreement.offer,
            self.ledger,
            num_coordinates=agreement.num_coordinates,
            rounds_to_fit=0,
            own=agreement.own,
        )
        name, before = f"The plan {agreement.offer.plan.name!r}", agreement.policy
        if policy.dataset != before.dataset:
            raise PrivacyError(
                f"{name} was accepted for the data set {before.dataset!r}, the policy is about {policy.dataset!r} now; "
                "write the former again, or have the plan proposed again."
            )
        if policy.size_class != before.size_class:
            raise PrivacyError(
                f"{name} was accepted with the size class {before.size_class}, the policy declares "
                f"{policy.size_class} now; write the former again, or join with the new one."
            )
        require_same_noise(renewed, agreement.mechanism.noise_multiplier)
        return renewed


def require_same_noise(agreement: Agreement, told: float) -> None:
    """Refuse to run a plan with other noise than the coordinator was told.

    Raises
    ------
    PrivacyError
        The policy asks for other noise now.
    """
    if agreement.mechanism.noise_multiplier != told:
        raise PrivacyError(
            f"The plan {agreement.offer.plan.name!r} was accepted with other noise than the policy asks for now; "
            "it waits to be proposed again."
        )
