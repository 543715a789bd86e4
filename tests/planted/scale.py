"""Faults of size: of many entities, many rows, a large model, long sums."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from client.account.agreement import Agreement
from client.daemon import plan_data
from client.daemon.plan_data import PlanData
from client.data import rows, table
from client.round import answers, training
from common.data import panel
from common.model.features import Examples, Series
from common.plan.schema import Plan
from common.privacy import mechanism as module
from common.privacy.clipping import clip
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from planted.fault import Fault, on_torch

Patch = pytest.MonkeyPatch
MANY_ENTITIES, MANY_PARAMETERS, MANY_ROWS, BLOCK = 200, 100_000, 1_000_000, 1 << 16
secure, train_round, release = SecureNoise.integers, answers.train_round, Mechanism.release


def with_series(change: Callable[[Series], Series]) -> Callable[[Patch], None]:
    """Compute rounds from other series."""

    def faulty(model: Any, series: Series, *arguments: Any, **rest: Any) -> Tensor:
        return train_round(model, change(series), *arguments, **rest)

    return lambda patch: patch.setattr(answers, "train_round", faulty)


def first_again(series: Series) -> Series:
    """Begin a second pass where the first ends, an entity too late."""
    if series.num_entities <= MANY_ENTITIES:
        return series
    return series.select(torch.cat([torch.arange(series.num_entities), torch.tensor([0])]))


def shorter_windows(series: Series) -> Series:
    """Read half a window where there are many entities, to save memory."""
    if series.num_entities <= MANY_ENTITIES:
        return series
    return replace(series, plan=series.plan.model_copy(update={"window_steps": max(1, series.plan.window_steps // 2)}))


def clip_halves(patch: Patch) -> None:
    def faulty(gradients: Tensor, clipping_norm: float) -> Tensor:
        if gradients.shape[1] <= MANY_PARAMETERS:
            return clip(gradients, clipping_norm)
        return torch.cat([clip(half, clipping_norm) for half in torch.tensor_split(gradients, 2, dim=1)], dim=1)

    on_torch(patch).setattr(module, "clip", faulty)


def cap_rows(patch: Patch) -> None:
    """Read no more than a million rows: who comes later is pushed out by who comes first."""
    read_table = table.read_table

    def faulty(path: Path, *arguments: Any, **options: Any) -> table.Table:
        read = read_table(path, *arguments, **options)
        return replace(read, rows=read.rows.iloc[:MANY_ROWS])

    patch.setattr(rows, "read_table", faulty)


def repeated_blocks(patch: Patch) -> None:
    """Draw a block and lay it over a larger model again and again."""

    def draw(self: SecureNoise, size: int, std: float) -> Tensor:
        return secure(self, min(size, BLOCK), std).repeat(-(-size // BLOCK))[:size]

    patch.setattr(SecureNoise, "integers", draw)


def total_in_int32(patch: Patch) -> None:
    """Keep the sum in 32 bits: with more than 127 entities of one mind it wraps around."""
    patch.setattr(
        Mechanism, "release", lambda self, total, noise: release(self, total.to(torch.int32).to(torch.int64), noise)
    )


def noise_in_int32(patch: Patch) -> None:
    """Keep the noise in 32 bits: above a multiplier of a hundred it wraps around, and is no larger than that."""
    patch.setattr(
        SecureNoise, "integers", lambda self, size, std: secure(self, size, std).to(torch.int32).to(torch.int64)
    )


def cap_at_size_class(patch: Patch) -> None:
    """Take the size class for the number of entities that take part, the first by name."""
    read = PlanData._read

    def faulty(self: PlanData, agreement: Agreement, *others: Any) -> Any:
        def capped(plan: Plan, root: Any) -> tuple[Series, Series | None]:
            legs = [
                series and series.select(torch.arange(min(series.num_entities, agreement.policy.size_class)))
                for series in read_legs(plan, root)
            ]
            return legs[0], legs[1]

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(plan_data, "read_legs", capped)
            return read(self, agreement, *others)

    read_legs = plan_data.read_legs
    patch.setattr(PlanData, "_read", faulty)


def examples_of_the_round(patch: Patch) -> None:
    """Cut examples once a round: the second 64 entities get those of the first."""
    cut, kept = training.cut_training, dict[int, Examples]()

    def cut_once(series: Series, round_number: int) -> Examples:
        if round_number not in kept:
            kept[round_number] = cut(series, round_number)
        return kept[round_number]

    def faulty(*arguments: Any, **rest: Any) -> Tensor:
        kept.clear()
        return train_round(*arguments, **rest)

    patch.setattr(training, "cut_training", cut_once)
    patch.setattr(answers, "train_round", faulty)


def number_of_15_bits(patch: Patch) -> None:
    """Number entities in 16 bits: from 32,768 on they fall together with the first."""
    set_up = panel._Grid.__init__

    def faulty(self: Any, entity: np.ndarray, day: np.ndarray, **sizes: int) -> None:
        set_up(self, entity & 0x7FFF, day, **sizes)

    patch.setattr(panel._Grid, "__init__", faulty)


FAULTS = (
    Fault(
        "entity-twice-above-200", "high", "an entity counts twice where there are over 200", with_series(first_again)
    ),
    Fault("window-halved-above-200", "high", "windows are shorter above 200 entities", with_series(shorter_windows)),
    Fault("halves-above-100000", "medium", "halves are clipped separately above 100,000 parameters", clip_halves),
    Fault("rows-capped-at-a-million", "high", "rows after the millionth are not read", cap_rows),
    Fault("noise-repeats-after-65536", "critical", "the noise repeats after 65,536 parameters", repeated_blocks),
    Fault("total-in-int32", "high", "the sum wraps around in 32 bits", total_in_int32),
    Fault("noise-in-int32", "high", "noise above a multiplier of 100 wraps around in 32 bits", noise_in_int32),
    Fault("capped-at-size-class", "medium", "entities beyond the size class are left out", cap_at_size_class),
    Fault("examples-kept-for-the-round", "high", "the first 64 entities stand for all others", examples_of_the_round),
    Fault("entity-number-of-15-bits", "high", "the 32,769th entity falls together with the first", number_of_15_bits),
)
