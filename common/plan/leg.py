"""The two legs of a run that rehearses, worked out from the plan and the round's number alone.

    … days before the last horizon  | the last horizon before the plan's last origin
    rehearsal: two thirds of the rounds
    served: the last third of the rounds learns from these days too

The model after the rehearsal is released beside the one after all rounds, so that a merchant can weigh the federation
against its own methods on days that it had not learned from (`client.forecast.candidate`).

Guarantee: a leg changes which public days a round looks at, and nothing of what a round costs. Every entity gives one
clipped gradient to every round of either leg, each round is charged as ever, and both models follow from the noised
sums. So the ledger, the noise and the sensitivity of a round know no legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from common.plan.schema import Plan

SERVED_SHARE = 3  # one in so many rounds comes after the rehearsal


@dataclass(frozen=True)
class Leg:
    """Some of a run's rounds, one after the other.

    Attributes
    ----------
    first_round
        The number of its first round in the run; 1 for the first of all.
    until
        The first day that its rounds do not learn from.
    """

    first_round: int
    num_rounds: int
    until: date

    @property
    def last_round(self) -> int:
        """The number of its last round in the run."""
        return self.first_round + self.num_rounds - 1

    def place(self, round_number: int) -> int:
        """Count a round of the run within the leg: 1 for the leg's first."""
        return round_number - self.first_round + 1


def count_served_rounds(num_rounds: int) -> int:
    """Count the rounds that come after the rehearsal."""
    return max(num_rounds // SERVED_SHARE, 1)


def legs_of(plan: Plan, *, private: bool) -> tuple[Leg, ...]:
    """Give the legs of a run: the rehearsal and what serves where the plan has a rehearsal, all rounds else."""
    num_rounds, origin = plan.training(private=private).num_rounds, plan.evaluation.origins[-1]
    if not plan.federation.rehearsal:
        return (Leg(1, num_rounds, origin),)
    served = count_served_rounds(num_rounds)
    rehearsed = num_rounds - served
    earlier = origin - timedelta(days=plan.model.horizon_days)
    return Leg(1, rehearsed, earlier), Leg(rehearsed + 1, served, origin)


def leg_of(legs: Sequence[Leg], round_number: int) -> Leg:
    """Find the leg of a round; one after the last belongs to the last."""
    return next((leg for leg in legs if round_number <= leg.last_round), legs[-1])


def is_rehearsal(plan: Plan, *, private: bool, round_number: int) -> bool:
    """Whether a model after so many rounds is the rehearsal's."""
    return plan.federation.rehearsal and round_number <= legs_of(plan, private=private)[0].last_round
