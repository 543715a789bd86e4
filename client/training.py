"""One round at one merchant: from the global model and the merchant's own series to one noised sum.

This is the only place where private data becomes something that leaves.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from client.gradient import EntityGradients
from common.features import Series, cut_training
from common.model import DemandGRU, set_vector
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource

CHUNK_ENTITIES = 256


def train_round(
    model: DemandGRU,
    series: Series,
    parameters: Float[Tensor, " parameter"],
    *,
    round_number: int,
    mechanism: Mechanism,
    noise: NoiseSource,
    device: torch.device,
) -> Int64[Tensor, " parameter"]:
    """Sum every entity's clipped gradient at `parameters` on the lattice, and add noise.

    Guarantee
    ---------
    - Every entity of `series` takes part in every round, with one contribution of L2 norm at most
      `mechanism.clipping_norm`; what one entity contributes depends on no other entity.
    - The result has the length of `parameters` whatever the data; an empty data set gives noise around zero.
    """
    set_vector(model.to(device), parameters.to(device, torch.float32))
    total = torch.zeros(len(parameters), dtype=torch.int64)
    gradients_of = EntityGradients(model)
    for rows in torch.arange(series.num_entities).split(CHUNK_ENTITIES):
        if len(rows):
            gradients, _ = gradients_of(cut_training(series.select(rows), round_number).to(device))
            total += mechanism.contribution(gradients.cpu())
    gradients_of.close()
    return mechanism.release(total, noise)
