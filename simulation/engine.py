"""The fast engine: a round of all merchants as one batch.

With one step per round every merchant evaluates the same weights. So all entities go through one model in
chunks, each entity's gradient is clipped by itself and added with its merchant's public weight, and the
merchants' independent Gaussian noises become one Gaussian whose variance is the sum of theirs. Exact for one
step per round with everyone answering; the parity test holds it against the ClientApp path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from client.gradient import EntityGradients
from common.features import Series, cut_training
from common.model import DemandGRU, entity_losses, get_vector, set_vector
from common.plan import TrainingPlan
from common.privacy.clipping import clip_factors
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource
from server.aggregation import merchant_weights
from server.optimizer import ServerState, advance, start_state

CHUNK_ENTITIES = 256
NOISE_LATTICE = 2.0**-40  # the engine's one combined noise is drawn in these units of its own std


@dataclass(frozen=True)
class Cohort:
    """Who takes part: the merchant of every entity, and each merchant's public size class."""

    merchant_of: Int[Tensor, " entity"]
    size_classes: tuple[int, ...]


def round_weights(cohort: Cohort, mechanism: Mechanism, *, cap: float) -> Float[Tensor, " merchant"]:
    """What one entity's clipped gradient counts for at each merchant: the merchant's weight over its size class."""
    sigmas = [mechanism.noise_multiplier] * len(cohort.size_classes)
    weights = merchant_weights(cohort.size_classes, sigmas, cap=cap)
    return weights / torch.tensor(cohort.size_classes, dtype=torch.float64)


def federate(
    model: DemandGRU,
    series: Series,
    cohort: Cohort,
    mechanism: Mechanism,
    *,
    training: TrainingPlan,
    cap: float,
    noise: NoiseSource,
    device: torch.device,
    state: ServerState | None = None,
    on_round: Callable[[ServerState, float], None] = lambda state, loss: None,
) -> ServerState:
    """Run all rounds, from `state` where one is given, and leave the averaged model in `model`.

    Parameters
    ----------
    on_round
        Called after each round with the new state and the mean training loss. The loss is the researcher's:
        no merchant sends it.
    """
    model.to(device)
    state = state or start_state(get_vector(model).cpu())
    per_entity = round_weights(cohort, mechanism, cap=cap)
    chunks = [series.select(rows) for rows in torch.arange(series.num_entities).split(CHUNK_ENTITIES)]
    weight_of = per_entity[cohort.merchant_of].split(CHUNK_ENTITIES)
    std = mechanism.noise_std * float(per_entity.square().sum().sqrt())
    while state.round_number < training.num_rounds:
        set_vector(model, state.parameters.to(device, torch.float32))
        total, loss = sum_gradients(model, chunks, weight_of, mechanism, state.round_number + 1, device)
        if std > 0:
            unit = std * NOISE_LATTICE
            total += noise.integers(len(total), 1 / NOISE_LATTICE).double() * unit
        state = advance(state, total, training)
        on_round(state, loss)
    set_vector(model, state.average.to(device, torch.float32))
    return state


def sum_gradients(
    model: DemandGRU,
    chunks: list[Series],
    weight_of: tuple[Float[Tensor, " entity"], ...],
    mechanism: Mechanism,
    round_number: int,
    device: torch.device,
) -> tuple[Float[Tensor, " parameter"], float]:
    """Weighted sum of clipped gradients of all entities, and the mean loss."""
    total = torch.zeros(get_vector(model).numel(), dtype=torch.float64)
    loss_sum, num_entities = 0.0, 0
    gradients_of = EntityGradients(model) if mechanism.clipping_norm is not None else None
    for chunk, weight in zip(chunks, weight_of, strict=True):
        examples = cut_training(chunk, round_number).to(device)
        if gradients_of is None:
            losses = entity_losses(model, model.likelihood, examples)
            model.zero_grad(set_to_none=True)
            (losses * weight.to(device, torch.float32)).sum().backward()  # type: ignore[no-untyped-call]
            total += (
                torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None])
                .double()
                .cpu()
            )
        else:
            gradients, losses = gradients_of(examples)
            norms = torch.linalg.vector_norm(gradients, dim=1, dtype=torch.float64)
            factor = clip_factors(norms, float(mechanism.clipping_norm or 0.0)) * weight.to(device)
            total += (factor.float() @ torch.nan_to_num(gradients, posinf=0.0, neginf=0.0)).double().cpu()
        loss_sum += float(losses.detach().sum())
        num_entities += chunk.num_entities
    if gradients_of is not None:
        gradients_of.close()
    return total, loss_sum / max(1, num_entities)
