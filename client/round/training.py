"""One round at one merchant: from the global model and the merchant's own series to one noised sum.

This is the only place where private data becomes something that leaves.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from client.round.fused.step import FusedStep, find_step
from common.model.demand_gru import DemandGRU, set_vector
from common.model.features import Series, cut_training
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource

CHUNK_ENTITIES = 64  # by torch, at 16 and below an entity's last bit changes with its place in the chunk


def train_round(
    model: DemandGRU,
    series: Series,
    parameters: Float[Tensor, " parameter"],
    *,
    round_number: int,
    mechanism: Mechanism,
    noise: NoiseSource,
    device: torch.device,
) -> Int64[Tensor, " parameter"]:
    """Sum every entity's clipped gradient at `parameters` on the lattice, and add noise.

    Guarantee
    ---------
    - Every entity of `series` takes part in every round, with one contribution of L2 norm at most
      `mechanism.clipping_norm`; what one entity contributes depends on no other entity.
    - The result has the length of `parameters` whatever the data; an empty data set gives noise around zero.

    Notes
    -----
    On a CPU the compiled kernel computes the sum (`client.round.fused`), where there is one and it knows the model:
    lanes of a vector never meet, so an entity's contribution cannot depend on its neighbours. Else torch does, and the
    two differ in the last digits.

    In torch a matrix product of 5 rows and one of 6 may differ in the last bit of the rows they share, so that one
    entity's presence would show in the others' contributions. Hence every chunk has the same shape. That the
    last bits then agree is no theorem about kernels: the neighbour replay in the tests looks, on the CPU.
    """
    set_vector(model.to(device), parameters.to(device, torch.float32))
    step = find_step(model, mechanism, device)
    if step is not None:
        total = _sum_fused(step, series, mechanism, round_number)
    else:
        total = _sum_by_torch(model, series, mechanism, round_number, device)
    return mechanism.release(total, noise)


def _sum_fused(step: FusedStep, series: Series, mechanism: Mechanism, round_number: int) -> Int64[Tensor, " parameter"]:
    """Sum by the kernel, on torch's number of threads: integers add up exactly in any order."""
    total = torch.zeros(step.size, dtype=torch.int64)

    def sum_chunk(rows: Tensor) -> Tensor:
        own = series if len(rows) == series.num_entities else series.select(rows)
        return step.contribution(cut_training(own, round_number), mechanism)

    chunks = torch.arange(series.num_entities).split(CHUNK_ENTITIES) if series.num_entities else ()
    workers = min(torch.get_num_threads(), len(chunks))
    if workers <= 1:  # a thread takes longer to start than few entities take
        return sum(map(sum_chunk, chunks), start=total)
    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(sum_chunk, chunks), start=total)


def _sum_by_torch(
    model: DemandGRU, series: Series, mechanism: Mechanism, round_number: int, device: torch.device
) -> Int64[Tensor, " parameter"]:
    from client.round.entity_gradient import GradientFactorModule  # Opacus: 50 MB that the kernel does without

    total = torch.zeros(sum(parameter.numel() for parameter in model.parameters()), dtype=torch.int64)
    with closing(GradientFactorModule(model)) as hooked:
        for first in range(0, series.num_entities, CHUNK_ENTITIES):
            rows = torch.arange(first, min(first + CHUNK_ENTITIES, series.num_entities))
            examples = cut_training(series.select(_fill(rows)), round_number).to(device)
            gradients, _ = hooked.gradients(examples)
            total += mechanism.contribution(gradients.expand(slice(CHUNK_ENTITIES))[: len(rows)].cpu())
    return total


def _fill(rows: Int[Tensor, " row"]) -> Int[Tensor, " chunk"]:
    """Repeat a chunk's entities up to the full length; what the repeated ones give is thrown away."""
    return rows[torch.arange(CHUNK_ENTITIES) % len(rows)]
