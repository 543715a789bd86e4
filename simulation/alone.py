"""Ordinary mini-batch training of the same model, for the methods that do not federate.

How many steps are enough is decided on the last horizon before the origin, which is then given back for the
final training: a small merchant stops early, at worst at the anchor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from client.forecast import forecast_demand
from common.features import Examples, Series, build_series, cut_forecast, cut_training
from common.metric import Forecast
from common.model import DemandGRU, entity_losses, make_model
from common.panel import Panel
from common.plan import AlonePlan, ModelPlan

CHECKS = 8  # how often the held-out loss is looked at

Progress = Callable[[int, float], None]


def train_alone(
    panel: Panel,
    plan: ModelPlan,
    alone: AlonePlan,
    day: int,
    *,
    seed: int,
    device: torch.device,
    on_step: Progress = lambda step, loss: None,
) -> Forecast:
    """Train on one panel in one place, without privacy, and forecast from day `day`."""
    series = build_series(panel, plan, day)
    num_steps = _enough_steps(panel, plan, alone, day, seed=seed, device=device)
    model = _make(series, plan, seed)
    _train(model, series, alone, num_steps, seed=seed, device=device, on_step=on_step)
    return forecast_demand(model, series, device=device)


def _make(series: Series, plan: ModelPlan, seed: int) -> DemandGRU:
    return make_model(plan, num_features=series.num_features, num_future=series.num_future, seed=seed)


def _enough_steps(panel: Panel, plan: ModelPlan, alone: AlonePlan, day: int, *, seed: int, device: torch.device) -> int:
    """Train up to one horizon before the origin and see after how many steps that horizon is forecast best."""
    cut = day - plan.horizon_days
    first_cutoff = plan.step_days + cut % plan.step_days
    earlier = np.flatnonzero(panel.first_day < cut)
    if len(earlier) == 0 or cut < first_cutoff + plan.horizon_days:
        return 0
    series = build_series(panel.select(earlier), plan, cut)
    held_out = cut_forecast(series).to(device)
    model = _make(series, plan, seed)
    losses = {0: _mean_loss(model.to(device), held_out)}

    def look(step: int, _: float) -> None:
        if step % max(1, alone.num_steps // CHECKS) == 0:
            losses[step] = _mean_loss(model, held_out)

    _train(model, series, alone, alone.num_steps, seed=seed, device=device, on_step=look)
    return min(losses, key=lambda step: losses[step])


@torch.no_grad()
def _mean_loss(model: DemandGRU, examples: Examples) -> float:
    return float(entity_losses(model, model.likelihood, examples).mean())


def _train(
    model: DemandGRU,
    series: Series,
    alone: AlonePlan,
    num_steps: int,
    *,
    seed: int,
    device: torch.device,
    on_step: Progress,
) -> None:
    """AdamW over shuffled batches of entities with a one-cycle learning rate (Smith & Topin 2018)."""
    if num_steps == 0:
        return
    model.to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=alone.learning_rate, weight_decay=alone.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, alone.learning_rate, total_steps=alone.num_steps)
    generator = torch.Generator().manual_seed(seed)
    for step, rows in zip(range(1, num_steps + 1), _batches(series.num_entities, alone, generator), strict=False):
        examples = cut_training(series.select(rows), step).to(device)
        loss = entity_losses(model, model.likelihood, examples).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        on_step(step, float(loss.detach()))


def _batches(num_entities: int, alone: AlonePlan, generator: torch.Generator) -> Iterator[Int[Tensor, " entity"]]:
    while True:
        yield from torch.randperm(num_entities, generator=generator).split(alone.batch_size)
