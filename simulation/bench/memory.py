"""Peak memory of one private step as entities grow: they go through in chunks, so only the data grows with them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import torch
from torch import Tensor

from common.model.demand_gru import get_vector
from common.model.features import Examples, cut_training
from common.privacy.mechanism import Mechanism
from simulation.bench.clock import peak_bytes
from simulation.bench.shop import draw_series, new_model
from simulation.engine.batch import CHUNK_ENTITIES, Workers

ENTITIES, FEW_ENTITIES, QUICK_ENTITIES = 200_000, 10_000, 1_000


def measure_memory(*, quick: bool) -> dict[str, Any]:
    """Measure few and many entities, whose examples are made chunk by chunk."""
    many, few = (QUICK_ENTITIES, QUICK_ENTITIES // 2) if quick else (ENTITIES, FEW_ENTITIES)
    peaks = {name: peak_bytes(sum_all, number) for name, number in (("many", many), ("few", few))}
    return {
        "entities": {"many": many, "few": few},
        "peak_bytes": peaks,
        "comparisons": [{"of": "many", "to": "few", "what": "peak_bytes", "ratio": peaks["many"] / peaks["few"]}],
    }


def sum_all(entities: int, *, warm: bool) -> Tensor:
    """Take the clipped sum over so many entities."""
    torch.set_num_threads(1)
    series = draw_series(1)
    rows = torch.arange(CHUNK_ENTITIES) % series.num_entities
    weight_of: Sequence[Tensor] = torch.ones(CHUNK_ENTITIES if warm else entities).split(CHUNK_ENTITIES)

    def cut(number: int) -> Examples:
        return cut_training(series.select(rows[: len(weight_of[number])]), 1)

    model = new_model(series)
    with closing(Workers(model, num_threads=1)) as crew:
        return crew.sum_gradients(get_vector(model), cut, weight_of, Mechanism(1.0, 0.0))[0]
