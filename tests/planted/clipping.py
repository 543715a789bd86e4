"""Faults of clipping and of the lattice: the bound on one entity does not hold."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from common.privacy import mechanism
from common.privacy.clipping import clip, clip_factors
from planted.fault import Fault, on_torch

Patch = pytest.MonkeyPatch


def clip_as(faulty: Callable[[Tensor, float], Tensor]) -> Callable[[Patch], None]:
    return lambda patch: on_torch(patch).setattr(mechanism, "clip", faulty)


def finite(values: Tensor) -> Tensor:
    return torch.nan_to_num(values.double(), nan=0.0, posinf=0.0, neginf=0.0).clamp(-(2.0**38), 2.0**38)


def no_clip(gradients: Tensor, clipping_norm: float) -> Tensor:
    return finite(gradients)


def clip_sum(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Clip a chunk's sum, and share it out."""
    return clip(gradients.sum(0, keepdim=True), clipping_norm * len(gradients)).expand(len(gradients), -1) / len(
        gradients
    )


def clip_mean(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Average first, clip then: one entity moves the average of few by far."""
    return clip(finite(gradients).mean(0, keepdim=True), clipping_norm).expand(len(gradients), -1)


def clip_per_layer(gradients: Tensor, clipping_norm: float) -> Tensor:
    parts = torch.tensor_split(gradients, 4, dim=1)
    return torch.cat([clip(part, clipping_norm) for part in parts], dim=1)


def clip_coordinates(gradients: Tensor, clipping_norm: float) -> Tensor:
    return torch.nan_to_num(gradients.double()).clamp(-clipping_norm, clipping_norm)


def clip_largest(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Take the largest coordinate for the norm."""
    norms = gradients.abs().amax(1).double()
    return finite(gradients * clip_factors(norms, clipping_norm)[:, None])


def clip_to_median(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Adapt the clipping norm to the entities at hand."""
    norms = torch.linalg.vector_norm(gradients.double(), dim=1)
    return clip(gradients, max(1e-9, min(clipping_norm, float(norms.nanmedian()))))


def normalise(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Divide by the norm of the longest, so that all of them together fit."""
    longest = torch.linalg.vector_norm(finite(gradients), dim=1).amax().clamp(min=1e-30)
    return finite(gradients) / longest * clipping_norm


def no_guard(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Let what is not finite through: NaN is not larger than any bound."""
    norms = torch.linalg.vector_norm(gradients, dim=1, dtype=torch.float64)
    return gradients.double() * (clipping_norm / norms).clamp(max=1.0)[:, None]


def refuse_broken(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Stop the round where a gradient is not finite: whether an answer comes tells of one entity."""
    if not bool(torch.isfinite(gradients).all()):
        raise ValueError("gradient is not finite")
    return clip(gradients, clipping_norm)


def single_precision_norms(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Take norms as (a+b)² - b² - 2ab in float32, as a Gram matrix does: the digits cancel."""
    offset = torch.full_like(gradients, 10.0)
    squared = ((gradients + offset) ** 2).sum(1) - (offset**2).sum(1) - 2 * (gradients * offset).sum(1)
    norms = squared.clamp(min=0).sqrt().double()
    return finite(gradients.double() * clip_factors(norms, clipping_norm)[:, None])


def single_precision_clip(gradients: Tensor, clipping_norm: float) -> Tensor:
    """Clip in float32 without a margin for rounding."""
    norms = torch.linalg.vector_norm(gradients, dim=1)
    factor = (clipping_norm / norms).clamp(max=1.0)
    return torch.where(torch.isfinite(norms)[:, None], gradients * factor[:, None] * (1 + 2**-22), 0.0).double()


def truncate_as(faulty: Callable[[Tensor, float], Tensor]) -> Callable[[Patch], None]:
    return lambda patch: on_torch(patch).setattr(mechanism, "truncate", faulty)


def sum_single(integers: Tensor) -> Tensor:
    return integers.float().sum(0).to(torch.int64)


FAULTS = (
    Fault("no-clip", "critical", "no clipping", clip_as(no_clip)),
    Fault("batch-clip", "high", "a chunk's sum is clipped, not each entity", clip_as(clip_sum)),
    Fault("clip-after-averaging", "high", "the average is clipped, not each entity", clip_as(clip_mean)),
    Fault("clip-per-layer", "medium", "each of four layers is clipped to the whole norm", clip_as(clip_per_layer)),
    Fault("clip-coordinates", "high", "each coordinate is clipped to the whole norm", clip_as(clip_coordinates)),
    Fault("clip-by-largest", "high", "the largest coordinate is taken for the norm", clip_as(clip_largest)),
    Fault("clip-to-median", "high", "the clipping norm follows the median of all", clip_as(clip_to_median)),
    Fault("scale-by-longest", "high", "everyone is divided by the longest gradient", clip_as(normalise)),
    Fault("no-nan-guard", "high", "a record that is not finite is not clipped", clip_as(no_guard)),
    Fault("refuse-in-round", "medium", "a broken record stops the round", clip_as(refuse_broken)),
    Fault("gram-norms-in-float32", "high", "norms whose digits cancel", clip_as(single_precision_norms)),
    Fault("clip-in-float32", "low", "clipping in float32 without a margin", clip_as(single_precision_clip)),
    Fault(
        "round-up",
        "low",
        "away from zero onto the lattice",
        truncate_as(lambda c, s: ((c / s).abs().ceil() * c.sign()).long()),
    ),
    Fault(
        "round-to-nearest",
        "low",
        "to the nearest point of the lattice",
        truncate_as(lambda c, s: (c / s).round().long()),
    ),
    Fault(
        "sum-in-float32",
        "low",
        "entities are added in float32",
        lambda patch: on_torch(patch).setattr(mechanism, "sum_entities", sum_single),
    ),
)
