"""Seconds of one round, against one pass over the same entities in one place, and against the usual way.

The pass is the same model on PyTorch's own GRU without privacy, in the same chunks and threads. A round is there twice:
as the simulation has it, all merchants in one batch, and as merchants have it, each with its own model, examples,
noise and sum. The usual way is in `simulation.bench.reference`, memory in `simulation.bench.memory`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import torch
from torch import Tensor

from client.round.training import train_round
from common.model.demand_gru import DemandGRU, get_vector
from common.model.features import Series, cut_training
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from simulation.bench.clock import Timing, compare, describe_timings, time_side_by_side
from simulation.bench.model import with_torch_gru
from simulation.bench.shop import ENTITIES_PER_MERCHANT, HIDDEN_SIZE, STEPS, draw_series, make_cohort, new_model
from simulation.engine.batch import CHUNK_ENTITIES, Workers, round_weights
from simulation.engine.in_process import split

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
            "comparisons": [compare(timings, name, "nn_gru") for name in ("hansa", "hansa_apart")],
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
        ThreadPoolExecutor(num_threads) as pool,
    ):
        apart = [
            partial(_train_apart, copy.deepcopy(model), split(series, cohort)[first::num_threads], parameters)
            for first in range(num_threads)
        ]
        contestants = {
            "hansa": lambda: ours.sum_gradients(parameters, chunks.__getitem__, weight_of, PRIVATE),
            "hansa_apart": lambda: [done.result() for done in [pool.submit(train) for train in apart]],
            "nn_gru": lambda: theirs.sum_gradients(parameters, chunks.__getitem__, weight_of, OPEN),
        }
        return time_side_by_side(contestants, patience_seconds=patience_seconds)


def _train_apart(model: DemandGRU, merchants: Sequence[Series], parameters: Tensor) -> None:
    """Do what some merchants do in a round, one after the other."""
    noise, device = SecureNoise(), torch.device("cpu")
    for own in merchants:
        train_round(model, own, parameters, round_number=1, mechanism=PRIVATE, noise=noise, device=device)
