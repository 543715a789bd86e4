"""The gradients of all entities from one forward and one backward pass, by Opacus' hooks.

One entity is one record, so Opacus' per-sample gradient is the gradient of everything that the entity did. Opacus
itself multiplies every layer's gradients out for the whole batch; here its hooks keep what went into each linear layer
and what came back, the GRU leaves the same of its steps, and
`common.model.gradient_factors` multiplies out as few as it needs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from opacus.grad_sample import GradSampleModule
from torch import Tensor, nn

from common.model.demand_gru import entity_losses
from common.model.features import Examples
from common.model.gradient_factors import EntityGradients, GradientFactors
from common.model.gru import GRU
from common.model.network import Network

# The inputs of the first layers are data and need no gradient; torch tells so at every backward pass.
warnings.filterwarnings("ignore", message="Full backward hook is firing")


class GradientFactorModule(GradSampleModule):  # type: ignore[misc]
    """A model whose backward pass leaves products in place of gradients, for as long as its hooks hold.

    Made of linear layers and GRUs; any other kind of layer with parameters is refused with a TypeError.
    """

    def __init__(self, model: Network) -> None:
        super().__init__(model, batch_first=True, loss_reduction="sum")
        self.train()  # a model that has forecast is in the other mode, in which Opacus keeps no layer's inputs
        self._recurrent = [layer for layer in model.modules() if isinstance(layer, GRU)]
        self._products: list[GradientFactors] = []
        for gru in self._recurrent:
            gru.factors = {}

    def gradients(self, examples: Examples) -> tuple[EntityGradients, Float[Tensor, " entity"]]:
        """Return each entity's gradient and its loss."""
        losses = entity_losses(self, self._module.likelihood, examples)
        parameters = list(self._module.parameters())
        # Asked for biases alone, autograd passes through every layer and multiplies out no weight.
        biases = [parameter for parameter in parameters if parameter.dim() == 1]
        torch.autograd.grad(losses.sum(), biases, allow_unused=True)
        products = [*self._products, *(product for gru in self._recurrent for product in gru.products())]
        self._products.clear()
        return EntityGradients(products, parameters), losses.detach()

    def close(self) -> None:
        """Take the hooks off the model again."""
        self.remove_hooks()
        for gru in self._recurrent:
            gru.factors = None

    def iterate_submodules(self, module: nn.Module) -> Iterator[nn.Module]:
        """Give the layers that Opacus puts its hooks on: the linear ones."""
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                yield layer
            elif not isinstance(layer, GRU) and any(True for _ in layer.parameters(recurse=False)):
                raise TypeError(f"{type(layer).__name__} has parameters and is neither a linear layer nor a GRU.")

    def capture_backprops_hook(
        self, module: nn.Linear, grad_input: Any, grad_output: tuple[Tensor, ...], **_: Any
    ) -> None:
        """Keep a layer's factors; every dimension between the first and the last counts rows."""
        activations, backprops = self.rearrange_grad_samples(
            module=module, backprops=grad_output[0], loss_reduction=self.loss_reduction, batch_first=self.batch_first
        )
        del module.max_batch_len
        inputs, backprops = (part.unsqueeze(1).flatten(1, -2) for part in (activations[0], backprops))
        self._products.append(GradientFactors(module.weight, module.bias, inputs, backprops))
