"""The server's optimiser: Adam with a cosine learning rate and an averaged model, as one pure step.

The state enters a round and leaves it, all tensors, so a checkpoint is one safetensors file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from common.plan.schema import TrainingPlan

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
        Adam's running means of the update and of its square.
    average
        Exponential moving average of `parameters`: the model that is handed out at the end.
    """

    round_number: int
    parameters: Float[Tensor, " parameter"]
    first_moment: Float[Tensor, " parameter"]
    second_moment: Float[Tensor, " parameter"]
    average: Float[Tensor, " parameter"]


def start_state(parameters: Float[Tensor, " parameter"]) -> ServerState:
    """Start before the first round, in double precision."""
    start = parameters.detach().double()
    return ServerState(0, start, torch.zeros_like(start), torch.zeros_like(start), start.clone())


def restart(state: ServerState) -> ServerState:
    """Begin another leg where one ended: at its averaged model, as it is released, and without momentum."""
    return replace(start_state(state.average.to(torch.float32)), round_number=state.round_number)


def advance(
    state: ServerState, gradient: Float[Tensor, " parameter"], plan: TrainingPlan, *, rounds_before: int = 0
) -> ServerState:
    """Take one Adam step against the aggregated gradient.

    Parameters
    ----------
    rounds_before
        Rounds of earlier legs, which `plan.num_rounds` does not count.

    References
    ----------
    Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1, with the weight decay of Loshchilov & Hutter 2019
    (arXiv 1711.05101), algorithm 2; as a server optimiser: Reddi et al. 2021 (arXiv 2003.00295).
    """
    round_number = state.round_number + 1 - rounds_before
    first = BETA_1 * state.first_moment + (1 - BETA_1) * gradient
    second = BETA_2 * state.second_moment + (1 - BETA_2) * gradient.square()
    corrected_first = first / (1 - BETA_1**round_number)
    corrected_second = second / (1 - BETA_2**round_number)
    rate = learning_rate(round_number, plan)
    step = rate * corrected_first / (corrected_second.sqrt() + EPSILON)
    parameters = (1 - rate * plan.weight_decay) * state.parameters - step
    decay = min(plan.ema, (round_number - 1) / (round_number + 9))  # early rounds are soon forgotten
    average = decay * state.average + (1 - decay) * parameters
    return ServerState(state.round_number + 1, parameters, first, second, average)


def learning_rate(round_number: int, plan: TrainingPlan) -> float:
    """Cosine from the plan's rate down to a hundredth of it."""
    done = (round_number - 1) / max(1, plan.num_rounds - 1)
    return plan.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
