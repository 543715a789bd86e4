"""What the coordinator does with many updates: time, and memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from server.round.aggregation import aggregate
from simulation.bench.clock import describe_timings, peak_bytes, time_side_by_side

PARAMETERS = 30_000
UPDATES, FEW_UPDATES, QUICK_UPDATES = 1000, 10, 20


def time_aggregation(*, quick: bool, patience_seconds: float) -> dict[str, Any]:
    """Add up updates as they come in, few and many."""
    updates = QUICK_UPDATES if quick else UPDATES
    timings = time_side_by_side({"hansa": lambda: add_up(updates, warm=False)}, patience_seconds=patience_seconds)
    many, few = (peak_bytes(add_up, number) for number in (updates, FEW_UPDATES))
    return {
        "updates": updates,
        "parameters": PARAMETERS,
        "timings": describe_timings(timings),
        "peak_bytes": {"many": many, "few": few},
        "comparisons": [{"of": "many", "to": "few", "what": "peak_bytes", "ratio": many / max(1, few)}],
    }


def add_up(updates: int, *, warm: bool) -> Tensor:
    """Draw updates one at a time and aggregate them."""
    return aggregate(_draw(2 if warm else updates), size=PARAMETERS)


def _draw(updates: int) -> Iterator[tuple[float, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(updates):
        yield 1 / updates, torch.randn(PARAMETERS, generator=generator)
