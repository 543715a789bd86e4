"""Faults that days out of stock make possible: what one entity's stock would say of another's demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from common.data import panel
from common.model import anchor, likelihood, sold_out

Patch = pytest.MonkeyPatch


def out_by_everybody(patch: Patch) -> None:
    """Take a day on which next to nobody sold anything for one that ran out of stock."""
    told = panel._sold_out

    def faulty(grid: Any, rows: Any, plan: Any) -> np.ndarray:
        silent = grid.has_row().mean(axis=0) < 0.1
        return told(grid, rows, plan) | silent[None, :]

    patch.setattr(panel, "_sold_out", faulty)


def scatter_of_all(patch: Patch) -> None:
    """Take how far days scatter from all entities that sell out, not from each one's own days."""
    count = sold_out._Levels._count

    def faulty(self: Any, sold: np.ndarray, level: np.ndarray, out: np.ndarray) -> Any:
        own = self._scatter, self._scale
        self._scatter, self._scale = (np.full_like(part, part.mean()) for part in own)
        guess = count(self, sold, level, out)
        self._scatter, self._scale = own
        return guess

    patch.setattr(sold_out._Levels, "_count", faulty)


def tail_by_share(patch: Patch) -> None:
    """Weigh what ran out of stock by how rare it is in the batch."""
    tail = likelihood.count_tail_loss

    def faulty(count: Tensor, log_mean: Tensor, log_alpha: Tensor, censored: Tensor) -> Tensor:
        return tail(count, log_mean, log_alpha, censored) * (0.2 / censored.double().mean().clamp(min=0.01)).to(count)

    patch.setattr(likelihood, "count_tail_loss", faulty)


def flag_a_day_ahead(patch: Patch) -> None:
    """Know the evening before that the stock will run out."""
    complete = anchor.complete_demand

    def faulty(given: Any, *cells: Any, **rest: Any) -> sold_out.Completed:
        return complete(replace(given, censored=np.roll(given.censored, -1, axis=1)), *cells, **rest)

    patch.setattr(anchor, "complete_demand", faulty)


STOCK: dict[str, tuple[Callable[[Patch], None], str]] = {
    "out-by-everybody": (out_by_everybody, "l0"),
    "scatter-of-all": (scatter_of_all, "l0"),
    "tail-by-share": (tail_by_share, "l0"),
    "flag-a-day-ahead": (flag_a_day_ahead, "channels"),
}
