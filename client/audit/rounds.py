"""Which rounds of a plan are looked at: a fault may begin at any of them, and end.

    landmarks    the first ones; around powers of two and round numbers; both ends of every leg; the last
    drawn        some others, anew in every audit, so that none can be kept out of its sight

A plan of few rounds is looked at beyond its last one too, as far as `SEEN_AT_LEAST`: what a merchant runs next may be
longer, and the code is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.plan.leg import legs_of
from common.plan.schema import Plan

SEEN_AT_LEAST = 130
POWERS = tuple(2**power for power in range(2, 13))
MILESTONES = (10, 25, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000)
NUM_DRAWN = 4


def last_round(num_rounds: int) -> int:
    """Give the last round that is looked at."""
    return max(num_rounds, SEEN_AT_LEAST)


def sample_rounds(plan: Plan, num_rounds: int, generator: np.random.Generator) -> tuple[int, ...]:
    """Choose the rounds of a plan that are looked at, in order.

    Parameters
    ----------
    generator
        Seeded by entropy, but for tests.
    """
    last = last_round(num_rounds)
    landmarks = {1, 2, 3, num_rounds - 1, num_rounds, last}
    for number in (*POWERS, *MILESTONES):
        landmarks |= {number, number + 1}
    for leg in legs_of(plan, private=True):
        landmarks |= {leg.first_round, leg.first_round + 1, leg.last_round}
    drawn = {int(number) for number in generator.integers(1, last, NUM_DRAWN, endpoint=True)}
    return tuple(sorted(number for number in landmarks | drawn if 1 <= number <= last))


def pair_rounds(plan: Plan, numbers: Sequence[int], place: int) -> tuple[int, ...]:
    """Choose two rounds of `numbers` for one neighbour, so that many neighbours together see all of them.

    Two, so that what is carried over from one round to the next shows; where a plan has legs, one of the first leg
    and one of the last.
    """
    start = legs_of(plan, private=True)[-1].first_round
    early = [number for number in numbers if number < start] or [1]
    late = [number for number in numbers if number >= start and number > early[0]]
    first = early[place % len(early)]
    return tuple(sorted({first, late[(7 * place + 3) % len(late)]}))
