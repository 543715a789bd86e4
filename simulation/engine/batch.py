"""The fast engine: a round of all merchants as one batch.

With one step per round every merchant evaluates the same weights. So all entities go through one model in
chunks, each entity's gradient is clipped by itself and added with its merchant's public weight, and the
merchants' independent Gaussian noises become one Gaussian whose variance is the sum of theirs. Exact for one
step per round with everyone answering; the parity test holds it against the ClientApp path.
Under trust in a secure sum weights and variance are those of `simulation.engine.shared_noise`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from queue import SimpleQueue

import torch
from jaxtyping import Float, Int
from torch import Tensor

from client.round.entity_gradient import GradientFactorModule
from client.round.fused.step import find_step
from common.model.demand_gru import entity_losses, get_vector, set_vector
from common.model.features import Examples, Series, cut_training, draws_windows
from common.model.network import Network
from common.plan.schema import TrainingPlan
from common.privacy.clipping import require_model_size
from common.privacy.mechanism import Mechanism
from common.privacy.noise import NoiseSource
from common.privacy.weight import merchant_weights
from server.round.optimizer import Optimizer, ServerState, advance, start_state
from simulation.engine.one_by_one import gradients_one_by_one
from simulation.engine.probe import passes_at_once
from simulation.engine.shared_noise import shared_noise_std, sum_weights

CHUNK_ENTITIES, DEVICE_CHUNK_ENTITIES = 256, 16_384  # for the cache of a core, for the memory of a device
NOISE_LATTICE = 2.0**-40  # the engine's one combined noise is drawn in these units of its own std


@dataclass(frozen=True)
class Cohort:
    """Who takes part: the merchant of every entity, and each merchant's public size class."""

    merchant_of: Int[Tensor, " entity"]
    size_classes: tuple[int, ...]


def round_weights(cohort: Cohort, mechanism: Mechanism, *, cap: float) -> Float[Tensor, " merchant"]:
    """Weigh one entity's clipped gradient at each merchant: the merchant's weight over its size class."""
    sigmas = [mechanism.noise_multiplier] * len(cohort.size_classes)
    weights = merchant_weights(cohort.size_classes, sigmas, cap=cap)
    return weights / torch.tensor(cohort.size_classes, dtype=torch.float64)


def federate(
    model: Network,
    series: Series,
    cohort: Cohort,
    mechanism: Mechanism,
    *,
    training: TrainingPlan,
    cap: float,
    noise: NoiseSource,
    device: torch.device,
    num_threads: int = 1,
    trusts_sum: bool = False,
    noise_share: int | None = None,
    state: ServerState | None = None,
    optimizer: Optimizer | None = None,
    on_round: Callable[[ServerState, float], None] = lambda state, loss: None,
) -> ServerState:
    """Run all rounds, from `state` where one is given, and leave the averaged model in `model`.

    Parameters
    ----------
    model
        The plan's, or in a study any other network.
    num_threads
        Threads that share the chunks of a round.
    trusts_sum
        Whether merchants add up in a secure sum and share its noise, instead of each adding all of it; there is no
        `cap` then.
    noise_share
        How many merchants share the noise of a secure sum, by the plan; as is usual if left out.
    optimizer
        The plan's if left out.
    on_round
        Called after each round with the new state and the mean training loss. The loss is the researcher's:
        no merchant sends it.

    Raises
    ------
    ConfigError
        Under clipping, a network whose entities have no gradient of their own; see `simulation.engine.probe`.
        A secure sum of one merchant.
    PrivacyError
        A network larger than clipping is proven for.
    """
    model.to(device)
    require_model_size(len(get_vector(model)))
    state = state or start_state(get_vector(model).cpu())
    per_entity, std = _weigh(cohort, mechanism, cap=cap, trusts_sum=trusts_sum, noise_share=noise_share)
    size = CHUNK_ENTITIES if device.type == "cpu" else DEVICE_CHUNK_ENTITIES
    chunks = [series.select(rows) for rows in torch.arange(series.num_entities).split(size)]
    weight_of = per_entity[cohort.merchant_of].split(size)
    cutter = _cutter(chunks, device)
    for _ in range(state.round_number if std > 0 else 0):  # so that a resumed run equals an undisturbed one
        noise.integers(len(state.parameters), 1 / NOISE_LATTICE)
    at_once = mechanism.clipping_norm is None or not chunks or passes_at_once(model, cutter(1)(0))
    with closing(Workers(model, num_threads=num_threads, at_once=at_once)) as crew:
        while state.round_number < training.num_rounds:
            cut, parameters = cutter(state.round_number + 1), state.parameters.to(device, torch.float32)
            total, loss = crew.sum_gradients(parameters, cut, weight_of, mechanism)
            if std > 0:
                total += noise.integers(len(total), 1 / NOISE_LATTICE).double() * (std * NOISE_LATTICE)
            state = advance(state, total, training, optimizer)
            on_round(state, loss)
    set_vector(model, state.average.to(device, torch.float32))
    return state


