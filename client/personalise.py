"""Fit the global model to one merchant, on its own data; the result never leaves, so it costs no privacy.

The encoder stays as the federation learned it; the decoder (what the past and the days ahead mean for demand) moves.
It is the most probable one under a Gaussian prior around the global decoder (mean-regularised: Hanzely & Richtárik
2020, arXiv 2002.05516, seen as a prior as in Li et al. 2021, Ditto, arXiv 2012.04221). How strong the prior is, is
chosen on the merchant's own last horizon, which took no part in that fit, and never weaker than the evidence asks
for: a tiny merchant stays with the global model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from client.route import within_one_standard_error
from common.errors import DataError
from common.features import Examples, Series, build_series, count_trainable, cut_forecast, cut_training, draws_windows
from common.model import DemandGRU, entity_losses
from common.panel import Panel
from common.plan import ModelPlan

PRIOR_STRENGTHS = (
    1000.0,
    300.0,
    100.0,
    30.0,
    10.0,
    3.0,
)  # of the squared distance, against the sum of entities' losses
WINDOWS = 4  # per entity, where its history is longer than the model's window
ITERATIONS = 30  # of L-BFGS, from the solution of the stronger prior


@dataclass(frozen=True)
class _Records:
    """What the decoder learns from: contexts are worked out once, since the encoder does not move."""

    context: Float[Tensor, "entity position context"]
    future: Float[Tensor, "entity position bucket covariate"]
    anchor: Float[Tensor, "entity position bucket"]
    label: Float[Tensor, "entity position bucket"]
    weight: Float[Tensor, "entity position bucket"]


def personalise(model: DemandGRU, panel: Panel, plan: ModelPlan, day: int) -> DemandGRU:
    """Return `model` fitted to the merchant whose entities are `panel`, on the days before `day`.

    Where there is too little history to choose the strength of the prior, the global model is returned as it is.
    """
    global_model = copy.deepcopy(model).cpu().double()
    strength = _choose_strength(global_model, panel, plan, day)
    if strength is None:
        return global_model.float()
    records = _records(global_model, build_series(panel, plan, day))
    *_, (_, fitted) = _path(global_model, records, strength)
    return fitted.float()


def _choose_strength(model: DemandGRU, panel: Panel, plan: ModelPlan, day: int) -> float | None:
    """Give the strongest prior within one standard error of the best on the last horizon; None is the global model."""
    cut = day - plan.horizon_days
    earlier = panel.select(np.flatnonzero(panel.first_day < cut))
    if len(earlier.entities) < 2 or cut < plan.step_days:
        return None
    series = build_series(earlier, plan, cut)
    try:
        count_trainable(series)
    except DataError:
        return None
    held_out = cut_forecast(series)
    losses: dict[float | None, np.ndarray] = {None: _held_out_losses(model, held_out)}
    for strength, fitted in _path(model, _records(model, series), PRIOR_STRENGTHS[-1]):
        losses[strength] = _held_out_losses(fitted, held_out)
    best = min(losses.values(), key=np.mean)
    return next(strength for strength, loss in losses.items() if within_one_standard_error(loss, best))


@torch.no_grad()
def _held_out_losses(model: DemandGRU, held_out: Examples) -> Float[np.ndarray, " entity"]:
    return entity_losses(model, model.likelihood, _double(held_out)).numpy()


@torch.no_grad()
def _records(model: DemandGRU, series: Series) -> _Records:
    """Cut each entity's windows and run the encoder over them once."""
    rounds = range(1, 1 + (WINDOWS if draws_windows(series) else 1))
    windows = [_double(cut_training(series, round_number)) for round_number in rounds]
    return _Records(
        context=torch.cat([model.encode(window) for window in windows], dim=1),
        future=torch.cat([window.future for window in windows], dim=1),
        anchor=torch.cat([window.anchor for window in windows], dim=1),
        label=torch.cat([window.label for window in windows], dim=1),
        weight=torch.cat([window.weight for window in windows], dim=1),
    )


def _double(examples: Examples) -> Examples:
    """Work in double precision, where L-BFGS finds its line searches easy."""
    as_double = {name: value.double() for name, value in vars(examples).items() if value.dtype == torch.float32}
    return replace(examples, **as_double)


def _path(model: DemandGRU, records: _Records, weakest: float) -> Iterator[tuple[float, DemandGRU]]:
    """Fit with weaker and weaker priors, each from the solution before."""
    fitted = copy.deepcopy(model)
    for strength in PRIOR_STRENGTHS:
        if strength >= weakest:
            _fit(fitted, model, records, strength)
            yield strength, copy.deepcopy(fitted)


def _fit(fitted: DemandGRU, prior: DemandGRU, records: _Records, strength: float) -> None:
    """Move the decoder of `fitted` to the most probable one under the prior."""
    moving = [tensor.requires_grad_() for tensor in _decoder(fitted)]
    center = [tensor.detach() for tensor in _decoder(prior)]
    optimizer = torch.optim.LBFGS(moving, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        outputs = fitted.decode(records.context, records.future, records.anchor)
        loss = fitted.likelihood.loss(outputs, records.anchor, records.label)
        distance = sum(((own - start) ** 2).sum() for own, start in zip(moving, center, strict=True))
        evidence = (loss * records.weight).sum() / records.weight[0].numel()
        objective = (evidence + strength * distance) / len(records.weight)
        objective.backward()
        return objective

    optimizer.step(closure)


def _decoder(model: DemandGRU) -> Iterator[Tensor]:
    """Give the decoder's weights; what a federation kept frozen moves here too."""
    for layer in (model.from_context, model.from_future, model.output):
        yield from (*layer.parameters(), *layer.buffers())
