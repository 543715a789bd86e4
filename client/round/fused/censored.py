"""The gradient of the likelihood in the network's outputs where demand was not seen whole: torch's and scipy's.

The kernel takes it for the buckets with a day out of stock, and for no other: whether anybody else is sold out changes
no bit of an entity that is not.
"""

from __future__ import annotations

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from common.model.features import Examples
from common.model.likelihood import Likelihood

ENTITIES = 64  # asked about at once, whoever is there: what torch does with the last few numbers may differ in a bit


def censored_slopes(
    likelihood: Likelihood, examples: Examples, outputs: Float32[Tensor, "entity position bucket output"]
) -> tuple[Float32[Tensor, "entity position bucket output"], Float64[Tensor, " entity"]]:
    """Return the gradient of each entity's loss in its outputs, and its loss, of censored buckets alone."""
    slopes, losses = torch.zeros_like(outputs), torch.zeros(len(outputs), dtype=torch.float64)
    parts = {**examples.parts, "outputs": outputs}
    del parts["position"], parts["inputs"], parts["future"], parts["open"]
    for first in range(0, len(outputs), ENTITIES):
        rows = torch.arange(first, min(first + ENTITIES, len(outputs)))
        filled = rows[torch.arange(ENTITIES) % len(rows)]
        slope, loss = _slopes(likelihood, **{name: part[filled] for name, part in parts.items()})
        slopes[rows], losses[rows] = slope[: len(rows)], loss[: len(rows)]
    return slopes, losses


def _slopes(
    likelihood: Likelihood,
    *,
    outputs: Tensor,
    anchor: Tensor,
    spread: Tensor,
    label: Tensor,
    weight: Tensor,
    censored: Tensor,
    expected: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    outputs = outputs.double().requires_grad_()
    seen = anchor.double(), spread.double(), label.double()
    loss = likelihood.loss(outputs, *seen, censored, None if expected is None else expected.double())
    counted = torch.where(censored, loss * weight.double(), 0.0).sum((1, 2)) / weight[0].numel()
    (slopes,) = torch.autograd.grad(counted.sum(), outputs)
    return slopes.float(), counted.detach()
