"""In whose company a round is answered: how many were asked with us, as the coordinator signed it for this one round.

The size of a cohort in a proposal is said once, before anybody was asked. What counts for `smallest_cohort` is the call
of each round (`common.message.call`): who is asked in it, and its quorum. A coordinator can still call members that do
not exist, or call everybody and ask one: docs/privacy.md says what a call is worth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from client.account.policy import Policy
from common.errors import MessageError, PrivacyError
from common.message import call
from common.message.call import parse_call, write_ticket
from common.message.round import RoundRequest
from common.message.signature import Signed, is_signed, name_key
from common.plan.schema import Plan


@dataclass(frozen=True)
class Company:
    """What was signed about one round.

    Attributes
    ----------
    digest
        SHA-256 of the call: two merchants who were asked together have the same.
    coordinator
        How a policy names the key that signed it.
    """

    asked: int
    quorum: int
    digest: str
    coordinator: str


class CallReader:
    """Read the calls of a federation's coordinator.

    Parameters
    ----------
    coordinators
        Gives the public keys whose signature counts now.
    node_key
        Gives this merchant's own node key (PEM), by whose ticket it finds itself among the asked.
    """

    def __init__(self, *, coordinators: Callable[[], Iterable[bytes]], node_key: Callable[[], str]) -> None:
        self._coordinators, self._node_key = coordinators, node_key

    def read_of(self, request: RoundRequest) -> Company | None:
        """Check the call of a request that was decoded."""
        return self.read(
            request.call,
            run_hash=request.plan_hash,
            round_number=request.round_number,
            model_hash=request.model_hash,
        )

    def read(self, signed: Signed | None, *, run_hash: str, round_number: int, model_hash: str) -> Company | None:
        """Check a round's call; None where there is none, as in protocol 1.

        Raises
        ------
        PrivacyError
            Somebody else signed it.
        MessageError
            It is for another round, or this merchant is not among the asked.
        """
        if signed is None:
            return None
        signers = [key for key in self._coordinators() if is_signed(signed, key, purpose=call.PURPOSE)]
        if not signers:
            raise PrivacyError("A round's call is not signed by this federation's coordinator; it is not answered.")
        called = parse_call(signed.content)
        if (called.run_hash, called.round_number, called.model_hash) != (run_hash, round_number, model_hash):
            raise MessageError("A round's call was signed for another round or model; it is not answered.")
        if write_ticket(run_hash, self._node_key()) not in called.asked:
            raise MessageError("A round's call does not list this merchant among the asked; it is not answered.")
        digest = hashlib.sha256(signed.content).hexdigest()
        return Company(len(called.asked), called.quorum, digest, name_key(signers[0]))


def require_quorum(policy: Policy, plan: Plan, quorum: int | None) -> None:
    """Refuse a proposal whose rounds could not be answered.

    Raises
    ------
    PrivacyError
        Its quorum is below what the policy asks for, or it names none.
    """
    smallest, key = smallest_cohort(policy, plan)
    if quorum is None and smallest > 1:
        raise PrivacyError(
            f"The plan {plan.name!r} comes without a signed quorum, {key} is {smallest}: its coordinator runs an older "
            "version of hansa; ask it to bring that up to date."
        )
    if quorum is not None and quorum < smallest:
        raise PrivacyError(
            f"The plan {plan.name!r} goes on with {quorum} answers, {key} is {smallest}; ask the coordinator for a "
            "larger quorum."
        )


def require_company(policy: Policy, plan: Plan, company: Company | None) -> None:
    """Refuse a round in smaller company than the policy allows, or another than a secure sum's.

    A round without a call is one in which we are alone.

    Raises
    ------
    PrivacyError
        It is.
    """
    smallest, key = smallest_cohort(policy, plan)
    if company is None:
        if smallest > 1:
            raise PrivacyError(
                f"A round of plan {plan.name!r} comes without a signed call, so nobody says who else is asked, and "
                f"{key} is {smallest}; ask the coordinator to bring its version of hansa up to date."
            )
        return
    if min(company.asked, company.quorum) < smallest:
        raise PrivacyError(
            f"A round of plan {plan.name!r} is asked of {company.asked} merchants with a quorum of {company.quorum}, "
            f"{key} is {smallest}; it is not answered."
        )
    if plan.privacy.sum is not None and company.quorum != plan.privacy.sum.threshold:
        raise PrivacyError(
            f"A round of plan {plan.name!r} is asked for with a quorum of {company.quorum}, privacy.sum.threshold is "
            f"{plan.privacy.sum.threshold}; it is not answered."
        )


def smallest_cohort(policy: Policy, plan: Plan) -> tuple[int, str]:
    """Give the smallest cohort that the policy allows for a plan, and the key that says so."""
    limits = [(policy.plan.smallest_cohort, "plan.smallest_cohort")]
    automatic = policy.approval.automatic
    if automatic is not None and plan.hash not in policy.approval.plans:
        limits.append((automatic.smallest_cohort, "approval.automatic.smallest_cohort"))
    return max(limits)
