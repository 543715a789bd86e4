import dataclasses
from pathlib import Path

import pytest
import torch

from common.plan.schema import TrainingPlan
from server.round.checkpoint import load_checkpoint, save_checkpoint
from server.round.optimizer import (
    BETA_1,
    BETA_2,
    EPSILON,
    Adagrad,
    Moments,
    Momentum,
    Yogi,
    advance,
    learning_rate,
    start_state,
)

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


EVERY_OPTIMIZER = ("adam", "momentum", "adagrad", "yogi")


def under(name: str) -> TrainingPlan:
    return PLAN.model_copy(update={"optimizer": name})


# Origin: torch.optim.SGD and torch.optim.Adagrad with our own rate set before each step.
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("momentum", lambda parameters: torch.optim.SGD(parameters, lr=1.0)),
        ("adagrad", lambda parameters: torch.optim.Adagrad(parameters, lr=1.0, eps=EPSILON)),
    ],
)
def test_every_step_is_torch_s(name: str, make) -> None:
    state, parameters, velocity = start_state(draw(5, 0)), draw(5, 0), torch.zeros(5, dtype=torch.float64)
    theirs = make([parameters])
    for round_number in range(1, PLAN.num_rounds + 1):
        gradient = draw(5, round_number)
        state = advance(state, gradient, under(name))
        velocity = BETA_1 * velocity + gradient
        theirs.param_groups[0]["lr"] = learning_rate(round_number, PLAN)
        parameters.grad = velocity if name == "momentum" else gradient
        theirs.step()
        torch.testing.assert_close(state.parameters, parameters, rtol=1e-12, atol=1e-12)


# Worked by hand: after a square of 4 the mean is .04; one of .01 is below it and takes .0001 away.
def test_yogi_s_mean_square_moves_by_a_hundredth_of_the_newest_square() -> None:
    nothing = torch.zeros(1, dtype=torch.float64)
    moments, _ = Yogi().step(Moments(nothing, nothing), torch.tensor([2.0]).double(), rate=1.0, round_number=1)
    assert moments.second.item() == pytest.approx(0.04)
    moments, _ = Yogi().step(moments, torch.tensor([0.1]).double(), rate=1.0, round_number=2)
    assert moments.second.item() == pytest.approx(0.0399)
    assert moments.second.item() > BETA_2 * 0.04 + (1 - BETA_2) * 0.01  # Adam's falls faster


def test_the_first_step_of_yogi_is_adam_s() -> None:
    first, adam = (advance(start_state(draw(4, 0)), draw(4, 1), under(name)) for name in ("yogi", "adam"))
    torch.testing.assert_close(first.parameters, adam.parameters, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", EVERY_OPTIMIZER)
def test_every_optimizer_goes_on_from_a_checkpoint_as_if_nothing_had_happened(name: str, tmp_path: Path) -> None:
    state = start_state(draw(6, 0))
    for round_number in range(1, 5):
        state = advance(state, draw(6, round_number), under(name))
    save_checkpoint(state, tmp_path / "state.safetensors", plan_hash="p")
    again = load_checkpoint(tmp_path / "state.safetensors", plan_hash="p", size=6)
    for round_number in range(5, 9):
        state, again = (advance(each, draw(6, round_number), under(name)) for each in (state, again))
    for field in dataclasses.fields(state):
        assert torch.equal(torch.as_tensor(getattr(state, field.name)), torch.as_tensor(getattr(again, field.name)))


@pytest.mark.parametrize("name", EVERY_OPTIMIZER)
def test_every_optimizer_finds_the_bottom_of_a_bowl_under_noise(name: str) -> None:
    plan = TrainingPlan(num_rounds=300, learning_rate=0.3 if name == "adagrad" else 0.05, ema=0.9, optimizer=name)
    state = start_state(draw(8, 0))
    for round_number in range(plan.num_rounds):
        state = advance(state, state.parameters - 1 + 0.1 * draw(8, round_number), plan)
    assert (state.average - 1).abs().max() < 0.1  # from as far as 3


@pytest.mark.parametrize("name", EVERY_OPTIMIZER)
def test_a_zero_update_moves_no_optimizer(name: str) -> None:
    state = advance(start_state(draw(4, 0)), torch.zeros(4, dtype=torch.float64), under(name))
    assert torch.equal(state.parameters, draw(4, 0))


def test_a_study_may_step_with_a_value_of_its_own() -> None:
    state = advance(start_state(draw(4, 0)), draw(4, 1), PLAN, Momentum())
    assert torch.equal(state.parameters, advance(start_state(draw(4, 0)), draw(4, 1), under("momentum")).parameters)
    assert not torch.equal(state.parameters, advance(start_state(draw(4, 0)), draw(4, 1), PLAN, Adagrad()).parameters)
