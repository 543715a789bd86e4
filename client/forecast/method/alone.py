"""Ordinary mini-batch training of the same model, for the methods that do not federate: many merchants at once.

Merchants of like size train side by side, each its own model on its own batches: their flat vectors are the rows of
one matrix, and `torch.func.vmap` runs the model over the rows. A merchant's result is, to rounding, that of training
it by itself.

How many steps are enough is decided on the last horizon before the origin, which is then given back for the
final training: a small merchant stops early, at worst at the anchor.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import functional_call, vmap

from client.forecast.released import forecast_demand
from common.data.panel import Panel
from common.forecast.metric import Forecast
from common.model.demand_gru import DemandGRU, draw_model, entity_losses, get_vector, set_vector
from common.model.features import Examples, Series, build_series, cut_forecast, cut_training
from common.plan.schema import AlonePlan, ModelPlan

CHECKS = 8  # how often the held-out loss is looked at
TOGETHER = 2048  # entities of a step, over all merchants that train side by side
GRADIENT_NORM = 1.0

Progress = Callable[[int, float], None]
Rows = Int[np.ndarray, " _entity"]


def train_alone(
    panel: Panel,
    rows_of: Sequence[Rows],
    plan: ModelPlan,
    alone: AlonePlan,
    day: int,
    *,
    seed: int,
    device: torch.device,
    on_step: Progress = lambda step, loss: None,
) -> Forecast:
    """Train a model for each merchant on its own rows, without privacy, and forecast from day `day`.

    Parameters
    ----------
    rows_of
        The entities of each merchant; together all of the panel, and none twice.
    on_step
        Called with the number of steps done in the final trainings, and the mean loss of the merchants in it.
    """
    series = build_series(panel, plan, day)
    stops = _enough_steps(panel, rows_of, plan, alone, day, seed=seed, device=device)
    model = draw_model(plan, series, seed=seed).to(device)
    vectors, done = get_vector(model).repeat(len(rows_of), 1), 0
    for group in _like_sized(rows_of, alone):
        last = max(stops[merchant] for merchant in group)
        for step, now, loss in _descend(model, series, [rows_of[merchant] for merchant in group], alone, last, seed):
            done += 1
            on_step(done, loss)
            for place, merchant in enumerate(group):
                if stops[merchant] == step:
                    vectors[merchant] = now[place]
    forecasts = []
    for vector, rows in zip(vectors, rows_of, strict=True):
        set_vector(model, vector)
        forecasts.append(forecast_demand(model, series.select(torch.from_numpy(rows)), device=device))
    return Forecast.concatenate(forecasts).select(np.argsort(np.concatenate(rows_of)))


def _enough_steps(
    panel: Panel,
    rows_of: Sequence[Rows],
    plan: ModelPlan,
    alone: AlonePlan,
    day: int,
    *,
    seed: int,
    device: torch.device,
) -> list[int]:
    """Train up to one horizon before the origin and see after how many steps each forecasts that horizon best."""
    stops = [0] * len(rows_of)
    cut = day - plan.horizon_days
    born = [rows[panel.first_day[rows] < cut] for rows in rows_of]
    if cut < plan.step_days + cut % plan.step_days + plan.horizon_days or not any(len(rows) for rows in born):
        return stops
    series = build_series(panel, plan, cut)
    model = draw_model(plan, series, seed=seed).to(device)
    for group in _like_sized(born, alone):
        rows = [born[merchant] for merchant in group]
        losses = {0: _held_out_losses(model, get_vector(model).repeat(len(group), 1), series, rows)}
        for step, now, _ in _descend(model, series, rows, alone, alone.num_steps, seed):
            if step % max(1, alone.num_steps // CHECKS) == 0:
                losses[step] = _held_out_losses(model, now, series, rows)
        best = torch.stack(list(losses.values())).nan_to_num(nan=torch.inf).argmin(dim=0)
        for merchant, index in zip(group, best.tolist(), strict=True):
            stops[merchant] = list(losses)[index]
    return stops


def _like_sized(rows_of: Sequence[Rows], alone: AlonePlan) -> Iterator[list[int]]:
    """Split the merchants that have entities into groups whose batches differ little, the smallest first."""
    sizes = [min(len(rows), alone.batch_size) for rows in rows_of]
    group: list[int] = []
    for merchant in sorted(np.flatnonzero(sizes).tolist(), key=lambda merchant: sizes[merchant]):
        size = sizes[merchant]
        if group and (size > 2 * sizes[group[0]] or size * (len(group) + 1) > TOGETHER):
            yield group
            group = []
        group.append(merchant)
    if group:
        yield group


def _descend(
    model: DemandGRU, series: Series, rows_of: Sequence[Rows], alone: AlonePlan, num_steps: int, seed: int
) -> Iterator[tuple[int, Float[Tensor, "merchant parameter"], float]]:
    """AdamW over shuffled batches of entities with a one-cycle learning rate (Smith & Topin 2018), from `model`.

    Gives after each step its number, what the merchants' vectors are now, and their mean loss.
    """
    vectors = get_vector(model).repeat(len(rows_of), 1).requires_grad_()
    optimizer = torch.optim.AdamW([vectors], lr=alone.learning_rate, weight_decay=alone.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, alone.learning_rate, total_steps=alone.num_steps)
    batches = [_batches(rows, alone, torch.Generator().manual_seed(seed)) for rows in rows_of]
    for step in range(1, num_steps + 1):
        batch = _Batch.of([next(each) for each in batches])
        examples = cut_training(series.select(batch.rows), step).to(vectors.device)
        losses = (_losses(model, vectors, examples) * batch.share.to(vectors.device)).sum(dim=1)
        (gradients,) = torch.autograd.grad(losses.sum(), vectors)
        norms = torch.linalg.vector_norm(gradients, dim=1, keepdim=True)
        vectors.grad = gradients * (GRADIENT_NORM / (norms + 1e-6)).clamp(max=1.0)
        optimizer.step()
        schedule.step()
        yield step, vectors.detach(), float(losses.detach().mean())


@dataclass(frozen=True)
class _Batch:
    """One batch of each merchant, filled up to one length with entities that have no share in the loss."""

    rows: Int[Tensor, " filled"]
    share: Float[Tensor, "merchant entity"]

    @staticmethod
    def of(batches: Sequence[Int[Tensor, " _entity"]]) -> _Batch:
        length = max(len(batch) for batch in batches)
        place = torch.arange(length)
        rows = torch.cat([batch[place % len(batch)] for batch in batches])
        share = torch.stack([(place < len(batch)) / len(batch) for batch in batches])
        return _Batch(rows, share)


def _batches(rows: Rows, alone: AlonePlan, generator: torch.Generator) -> Iterator[Int[Tensor, " entity"]]:
    own = torch.from_numpy(rows)
    while True:
        for places in torch.randperm(len(own), generator=generator).split(alone.batch_size):
            yield own[places]


def _losses(
    model: DemandGRU, vectors: Float[Tensor, "merchant parameter"], examples: Examples
) -> Float[Tensor, "merchant entity"]:
    """Give the losses of each merchant's entities, which stand one merchant after the other, in its own model."""
    names = [name for name, _ in model.named_parameters()]
    shapes = [parameter.shape for parameter in model.parameters()]
    fields = {
        name: value.unflatten(0, (len(vectors), -1)) for name, value in examples.parts.items() if name != "position"
    }

    def losses_of(vector: Tensor, own: dict[str, Tensor]) -> Tensor:
        parts = vector.split([shape.numel() for shape in shapes])
        parameters = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        cut = Examples(position=examples.position, **own)
        return entity_losses(lambda cut: functional_call(model, parameters, (cut,)), model.likelihood, cut)

    return vmap(losses_of)(vectors, fields)


@torch.no_grad()
def _held_out_losses(
    model: DemandGRU, vectors: Float[Tensor, "merchant parameter"], series: Series, rows_of: Sequence[Rows]
) -> Float[Tensor, " merchant"]:
    """Mean loss of each merchant's entities in the horizon that `series` ends before."""
    probe, losses = copy.deepcopy(model), []
    for vector, rows in zip(vectors, rows_of, strict=True):
        set_vector(probe, vector)
        held_out = cut_forecast(series.select(torch.from_numpy(rows))).to(vectors.device)
        losses.append(entity_losses(probe, probe.likelihood, held_out).mean())
    return torch.stack(losses)
