"""Fit the global model to one merchant, on its own data; the result never leaves, so it costs no privacy.

The encoder stays as the federation learned it; the decoder (what the past and the days ahead mean for demand) moves,
or where features or calendar have a straight path to the outputs the last layers alone, which are then a regression on
everything that the network sees. It is the most probable one under a Gaussian prior around the global model
(mean-regularised: Hanzely & Richtárik 2020, arXiv 2002.05516, seen as a prior as in Li et al. 2021, Ditto, arXiv
2012.04221). How strong the prior is, is chosen on the merchant's own last horizon, which took no part in that fit, and
never weaker than the evidence asks for: a tiny merchant stays with the global model.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from client.forecast.combination import is_close
from common.data.panel import Panel
from common.errors import DataError
from common.model.demand_gru import DemandGRU, entity_losses
from common.model.features import (
    Examples,
    Series,
    build_series,
    count_trainable,
    cut_forecast,
    cut_training,
    draws_windows,
)
from common.plan.schema import ModelPlan

PRIOR_STRENGTHS = (
    1000.0,
    300.0,
    100.0,
    30.0,
    10.0,
    3.0,
)  # of the squared distance, against the sum of entities' losses
WINDOWS = 4  # per entity at most, where its history is longer than the model's window
ENTITY_WINDOWS = 512  # as many as a merchant needs; one with more entities reads one window of each
ITERATIONS = 30  # of L-BFGS, from the solution of the stronger prior


@dataclass(frozen=True)
class _Records:
    """What the moving layers learn from: what comes before them does not move, so it is worked out once.

    Attributes
    ----------
    context, future
        The decoder's inputs, where all of it moves.
    seen, white
        What the last layer and the calendar path see, where they alone move: one row for every bucket with a label.
    """

    num_records: int
    buckets: int
    anchor: Float[Tensor, "*row"]
    spread: Float[Tensor, "*row"]
    label: Float[Tensor, "*row"]
    weight: Float[Tensor, "*row"]
    context: Float[Tensor, "entity position context"] | None = None
    future: Float[Tensor, "entity position bucket covariate"] | None = None
    seen: Float[Tensor, "row width"] | None = None
    white: Float[Tensor, "row column"] | None = None
    censored: Bool[Tensor, "*row"] | None = None
    expected: Float[Tensor, "*row"] | None = None


def personalise(
    model: DemandGRU, panel: Panel, plan: ModelPlan, day: int, *, earlier: DemandGRU | None = None
) -> DemandGRU:
    """Return `model` fitted to the merchant whose entities are `panel`, on the days before `day`.

    Where there is too little history to choose the strength of the prior, the global model is returned as it is.

    Parameters
    ----------
    earlier
        The same federation's model from before the last horizon, on which the strength is chosen: `model` itself has
        learned from those days. Left out where it has not.
    """
    global_model = copy.deepcopy(model).cpu().double()
    judged = global_model if earlier is None else copy.deepcopy(earlier).cpu().double()
    strength = _choose_strength(judged, panel, plan, day)
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
    losses = _keep_finite(losses)
    if len(losses[None]) < 2:
        return None
    best = min(losses.values(), key=np.mean)
    return next(strength for strength, loss in losses.items() if is_close(loss, best))


def _keep_finite(
    losses: dict[float | None, Float[np.ndarray, " entity"]],
) -> dict[float | None, Float[np.ndarray, " known"]]:
    """Drop the entities that the global model says nothing finite of, and then the fits that do not of the others."""
    known = np.isfinite(losses[None])
    return {strength: loss[known] for strength, loss in losses.items() if np.isfinite(loss[known]).all()}


@torch.no_grad()
def _held_out_losses(model: DemandGRU, held_out: Examples) -> Float[np.ndarray, " entity"]:
    return entity_losses(model, model.likelihood, _double(held_out)).numpy()


@torch.no_grad()
def _records(model: DemandGRU, series: Series) -> _Records:
    """Cut each entity's windows, and run what does not move over them once."""
    wanted = min(max(ENTITY_WINDOWS // series.num_entities, 1), WINDOWS) if draws_windows(series) else 1
    windows = [_double(cut_training(series, round_number)) for round_number in range(1, 1 + wanted)]
    alone = _moves_alone(model)
    rows = [_last_layer_rows(model, window) if alone else _decoder_rows(model, window) for window in windows]
    along = 0 if alone else 1
    joined = {name: torch.cat([row[name] for row in rows], dim=along) for name in rows[0]}
    _, positions, buckets = windows[0].weight.shape
    return _Records(num_records=series.num_entities, buckets=len(windows) * positions * buckets, **joined)


def _moves_alone(model: DemandGRU) -> bool:
    """Whether only layers move whose outputs are linear in what they see."""
    return model.direct or model.calendar is not None


def _decoder_rows(model: DemandGRU, window: Examples) -> dict[str, Tensor]:
    names = ("future", "anchor", "spread", "label", "weight", "censored", "expected")
    shared = {name: part for name, part in window.parts.items() if name in names}
    return {"context": model.encode(window), **shared}


def _last_layer_rows(model: DemandGRU, window: Examples) -> dict[str, Tensor]:
    """Keep the buckets with a label."""
    context, labelled = model.encode(window), window.weight > 0
    seen = {"seen": model.read(context, window.future, window.anchor)}
    if model.calendar is not None:
        features = context[:, :, model.encoder.hidden_size :]
        seen["white"] = model.calendar.read(features, window.future, window.anchor)
    names = ("anchor", "spread", "label", "weight", "censored", "expected")
    rows = {name: part[labelled] for name, part in window.parts.items() if name in names}
    return {**{name: part[labelled] for name, part in seen.items()}, **rows}


def _double(examples: Examples) -> Examples:
    """Work in double precision, where L-BFGS finds its line searches easy."""
    as_double = {name: value.double() for name, value in examples.parts.items() if value.dtype == torch.float32}
    return replace(examples, **as_double)


def _path(model: DemandGRU, records: _Records, weakest: float) -> Iterator[tuple[float, DemandGRU]]:
    """Fit with weaker and weaker priors, each from the solution before."""
    fitted = copy.deepcopy(model)
    for strength in PRIOR_STRENGTHS:
        if strength >= weakest:
            _fit(fitted, model, records, strength)
            yield strength, copy.deepcopy(fitted)


def _fit(fitted: DemandGRU, prior: DemandGRU, records: _Records, strength: float) -> None:
    """Move the decoder, or the last layers, of `fitted` to the most probable one under the prior."""
    moving = [tensor.requires_grad_() for tensor in _moving(fitted)]
    center = [tensor.detach() for tensor in _moving(prior)]
    optimizer = torch.optim.LBFGS(moving, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        outputs = _outputs(fitted, records)
        given = records.anchor, records.spread, records.label, records.censored, records.expected
        loss = fitted.likelihood.loss(outputs, *given)
        distance = sum(((own - start) ** 2).sum() for own, start in zip(moving, center, strict=True))
        evidence = (loss * records.weight).sum() / records.buckets
        objective = (evidence + strength * distance) / records.num_records
        objective.backward()
        return objective

    optimizer.step(closure)


def _outputs(model: DemandGRU, records: _Records) -> Tensor:
    if records.seen is not None:
        outputs: Tensor = model.output(records.seen)
        if model.calendar is None or records.white is None:
            return outputs
        return outputs + model.calendar.say(records.white)
    assert records.context is not None and records.future is not None  # noqa: PT018, S101  for mypy
    return model.decode(records.context, records.future, records.anchor)


def _moving(model: DemandGRU) -> Iterator[Tensor]:
    """Give the weights that move; what a federation kept frozen moves here too."""
    layers = (model.output,) if _moves_alone(model) else (model.from_context, model.from_future, model.output)
    for layer in layers:
        yield from (*layer.parameters(), *layer.buffers())
    if model.calendar is not None:
        yield from model.calendar.linear.parameters()
