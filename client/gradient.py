"""Per-entity gradients of one forward and backward pass, by Opacus' hooks and registered samplers.

One entity is one record, so Opacus' per-sample gradient is the gradient of everything that the entity did.
"""

from __future__ import annotations

import warnings

import torch
from jaxtyping import Float
from opacus.grad_sample import GradSampleModule, register_grad_sampler
from torch import Tensor, nn

from common.features import Examples
from common.gru import StepLinear
from common.model import DemandGRU, entity_losses

# The inputs of the first layers are data and need no gradient; torch tells so at every backward pass.
warnings.filterwarnings("ignore", message="Full backward hook is firing")


@register_grad_sampler(StepLinear)  # type: ignore[untyped-decorator]
def _step_linear_sampler(
    layer: StepLinear, activations: list[Tensor], backprops: Tensor
) -> dict[Tensor, Float[Tensor, "entity ..."]]:
    """Sum over steps of output gradient times input, per entity."""
    return {
        layer.weight: torch.bmm(backprops.transpose(1, 2), activations[0]),
        layer.bias: backprops.sum(dim=1),
    }


class EntityGradients:
    """Take per-entity gradients of one model; hold the hooks for as long as this object lives."""

    def __init__(self, model: DemandGRU) -> None:
        self.model = model
        self._hooked = GradSampleModule(model, batch_first=True, loss_reduction="sum")

    def __call__(self, examples: Examples) -> tuple[Float[Tensor, "entity parameter"], Float[Tensor, " entity"]]:
        """Return each entity's gradient, parameters in the order of `get_vector`, and its loss."""
        losses = entity_losses(self._hooked, self.model.likelihood, examples)
        losses.sum().backward()
        per_parameter = [_grad_sample(parameter).flatten(1) for parameter in self.model.parameters()]
        gradients = torch.cat(per_parameter, dim=1)
        self._hooked.zero_grad(set_to_none=True)
        return gradients, losses.detach()

    def close(self) -> None:
        """Take the hooks off the model again."""
        self._hooked.remove_hooks()


def _grad_sample(parameter: nn.Parameter) -> Float[Tensor, "entity ..."]:
    """Read what Opacus' hooks left on a parameter."""
    grad_sample: Tensor = parameter.grad_sample  # type: ignore[attr-defined]
    return grad_sample
