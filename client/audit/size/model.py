"""Models of other shapes and sizes than the plan's: what the code does with a vector may depend on its length.

A plan whose model is larger, has other steps or another likelihood is what the merchant may be asked next, and the code
is the same. All of them start cold, since a public model has the shape of one plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import get_args

import numpy as np
import torch

from client.audit.canary import chi_square_range, deviation
from client.audit.neighbour import make_neighbours
from client.audit.replay import BOUND, TIGHT, Pair, Replayer, check_gradients, make_probes
from client.audit.subject import AuditSubject, Silence
from client.daemon.handlers import count_parameters
from common.errors import DataError
from common.plan.schema import ModelPlan, Plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise

LARGE = 100_000  # parameters
FALSE_ALARM = 1e-4  # of all tests of the noise of large messages
BLOCK = 4096
PROBES = 16
ALL_ALIKE = 300  # records: of 2^24 steps each, 128 fill 32 bits
EXPONENTS = (24, 31, 32, 40, 52, 53, 56)  # of sums; 2^32 entities would reach the last
SHORT = {"window_steps": 8, "positions": 2}  # so that a large model costs seconds
STEP = 16  # of hidden units: whole vector registers


def cold(plan: Plan, **changes: object) -> Plan:
    """Give the plan another model, which starts cold and whose every parameter moves."""
    model = plan.model.model_copy(update=changes)
    training = plan.privacy.training.model_copy(update={"trained": "all"})
    return plan.model_copy(
        update={
            "model": model,
            "privacy": plan.privacy.model_copy(update={"start": "cold", "training": training}),
            "federation": plan.federation.model_copy(update={"start": "cold", "rehearsal": False}),
        }
    )


def enlarge(plan: Plan, num_parameters: int) -> Plan:
    """Give the plan a model of at least so many parameters, and short windows."""
    for size in range(STEP, 1024, STEP):
        larger = cold(plan, hidden_size=size, decoder_size=size, **_short(plan.model))
        if count_parameters(larger, private=True) >= num_parameters:
            return larger
    raise DataError(f"No model of this plan's shape has {num_parameters:,} parameters.")


def _short(model: ModelPlan) -> dict[str, object]:
    return {name: min(most, getattr(model, name)) for name, most in SHORT.items()} | {"position_steps": None}


def draw_sizes(generator: np.random.Generator, *, thorough: bool) -> tuple[int, ...]:
    """Draw lengths of a gradient: just above round numbers, and well above."""
    starts = (LARGE, 2**18, 2**20) if thorough else (LARGE, 2**18)
    return tuple(start + 1 + int(generator.integers(0, start // 3)) for start in starts)


def check_clipping(mechanism: Mechanism, num_parameters: int) -> list[str]:
    """Hand long gradients to the mechanism; none gives more than the clipping norm."""
    return check_gradients(mechanism, make_probes(num_parameters, PROBES))[1]


def check_long_sums(mechanism: Mechanism) -> list[str]:
    """Add up records that all point one way, more than any number of 32 bits holds, and release far longer sums."""
    alike = torch.zeros((ALL_ALIKE, 2), dtype=torch.float32)
    alike[:, 0] = 1e6
    total, alone = mechanism.contribution(alike), mechanism.contribution(alike[:1])
    found = ["records that point one way do not add up"] * (not torch.equal(total, ALL_ALIKE * alone))
    for exponent in (*EXPONENTS, 0):
        sums = torch.tensor([2**exponent, -(2**exponent), 2**exponent + 1], dtype=torch.int64)
        if not torch.equal(mechanism.release(sums, Silence()), sums):
            found.append(f"a sum of 2^{exponent} steps is not released as it is")
    return found[:2]


def check_noise(mechanism: Mechanism, num_parameters: int) -> list[str]:
    """Draw the noise of a long message: as large in every block, and no block like another."""
    noise = mechanism.release(torch.zeros(num_parameters, dtype=torch.int64), SecureNoise()).numpy()
    scaled = noise / (mechanism.noise_multiplier * BOUND)
    blocks = [scaled[first : first + BLOCK] for first in range(0, num_parameters, BLOCK)]
    found = []
    for place, block in enumerate(blocks):
        low, high = chi_square_range(len(block), FALSE_ALARM / 4 / len(blocks))
        if not low <= (std := deviation(block)) <= high:
            found.append(f"from coordinate {place * BLOCK:,} on the noise has {std:.4f} times the accounted deviation")
    whole = np.stack([block for block in blocks if len(block) == BLOCK])
    alike = np.abs(whole @ whole.T / BLOCK - np.diag((whole**2).mean(1)))
    if alike.max() * BLOCK**0.5 > ALIKE:
        found.append("two stretches of one message have the same noise")
    return found[:2]


ALIKE = 8.0  # in units of 1 / sqrt(BLOCK): of a hundred thousand pairs none by chance but with 1e-10


def check_larger(subject: AuditSubject, num_parameters: int, round_number: int) -> list[str]:
    """Let an entity join, with a model of so many parameters."""
    return _check_shape(replace(subject, plan=enlarge(subject.plan, num_parameters)), round_number)


def other_shapes(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Give the plan's other steps and likelihoods."""
    fields = ModelPlan.model_fields
    both = product(get_args(fields["step"].annotation), get_args(fields["likelihood"].annotation))
    for step, likelihood in both:
        if (step, likelihood) != (plan.model.step, plan.model.likelihood):
            yield f"steps of a {step}, {likelihood}", cold(plan, step=step, likelihood=likelihood, **_short(plan.model))


def check_other(subject: AuditSubject, plan: Plan, round_number: int) -> list[str]:
    """Let an entity join, with a model of another shape; nothing where the history is too short for it."""
    try:
        return _check_shape(replace(subject, plan=plan), round_number)
    except DataError:
        return []


def _check_shape(subject: AuditSubject, round_number: int) -> list[str]:
    """Compare the data with and without the entity that has most rows, clipped as planned and everyone clipped."""
    legs, found = subject.own_legs(), list[str]()
    neighbours = make_neighbours(subject.source, subject.plan.data, subject.origin)
    neighbour = next(each for each in neighbours if each.kind == "the entity with most rows leaves")
    pair = Pair(subject, neighbour)
    for factor in (1.0, TIGHT):
        mechanism = replace(subject.mechanism, clipping_norm=subject.clipping_norm * factor)
        replayer = Replayer(subject, legs, mechanism)
        found += replayer.check_neighbour(pair, (round_number,))[1]
        found += replayer.check_asked((round_number,))[1]
    return found
