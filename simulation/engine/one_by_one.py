"""The gradient of every entity by the plainest way there is: one entity after another, each alone in the network.

Slow, and right for whatever autograd can differentiate: layers of any kind, shared ones, tied parameters. Nothing of
one entity can reach another's gradient, because they never meet. `client.round.entity_gradient` does the same for
linear layers and our GRU from one pass.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from common.model.demand_gru import entity_losses
from common.model.features import Examples
from common.model.network import Network


def gradients_one_by_one(
    network: Network, examples: Examples
) -> tuple[Float[Tensor, "entity parameter"], Float[Tensor, " entity"]]:
    """Return each entity's flat gradient over all parameters jointly, and its loss."""
    parameters = list(network.parameters())
    gradients = examples.inputs.new_zeros(len(examples.inputs), sum(parameter.numel() for parameter in parameters))
    losses = examples.inputs.new_zeros(len(examples.inputs))
    for entity in range(len(examples.inputs)):
        loss = entity_losses(network, network.likelihood, pick_entity(examples, entity)).sum()
        parts = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
        gradients[entity] = torch.cat([part.reshape(-1) for part in parts])
        losses[entity] = loss.detach()
    return gradients, losses


def pick_entity(examples: Examples, entity: int) -> Examples:
    """Keep one entity; positions are the same for all."""
    one = slice(entity, entity + 1)
    return Examples(**{name: part if name == "position" else part[one] for name, part in examples.parts.items()})