def _weigh(
    cohort: Cohort, mechanism: Mechanism, *, cap: float, trusts_sum: bool, noise_share: int | None
) -> tuple[Float[Tensor, " merchant"], float]:
    """Give the weight of one entity at each merchant, and the standard deviation of everyone's noise together."""
    if trusts_sum:
        return sum_weights(cohort.size_classes), shared_noise_std(cohort.size_classes, mechanism, noise_share)
    per_entity = round_weights(cohort, mechanism, cap=cap)
    return per_entity, mechanism.noise_std * float(per_entity.square().sum().sqrt())


def _cutter(chunks: list[Series], device: torch.device) -> Callable[[int], Callable[[int], Examples]]:
    """For each round, a function from a chunk's number to its examples; cut once if every round reads the same."""
    if draws_windows(chunks[0]):
        return lambda round_number: lambda number: cut_training(chunks[number], round_number).to(device)
    whole = [cut_training(chunk, 1).to(device) for chunk in chunks]
    return lambda round_number: whole.__getitem__


class Workers:
    """Threads that share the chunks of a round, each with a copy of the model.

    Torch's own threads stall where another process takes a core. The threads outlive a round, because the memory
    that a new one asks for is new to the machine too.

    Parameters
    ----------
    at_once
        Whether one pass gives the gradients of all entities of a chunk; else they are taken entity by entity.
    """

    def __init__(self, model: Network, *, num_threads: int, at_once: bool = True) -> None:
        self._sum_chunk = _sum_chunk if at_once else _sum_one_by_one
        self._pool = ThreadPoolExecutor(num_threads)
        self._models = [copy.deepcopy(model) for _ in range(num_threads)]
        self._idle: SimpleQueue[Network] = SimpleQueue()
        for own in self._models:
            self._idle.put(own)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def sum_gradients(
        self,
        parameters: Float[Tensor, " parameter"],
        cut: Callable[[int], Examples],
        weight_of: Sequence[Float[Tensor, " _entity"]],
        mechanism: Mechanism,
    ) -> tuple[Float[Tensor, " parameter"], float]:
        """Weighted sum of the clipped gradients of all entities at `parameters`, and their mean loss.

        Sums are added in the order of the chunks, so threads change no bit.
        """
        for own in self._models:
            set_vector(own, parameters)

        def sum_chunk(number: int) -> tuple[Tensor, float]:
            own = self._idle.get()
            try:
                return self._sum_chunk(own, cut(number), weight_of[number], mechanism)
            finally:
                self._idle.put(own)

        total = torch.zeros(len(parameters), dtype=torch.float64)
        losses = 0.0
        for part, loss in self._pool.map(sum_chunk, range(len(weight_of))):
            total += part
            losses += loss
        return total, losses / max(1, sum(len(weight) for weight in weight_of))


def _sum_chunk(
    model: Network, examples: Examples, weight: Float[Tensor, " entity"], mechanism: Mechanism
) -> tuple[Float[Tensor, " parameter"], float]:
    step = find_step(model, mechanism, examples.inputs.device)
    if mechanism.clipping_norm is None:
        total, losses = _plain_sum(model, examples, weight)
    elif step is not None:
        total, losses = step.weighted_sum(examples, mechanism, weight)
    else:
        with closing(GradientFactorModule(model)) as hooked:
            gradients, losses = hooked.gradients(examples)
        total = gradients.sum_clipped(weight.to(losses.device), mechanism.clipping_norm, mechanism.rule)
    return total.double().cpu(), float(losses.sum())


def _sum_one_by_one(
    model: Network, examples: Examples, weight: Float[Tensor, " entity"], mechanism: Mechanism
) -> tuple[Float[Tensor, " parameter"], float]:
    """Do the same for a network whose gradients cannot be had from one pass."""
    gradients, losses = gradients_one_by_one(model, examples)
    total = weight.to(losses.device) @ mechanism.clip(gradients)
    return total.cpu(), float(losses.sum())


def _plain_sum(
    model: Network, examples: Examples, weight: Float[Tensor, " entity"]
) -> tuple[Float[Tensor, " parameter"], Float[Tensor, " entity"]]:
    """One ordinary backward pass; nothing is clipped."""
    losses = entity_losses(model, model.likelihood, examples)
    total = (losses * weight.to(losses)).sum()
    gradients = torch.autograd.grad(total, list(model.parameters()))
    return torch.cat([gradient.reshape(-1) for gradient in gradients]), losses.detach()
