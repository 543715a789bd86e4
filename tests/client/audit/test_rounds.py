from collections.abc import Callable

import numpy as np

from client.audit.rounds import SEEN_AT_LEAST, pair_rounds, sample_rounds
from common.plan.leg import legs_of
from common.plan.schema import Plan


def sample(plan: Plan, num_rounds: int, seed: int = 0) -> tuple[int, ...]:
    return sample_rounds(plan, num_rounds, np.random.default_rng(seed))


def test_first_and_last_rounds_milestones_and_what_follows_them_are_looked_at(make_plan: Callable[..., Plan]) -> None:
    numbers = sample(make_plan(), 300)
    assert {1, 2, 50, 51, 64, 65, 100, 101, 256, 257, 299, 300} <= set(numbers)
    assert numbers == tuple(sorted(set(numbers)))
    assert max(numbers) == 300
    assert max(sample(make_plan(), 20)) == SEEN_AT_LEAST


def test_some_rounds_are_drawn_anew(make_plan: Callable[..., Plan]) -> None:
    assert len({sample(make_plan(), 300, seed) for seed in range(5)}) == 5


def test_many_neighbours_together_see_every_round_and_each_sees_both_legs(make_plan: Callable[..., Plan]) -> None:
    plain = make_plan(privacy={"unit": "customer", "training": {"num_rounds": 60}})
    rehearsing = plain.model_copy(update={"federation": plain.federation.model_copy(update={"rehearsal": True})})
    for plan in (plain, rehearsing):
        numbers = sample(plan, 60)
        pairs = [pair_rounds(plan, numbers, place) for place in range(48)]
        assert {number for pair in pairs for number in pair} == set(numbers)
        assert all(len(pair) == 2 and pair[0] < pair[1] for pair in pairs)
    start = legs_of(rehearsing, private=True)[-1].first_round
    assert all(pair[0] < start <= pair[1] for pair in pairs)
