"""The server's optimiser: one pure step, a cosine learning rate, and an averaged model.

Adam and three others; which of them runs stands in the plan (`training.optimizer`). An optimiser is a value with one
function, `step`; all that it remembers are two vectors, so a checkpoint is the same file for each, and
the state enters a round and leaves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from common.plan.schema import OptimizerName, TrainingPlan

BETA_1, BETA_2 = 0.9, 0.99
EPSILON = 1e-6  # above what the lattice rounds away, so that rounding steers no coordinate


@dataclass(frozen=True)
class ServerState:
    """Everything the server carries from one round to the next.

    Attributes
    ----------
    parameters
        What the merchants are sent.
    first_moment, second_moment
        What the optimiser remembers; Adam's are the running means of the update and of its square.
    average
        Exponential moving average of `parameters`: the model that is handed out at the end.
    """

    round_number: int
    parameters: Float[Tensor, " parameter"]
    first_moment: Float[Tensor, " parameter"]
    second_moment: Float[Tensor, " parameter"]
    average: Float[Tensor, " parameter"]


class Moments(NamedTuple):
    """What an optimiser remembers: two vectors, used as it likes."""

    first: Float[Tensor, " parameter"]
    second: Float[Tensor, " parameter"]


@runtime_checkable  # beartype looks at arguments under pytest
class Optimizer(Protocol):
    """Turn one aggregated gradient into a step; a function of what comes in and of nothing else."""

    def step(
        self, moments: Moments, gradient: Float[Tensor, " parameter"], *, rate: float, round_number: int
    ) -> tuple[Moments, Float[Tensor, " parameter"]]:
        """Return what to remember, and what to subtract from the parameters; the first round is round 1."""


@dataclass(frozen=True)
class Adam:
    """Adam with bias correction.

    References
    ----------
    Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1; as a server optimiser: Reddi et al. 2021 (arXiv 2003.00295).
    """

    def step(
        self, moments: Moments, gradient: Float[Tensor, " parameter"], *, rate: float, round_number: int
    ) -> tuple[Moments, Float[Tensor, " parameter"]]:
        """Divide the mean gradient by the root of the mean square."""
        first = BETA_1 * moments.first + (1 - BETA_1) * gradient
        second = BETA_2 * moments.second + (1 - BETA_2) * gradient.square()
        corrected_first = first / (1 - BETA_1**round_number)
        corrected_second = second / (1 - BETA_2**round_number)
        return Moments(first, second), rate * corrected_first / (corrected_second.sqrt() + EPSILON)


@dataclass(frozen=True)
class Momentum:
    """Gradient descent with heavy-ball momentum: the second vector stays zero.

    A step is as long as the gradients are, so its learning rate is of another size than Adam's: near 1 where
    gradients are clipped at 1.

    References
    ----------
    Hsu, Qi & Brown 2019 (arXiv 1909.06335): FedAvgM.
    """

    def step(
        self, moments: Moments, gradient: Float[Tensor, " parameter"], *, rate: float, round_number: int
    ) -> tuple[Moments, Float[Tensor, " parameter"]]:
        """Add the gradient to what is left of those before."""
        first = BETA_1 * moments.first + gradient
        return Moments(first, moments.second), rate * first


@dataclass(frozen=True)
class Adagrad:
    """Divide by the root of all squares so far: steps get shorter, and under noise all coordinates alike.

    References
    ----------
    Reddi et al. 2021 (arXiv 2003.00295), algorithm 2, FedAdagrad without momentum.
    """

    def step(
        self, moments: Moments, gradient: Float[Tensor, " parameter"], *, rate: float, round_number: int
    ) -> tuple[Moments, Float[Tensor, " parameter"]]:
        """Add the square to those before."""
        second = moments.second + gradient.square()
        return Moments(moments.first, second), rate * gradient / (second.sqrt() + EPSILON)


@dataclass(frozen=True)
class Yogi:
    """Adam whose mean square grows and shrinks at most by a hundredth of the newest square.

    References
    ----------
    Zaheer et al. 2018, algorithm 2, with Adam's bias correction; as a server optimiser: Reddi et al. 2021 (arXiv
    2003.00295), algorithm 2.
    """

    def step(
        self, moments: Moments, gradient: Float[Tensor, " parameter"], *, rate: float, round_number: int
    ) -> tuple[Moments, Float[Tensor, " parameter"]]:
        """Move the mean square toward the newest square by a share of that."""
        square = gradient.square()
        first = BETA_1 * moments.first + (1 - BETA_1) * gradient
        second = moments.second - (1 - BETA_2) * square * torch.sign(moments.second - square)
        corrected_first = first / (1 - BETA_1**round_number)
        corrected_second = second / (1 - BETA_2**round_number)
        return Moments(first, second), rate * corrected_first / (corrected_second.sqrt() + EPSILON)


def optimizer_of(name: OptimizerName) -> Optimizer:
    """Give the optimiser that a plan names."""
    named: dict[OptimizerName, Optimizer] = {
        "adam": Adam(),
        "momentum": Momentum(),
        "adagrad": Adagrad(),
        "yogi": Yogi(),
    }
    return named[name]


def start_state(parameters: Float[Tensor, " parameter"]) -> ServerState:
    """Start before the first round, in double precision, with nothing to remember."""
    start = parameters.detach().double()
    return ServerState(0, start, torch.zeros_like(start), torch.zeros_like(start), start.clone())


def restart(state: ServerState) -> ServerState:
    """Begin another leg where one ended: at its averaged model, as it is released, and without momentum."""
    return replace(start_state(state.average.to(torch.float32)), round_number=state.round_number)


def advance(
    state: ServerState,
    gradient: Float[Tensor, " parameter"],
    plan: TrainingPlan,
    optimizer: Optimizer | None = None,
    *,
    rounds_before: int = 0,
) -> ServerState:
    """Take one step against the aggregated gradient: with the plan's optimiser, or in a study with another.

    Parameters
    ----------
    rounds_before
        Rounds of earlier legs, which `plan.num_rounds` does not count.

    References
    ----------
    Weight decay as in Loshchilov & Hutter 2019 (arXiv 1711.05101), algorithm 2.
    """
    round_number = state.round_number + 1 - rounds_before
    rate = learning_rate(round_number, plan)
    moments, step = (optimizer or optimizer_of(plan.optimizer)).step(
        Moments(state.first_moment, state.second_moment), gradient, rate=rate, round_number=round_number
    )
    parameters = (1 - rate * plan.weight_decay) * state.parameters - step
    decay = min(plan.ema, (round_number - 1) / (round_number + 9))  # early rounds are soon forgotten
    average = decay * state.average + (1 - decay) * parameters
    return ServerState(state.round_number + 1, parameters, moments.first, moments.second, average)


def learning_rate(round_number: int, plan: TrainingPlan) -> float:
    """Cosine from the plan's rate down to a hundredth of it."""
    done = (round_number - 1) / max(1, plan.num_rounds - 1)
    return plan.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
