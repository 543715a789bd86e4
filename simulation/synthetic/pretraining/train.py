"""Train a warm model of a plan's shape: every few batches a new invented world."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import Parameter

from common.data.panel import Panel
from common.model.calendar_path import CalendarMoments, CalendarPath
from common.model.demand_gru import DemandGRU, draw_model, entity_losses, standardise
from common.model.features import Examples, Series, build_series, cut_training
from common.model.warm.start import CALENDAR
from common.plan.schema import ModelPlan
from simulation.synthetic.pretraining.calendar import log_uniform
from simulation.synthetic.pretraining.customer import draw_customers
from simulation.synthetic.pretraining.product import draw_products

MERCHANTS, ENTITIES = 24, 48  # of one world
BATCH_ENTITIES = 128
COUNTED_DAYS = 120, 800  # of history before the origin
MONEY_DAYS = 14.0, 1700.0  # from a newcomer's to four and a half years; for counts that made the model no better
LEARNING_RATE, WEIGHT_DECAY, EMA = 0.01, 1e-3, 0.99
MEASURED_BATCHES = 40  # from which center and spread of what the last layer sees are taken
SMALLEST_SPREAD = 0.05


def train_warm(
    plan: ModelPlan, *, num_steps: int, seed: int, on_step: Callable[[int, float], None] = lambda step, loss: None
) -> tuple[DemandGRU, Series]:
    """Train on invented demand, and return the averaged model with a series that names its columns."""
    model: DemandGRU | None = None
    for step, (series, examples) in zip(range(1, num_steps + 1), _batches(plan, seed), strict=False):
        if model is None:
            model = draw_model(plan, series, seed=seed)
            average = copy.deepcopy(model)
            optimizer = torch.optim.AdamW(_learning(model), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=num_steps)
        loss = entity_losses(model, model.likelihood, examples).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        _follow(average, model)
        on_step(step, float(loss.detach()))
    if plan.direct:
        standardise(average, *measure(average, plan, seed))
    return average, series


@torch.no_grad()
def measure(model: DemandGRU, plan: ModelPlan, seed: int) -> tuple[Float[Tensor, " width"], Float[Tensor, " width"]]:
    """Take mean and standard deviation of everything that the last layer sees, over invented demand."""
    seen = []
    for _, examples in itertools.islice(_batches(plan, seed), MEASURED_BATCHES):
        read = model.read(model.encode(examples), examples.future, examples.anchor)
        seen.append(read[examples.weight > 0])
    every = torch.cat(seen)
    return every.mean(dim=0), every.std(dim=0).clamp(min=SMALLEST_SPREAD)


@torch.no_grad()
def measure_calendar(plan: ModelPlan, seed: int) -> CalendarMoments:
    """Take mean and covariance of everything that a plan's calendar path sees, over invented demand."""
    number, total, square = 0, torch.zeros(()), torch.zeros(())
    for series, examples in itertools.islice(_batches(plan, seed), MEASURED_BATCHES):
        path = CalendarPath(plan.likelihood, series.future_names)
        every = path.columns(examples.inputs[:, examples.position], examples.future, examples.anchor)
        seen = every[examples.weight > 0].double()
        number, total, square = number + len(seen), total + seen.sum(dim=0), square + seen.T @ seen
    center = total / number
    return CalendarMoments(center.float(), (square / number - torch.outer(center, center)).float())


def _learning(model: DemandGRU) -> list[Parameter]:
    """Give what invented demand teaches: all but the calendar path, which real calendars teach."""
    return [parameter for name, parameter in model.named_parameters() if not name.startswith(CALENDAR)]


def draw_world(plan: ModelPlan, generator: np.random.Generator) -> Panel:
    """Draw a world of the kind that the plan's likelihood describes."""
    money = plan.likelihood == "log_normal"
    history = round(log_uniform(generator, *MONEY_DAYS)) if money else int(generator.integers(*COUNTED_DAYS))
    days = history + plan.horizon_days
    if plan.likelihood == "hurdle_negative_binomial":
        return draw_customers(generator, merchants=MERCHANTS, entities=ENTITIES, days=days)
    return draw_products(
        generator,
        merchants=MERCHANTS,
        entities=ENTITIES,
        days=days,
        regime=plan.anchor.regime,
        money=money,
    )


def _batches(plan: ModelPlan, seed: int) -> Iterator[tuple[Series, Examples]]:
    generator = np.random.default_rng(seed)
    while True:
        panel = draw_world(plan, generator)
        series = build_series(panel, plan, panel.num_days)
        order: Tensor = torch.from_numpy(generator.permutation(series.num_entities))
        for rows in order.split(BATCH_ENTITIES):
            yield series, cut_training(series.select(rows), int(generator.integers(1, 1 << 30)))


@torch.no_grad()
def _follow(average: DemandGRU, model: DemandGRU) -> None:
    for mean, parameter in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(parameter, 1 - EMA)
