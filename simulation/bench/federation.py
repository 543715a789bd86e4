"""Seconds of one round, against one pass over the same entities in one place, and against the usual way.

The pass is the same model on PyTorch's own GRU without privacy, in the same chunks and threads. The usual way is in
`simulation.bench.reference`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import torch

from common.model.demand_gru import get_vector
from common.model.features import cut_training
from common.privacy.mechanism import Mechanism
from simulation.bench.clock import Timing, compare, describe_timings, time_side_by_side
from simulation.bench.model import with_torch_gru
from simulation.bench.shop import ENTITIES_PER_MERCHANT, HIDDEN_SIZE, STEPS, draw_series, make_cohort, new_model
from simulation.engine.batch import CHUNK_ENTITIES, Workers, round_weights

MERCHANTS, QUICK_MERCHANTS = (10, 100, 1000), (2, 4)
PRIVATE, OPEN = Mechanism(1.0, 1.0), Mechanism(None, 0.0)


def time_rounds(numbers: Sequence[int], *, patience_seconds: float, num_threads: int) -> Iterator[dict[str, Any]]:
    """Time a private round of all merchants beside a plain pass over their entities, for several numbers of them."""
    for merchants in numbers:
        timings = _time_round(merchants, patience_seconds=patience_seconds, num_threads=num_threads)
        yield {
            "merchants": merchants,
            "entities_per_merchant": ENTITIES_PER_MERCHANT,
            "steps": STEPS,
            "hidden_size": HIDDEN_SIZE,
            "timings": describe_timings(timings),
            "comparisons": [compare(timings, "hansa", "nn_gru")],
        }


def _time_round(merchants: int, *, patience_seconds: float, num_threads: int) -> dict[str, Timing]:
    series, cohort = draw_series(merchants), make_cohort(merchants)
    chunks = [cut_training(series.select(rows), 1) for rows in torch.arange(series.num_entities).split(CHUNK_ENTITIES)]
    weight_of = round_weights(cohort, PRIVATE, cap=1.0)[cohort.merchant_of].split(CHUNK_ENTITIES)
    model = new_model(series)
    parameters = get_vector(model)
    with (
        closing(Workers(model, num_threads=num_threads)) as ours,
        closing(Workers(with_torch_gru(model), num_threads=num_threads)) as theirs,
    ):
        contestants = {
            "hansa": lambda: ours.sum_gradients(parameters, chunks.__getitem__, weight_of, PRIVATE),
            "nn_gru": lambda: theirs.sum_gradients(parameters, chunks.__getitem__, weight_of, OPEN),
        }
        return time_side_by_side(contestants, patience_seconds=patience_seconds)
