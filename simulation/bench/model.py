"""One step of the whole DemandGRU, decoder and likelihood included, beside the same on the other GRUs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from opacus.grad_sample import GradSampleModule
from opacus.layers import DPGRU
from opacus.optimizers import DPOptimizer
from torch import Tensor, nn

from client.round.entity_gradient import GradientFactorModule
from client.round.fused.step import find_step
from common.model.demand_gru import DemandGRU, entity_losses
from common.model.features import Examples, cut_training
from common.privacy.mechanism import Mechanism
from simulation.bench.clock import (
    compare,
    compare_peaks,
    describe_timings,
    give_back_memory,
    peak_bytes,
    time_side_by_side,
)
from simulation.bench.shop import ENTITIES_PER_MERCHANT, HIDDEN_SIZE, STEPS, draw_series, new_model, one_merchant

ENTITIES, QUICK_ENTITIES = (16, 256, 1024), (16,)
LEARNING_RATE = 1e-3
CPU = torch.device("cpu")

Step = Callable[[], object]


def time_models(*, quick: bool, patience_seconds: float) -> Iterator[dict[str, Any]]:
    """Time gradients, clipping and update for batches of several sizes."""
    for entities in QUICK_ENTITIES if quick else ENTITIES:
        series = draw_series(-(-entities // ENTITIES_PER_MERCHANT))
        examples, model = cut_training(series.select(torch.arange(entities)), 1), new_model(series)
        contestants = {
            "nn_gru": _make_plain_step(with_torch_gru(model), examples),
            "opacus": _make_opacus_step(with_opacus_gru(model), examples),
            "hansa": _make_step(copy.deepcopy(model), examples),
            "hansa_torch": _make_torch_step(model, examples),  # last: its hooks must not be on the copies
        }
        timings = time_side_by_side(contestants, patience_seconds=patience_seconds)
        peaks = {name: peak_bytes(run_step, name, entities) for name in ("hansa", "nn_gru")}
        yield {
            "model": "DemandGRU",
            "hidden_size": HIDDEN_SIZE,
            "steps": STEPS,
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


def run_step(name: str, entities: int, *, warm: bool) -> None:
    """Make one step of a contestant, for whoever watches the memory: few entities' examples, again and again."""
    torch.set_num_threads(1)
    series = one_merchant()
    rows = torch.arange(1 if warm else entities) % series.num_entities
    examples, model = cut_training(series.select(rows), 1), new_model(series)
    step = _make_step(model, examples) if name == "hansa" else _make_plain_step(with_torch_gru(model), examples)
    give_back_memory()
    step()


def with_torch_gru(model: DemandGRU) -> DemandGRU:
    """Copy a model and put PyTorch's own GRU, with the same weights, in the place of ours."""
    ours = model.encoder
    theirs = nn.GRU(ours.input_size, ours.hidden_size, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    return _with_encoder(model, theirs)


def with_opacus_gru(model: DemandGRU) -> DemandGRU:
    """Copy a model and put Opacus' GRU in the place of ours."""
    return _with_encoder(model, DPGRU(model.encoder.input_size, model.encoder.hidden_size, batch_first=True))


def _with_encoder(model: DemandGRU, encoder: nn.Module) -> DemandGRU:
    twin = copy.deepcopy(model)
    twin.encoder = encoder  # type: ignore[assignment]
    return twin


def _make_step(model: DemandGRU, examples: Examples) -> Step:
    """Make ours, as a CPU runs it: by the compiled kernel where there is one."""
    mechanism, weight = Mechanism(1.0, 1.0), torch.ones(len(examples.inputs))
    optimizer, kernel = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE), find_step(model, mechanism, CPU)
    if kernel is None:
        return _make_torch_step(model, examples)

    def step() -> None:
        _update(model, optimizer, kernel.weighted_sum(examples, mechanism, weight)[0].float())

    return step


def _update(model: DemandGRU, optimizer: torch.optim.Optimizer, total: Tensor) -> None:
    """Add noise to a sum, and take the step."""
    total += torch.randn(len(total))
    parts = total.split([parameter.numel() for parameter in model.parameters()])
    for parameter, part in zip(model.parameters(), parts, strict=True):
        parameter.grad = part.view_as(parameter)
    optimizer.step()


def _make_torch_step(model: DemandGRU, examples: Examples) -> Step:
    hooked, weight = GradientFactorModule(model), torch.ones(len(examples.inputs))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def step() -> None:
        gradients, _ = hooked.gradients(examples)
        _update(model, optimizer, gradients.sum_clipped(weight, 1.0))

    return step


def _make_plain_step(model: DemandGRU, examples: Examples) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        entity_losses(model, model.likelihood, examples).sum().backward()
        optimizer.step()

    return step


def _make_opacus_step(model: DemandGRU, examples: Examples) -> Step:
    hooked = GradSampleModule(model, loss_reduction="sum")
    optimizer = DPOptimizer(
        torch.optim.SGD(hooked.parameters(), lr=LEARNING_RATE),
        noise_multiplier=1.0,
        max_grad_norm=1.0,
        expected_batch_size=len(examples.inputs),
        loss_reduction="mean",
    )

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        entity_losses(hooked, model.likelihood, examples).sum().backward()
        optimizer.step()

    return step
