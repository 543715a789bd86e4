"""Peak memory of one private step as entities grow: they go through in chunks, so only the data grows with them.

A plain step on PyTorch's own GRU, in the same chunks, stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import torch
from torch import Tensor

from common.model.demand_gru import get_vector
from common.model.features import Examples, cut_training
from common.privacy.mechanism import Mechanism
from simulation.bench.clock import compare_peaks, give_back_memory, peak_bytes
from simulation.bench.model import with_torch_gru
from simulation.bench.shop import new_model, one_merchant
from simulation.engine.batch import CHUNK_ENTITIES, Workers

ENTITIES, FEW_ENTITIES, QUICK_ENTITIES = 200_000, 10_000, 1_000


def measure_memory(*, quick: bool) -> dict[str, Any]:
    """Measure few and many entities, whose examples are made chunk by chunk."""
    many, few = (QUICK_ENTITIES, QUICK_ENTITIES // 2) if quick else (ENTITIES, FEW_ENTITIES)
    peaks = {name: peak_bytes(sum_all, number) for name, number in (("many", many), ("few", few))}
    peaks["few_by_nn_gru"] = peak_bytes(sum_all, few, "nn_gru")
    return {
        "entities": {"many": many, "few": few},
        "peak_bytes": peaks,
        "comparisons": [compare_peaks(peaks, "many", "few"), compare_peaks(peaks, "few", "few_by_nn_gru")],
    }


def sum_all(entities: int, name: str = "hansa", *, warm: bool) -> Tensor:
    """Take the clipped sum over so many entities, or with `nn_gru` the plain one, on PyTorch's own GRU."""
    torch.set_num_threads(1)
    series = one_merchant()
    rows = torch.arange(CHUNK_ENTITIES) % series.num_entities
    weight_of: Sequence[Tensor] = torch.ones(CHUNK_ENTITIES if warm else entities).split(CHUNK_ENTITIES)

    def cut(number: int) -> Examples:
        return cut_training(series.select(rows[: len(weight_of[number])]), 1)

    model, plain = new_model(series), name == "nn_gru"
    mechanism = Mechanism(None, 0.0) if plain else Mechanism(1.0, 0.0)
    with closing(Workers(with_torch_gru(model) if plain else model, num_threads=1)) as crew:
        give_back_memory()
        return crew.sum_gradients(get_vector(model), cut, weight_of, mechanism)[0]
