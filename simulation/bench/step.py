"""One training step of a GRU: ours with privacy, PyTorch's without, Opacus' with.

A step is forward, backward, and a parameter update. With privacy it also clips every entity by itself and adds
noise. All have the same shapes and sum the squares of all states as their loss. Ours is there twice: by the compiled
kernel, which is what a CPU runs, and by torch, which is what runs elsewhere and where no kernel is compiled.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from opacus.grad_sample import GradSampleModule
from opacus.layers import DPGRU
from opacus.optimizers import DPOptimizer
from torch import Tensor, nn

from client.round.fused.library import Kernel, Task, find_kernel
from client.round.fused.step import SQUARED_STATES
from common.model.gradient_factors import EntityGradients
from common.model.gru import GRU, NAMES
from simulation.bench.clock import (
    compare,
    compare_peaks,
    describe_timings,
    give_back_memory,
    peak_bytes,
    time_side_by_side,
)

FEATURES = 32
CLIPPING_NORM, NOISE_MULTIPLIER, LEARNING_RATE = 1.0, 1.0, 1e-3
VIRTUAL_ENTITIES = 1024  # of ours that go through at a time; more would only take more memory
SIZES, STEPS, ENTITIES = (32, 64, 128), (28, 56, 180), (16, 256, 1024)
CONTESTANTS = ("hansa", "hansa_torch", "nn_gru", "opacus")
QUICK_POINTS = ((32, 28, 16), (64, 56, 256))

Step = Callable[[], object]


def time_steps(*, quick: bool, patience_seconds: float) -> Iterator[dict[str, Any]]:
    """Time every point of the grid; memory is measured in processes of their own."""
    for size, steps, entities in QUICK_POINTS if quick else itertools.product(SIZES, STEPS, ENTITIES):
        inputs = torch.randn(entities, steps, FEATURES)
        contestants = {name: make_step(name, inputs, size) for name in CONTESTANTS}
        timings = time_side_by_side(contestants, patience_seconds=patience_seconds)
        peaks = {name: peak_bytes(run_step, name, size, steps, entities) for name in ("hansa", "nn_gru")}
        yield {
            "hidden_size": size,
            "steps": steps,
            "entities": entities,
            "timings": describe_timings(timings),
            "peak_bytes": peaks,
            "comparisons": [
                compare(timings, "hansa", "nn_gru"),
                compare(timings, "opacus", "hansa"),
                compare(timings, "hansa_torch", "nn_gru"),
                compare_peaks(peaks, "hansa", "nn_gru"),
            ],
        }


def run_step(name: str, size: int, steps: int, entities: int, *, warm: bool) -> None:
    """Make one step of a contestant, for whoever watches the memory."""
    torch.set_num_threads(1)
    step = make_step(name, torch.randn(2 if warm else entities, 2 if warm else steps, FEATURES), size)
    give_back_memory()
    step()


def make_step(name: str, inputs: Tensor, size: int) -> Step:
    """Make a contestant's step, on new weights."""
    kernel = find_kernel()
    if name == "hansa" and kernel is not None:
        return make_kernel_step(GRU(FEATURES, size), inputs, kernel)
    if name.startswith("hansa"):
        return make_private_step(GRU(FEATURES, size), inputs)
    if name == "nn_gru":
        return make_plain_step(nn.GRU(FEATURES, size, batch_first=True), inputs)
    return make_opacus_step(DPGRU(FEATURES, size, batch_first=True), inputs)


def make_kernel_step(gru: GRU, inputs: Tensor, kernel: Kernel) -> Step:
    """Make ours, by the compiled kernel."""
    parameters, weight, rows = list(gru.parameters()), np.ones(len(inputs)), inputs.numpy()
    sizes = [parameter.numel() for parameter in parameters]
    numbers = {
        "entities": len(rows),
        "steps": rows.shape[1],
        "features": FEATURES,
        "hidden": gru.hidden_size,
        "likelihood": SQUARED_STATES,
        "parameters": sum(sizes),
    }

    def step() -> None:
        total = np.zeros(sum(sizes))
        arrays = {"inputs": rows, "entity_weight": weight, "weighted_total": total}
        arrays |= {name: parameter.detach().numpy() for name, parameter in zip(NAMES, parameters, strict=True)}
        addresses = {name: array.ctypes.data for name, array in arrays.items()}
        kernel.run(Task(**numbers, **addresses, clipping_norm=CLIPPING_NORM, bound=CLIPPING_NORM))
        _update(parameters, torch.from_numpy(total).float(), len(rows))

    return step


def make_private_step(gru: GRU, inputs: Tensor) -> Step:
    """Make ours, by torch."""
    parameters, weight = list(gru.parameters()), torch.ones(len(inputs))
    gru.factors = {}

    def step() -> None:
        total = torch.zeros(sum(parameter.numel() for parameter in parameters))
        for rows, share in zip(inputs.split(VIRTUAL_ENTITIES), weight.split(VIRTUAL_ENTITIES), strict=True):
            loss = gru(rows)[0].square().sum()
            torch.autograd.grad(loss, parameters, allow_unused=True)
            total += EntityGradients(gru.products(), parameters).sum_clipped(share, CLIPPING_NORM)
        _update(parameters, total, len(inputs))

    return step


@torch.no_grad()
def _update(parameters: Sequence[Tensor], total: Tensor, entities: int) -> None:
    """Add noise to a sum, and take the step."""
    total += NOISE_MULTIPLIER * CLIPPING_NORM * torch.randn(len(total))
    parts = total.split([parameter.numel() for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.sub_(part.view_as(parameter), alpha=LEARNING_RATE / entities)


def make_plain_step(gru: nn.GRU, inputs: Tensor) -> Step:
    """Make PyTorch's, without privacy."""
    optimizer = torch.optim.SGD(gru.parameters(), lr=LEARNING_RATE)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        (gru(inputs)[0].square().sum() / len(inputs)).backward()
        optimizer.step()

    return step


def make_opacus_step(gru: DPGRU, inputs: Tensor) -> Step:
    """Make Opacus', the way its engine puts it together."""
    hooked = GradSampleModule(gru, loss_reduction="sum")
    optimizer = DPOptimizer(
        torch.optim.SGD(hooked.parameters(), lr=LEARNING_RATE),
        noise_multiplier=NOISE_MULTIPLIER,
        max_grad_norm=CLIPPING_NORM,
        expected_batch_size=len(inputs),
        loss_reduction="mean",  # of the update; gradients are summed
    )

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        hooked(inputs)[0].square().sum().backward()
        optimizer.step()

    return step
