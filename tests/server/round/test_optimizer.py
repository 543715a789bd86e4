import dataclasses

import pytest
import torch

from common.plan.schema import TrainingPlan
from server.round.optimizer import BETA_1, BETA_2, EPSILON, advance, learning_rate, start_state

PLAN = TrainingPlan(num_rounds=20, learning_rate=0.1, ema=0.9)


def draw(size: int, seed: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Origin: torch.optim.Adam with our own rate set before each step.
def test_every_step_is_adam_s() -> None:
    state, parameters = start_state(draw(5, 0)), draw(5, 0)
    theirs = torch.optim.Adam([parameters], betas=(BETA_1, BETA_2), eps=EPSILON)
    for round_number in range(1, PLAN.num_rounds + 1):
        gradient = draw(5, round_number)
        state = advance(state, gradient, PLAN)
        theirs.param_groups[0]["lr"] = learning_rate(round_number, PLAN)
        parameters.grad = gradient
        theirs.step()
        torch.testing.assert_close(state.parameters, parameters, rtol=1e-12, atol=1e-12)
    assert state.round_number == PLAN.num_rounds


def test_the_rate_falls_as_a_cosine_to_a_hundredth() -> None:
    rates = [learning_rate(round_number, PLAN) for round_number in range(1, 21)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.001)
    assert rates == sorted(rates, reverse=True)
    odd = PLAN.model_copy(update={"num_rounds": 21})
    assert learning_rate(11, odd) == pytest.approx((0.1 + 0.001) / 2)


def test_one_round_alone_has_the_plan_s_rate() -> None:
    assert learning_rate(1, TrainingPlan(num_rounds=1, learning_rate=0.1)) == pytest.approx(0.1)


# Worked by hand: rounds 1, 2 and 3 keep 0, 1/11 and 2/12 of the average.
def test_the_average_soon_forgets_the_first_rounds() -> None:
    state, seen = start_state(draw(3, 0)), []
    for round_number in range(1, 4):
        state = advance(state, draw(3, round_number), PLAN)
        seen.append(state.parameters)
    second = seen[0] / 11 + seen[1] * 10 / 11
    torch.testing.assert_close(state.average, second / 6 + seen[2] * 5 / 6)


def test_without_averaging_the_average_is_the_last_model() -> None:
    plan = PLAN.model_copy(update={"ema": 0.0})
    state = advance(advance(start_state(draw(3, 0)), draw(3, 1), plan), draw(3, 2), plan)
    assert torch.equal(state.average, state.parameters)


def test_later_rounds_keep_the_plan_s_share_of_the_average() -> None:
    start = dataclasses.replace(start_state(draw(3, 0)), round_number=500, average=draw(3, 1))
    state = advance(start, draw(3, 2), PLAN.model_copy(update={"num_rounds": 501}))
    torch.testing.assert_close(state.average, 0.9 * start.average + 0.1 * state.parameters)


def test_a_zero_update_changes_nothing_but_the_round() -> None:
    start = start_state(draw(4, 0))
    state = advance(start, torch.zeros(4, dtype=torch.float64), PLAN)
    assert torch.equal(state.parameters, start.parameters)
    assert torch.equal(state.average, start.parameters)
    assert state.round_number == 1


def test_a_step_leaves_the_state_before_it_as_it_was() -> None:
    start = start_state(draw(4, 0))
    before = [tensor.clone() for tensor in (start.parameters, start.first_moment, start.average)]
    first, second = advance(start, draw(4, 1), PLAN), advance(start, draw(4, 1), PLAN)
    assert torch.equal(first.parameters, second.parameters)
    assert all(
        torch.equal(was, tensor)
        for was, tensor in zip(before, (start.parameters, start.first_moment, start.average), strict=True)
    )


def test_a_model_in_single_precision_is_carried_in_double() -> None:
    weights = torch.ones(2)
    state = start_state(weights)
    weights += 1
    assert state.parameters.dtype == torch.float64
    assert state.parameters.tolist() == [1.0, 1.0]
