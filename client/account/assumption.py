"""Under which assumption a shared noise keeps its promise, in a sentence that anyone understands."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from client.account.agreement import Agreement
from client.account.ledger.entry import Spend
from client.language.speech import t


@dataclass(frozen=True)
class Assumption:
    """At most `colluders` of `num_members` merchants conspire with the coordinator."""

    colluders: int
    num_members: int


def assumption_of(spends: Iterable[Spend]) -> Assumption | None:
    """Give the assumption that fails first of all that spends stand on; None where none says one."""
    said = [
        Assumption(spend.colluders, spend.num_members)
        for spend in spends
        if spend.colluders is not None and spend.num_members is not None
    ]
    return min(said, key=lambda one: (one.colluders, -one.num_members), default=None)


def explain_assumption(epsilon: float, epsilon_if_all_collude: float, assumption: Assumption | None) -> str:
    """Say both numbers, and what decides which of them holds."""
    both = {"epsilon": _number(epsilon), "all": _number(epsilon_if_all_collude)}
    if assumption is None:
        return t("epsilon {epsilon} as long as few put their heads together; {all} if all the others do", **both)
    return t(
        "epsilon {epsilon} as long as at most {colluders} of the {members} merchants and the coordinator put their "
        "heads together; {all} if all the others do",
        colluders=assumption.colluders,
        members=assumption.num_members,
        **both,
    )


def explain_sum(agreement: Agreement) -> list[str]:
    """Say what a plan that trusts in the sum would cost, a sentence each; nothing of a plan that trusts nobody."""
    terms = agreement.offer.plan.privacy.sum
    if terms is None:
        return []
    assumption = Assumption(terms.colluders, agreement.num_members)
    said = explain_assumption(agreement.epsilon, agreement.epsilon_if_all_collude, assumption)
    return [
        t(
            "The coordinator would see the sum of {members} merchants' answers and none by itself; your answer carries "
            "a share of the noise, and at least {share} honest others add theirs.",
            members=agreement.num_members,
            share=terms.noise_share - 1,
        ),
        t("It costs {both}.", both=said),
    ]


def _number(epsilon: float) -> str:
    return f"{epsilon:.3g}" if math.isfinite(epsilon) else t("without bound")
