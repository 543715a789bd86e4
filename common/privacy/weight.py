"""How much each merchant counts, from public values only; a merchant can work out its own share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def merchant_weights(
    size_classes: Sequence[int], noise_multipliers: Sequence[float], *, cap: float
) -> Float[Tensor, " merchant"]:
    """Weigh merchants by public values only.

    An update is a sum divided by its size class, so its noise has a variance of (sigma / size class)²;
    weights are inverse to that. Without noise a weight is the size class itself, so that every entity counts
    the same.
    No merchant has more than `cap`, or an equal share where that is more.

    Returns
    -------
    Tensor
        Weights that sum to 1.
    """
    size = torch.tensor(size_classes, dtype=torch.float64)
    sigma = torch.tensor(noise_multipliers, dtype=torch.float64)
    raw = size if bool((sigma == 0).any()) else (size / sigma).square()
    return _cap(raw / raw.sum(), max(cap, 1.0 / len(raw)))


def _cap(weights: Float[Tensor, " merchant"], cap: float) -> Float[Tensor, " merchant"]:
    """Cut weights at `cap` and pour the rest over the others in proportion, until none is above."""
    capped = torch.zeros_like(weights, dtype=torch.bool)
    while bool(((weights > cap * (1 + 1e-12)) & ~capped).any()):
        capped |= weights > cap
        free = 1.0 - cap * float(capped.sum())
        rest = weights * ~capped
        if float(rest.sum()) == 0.0:
            return torch.full_like(weights, 1.0 / len(weights))
        weights = torch.where(capped, torch.full_like(weights, cap), rest * (free / rest.sum()))
    return weights
