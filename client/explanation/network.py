"""Take a network apart: Integrated Gradients of its mean, from the same entity on days with nothing special.

The baseline has the entity as it is (its size, its age, its anchor), and every column that can move it at that column's
own average: no surprise, no trend, the usual share of promotions, the middle of the year. What the network says there
beyond the anchor is how it takes products alike to go on; the way from there to what is really so is walked in a
straight line, and every column is credited with what it changed on it.

Integrals are sums over `STEPS` points (Gauss-Legendre), so parts miss the whole by an error, which is measured.

References
----------
Sundararajan, Taly & Yan, "Axiomatic attribution for deep networks", ICML 2017, equation 1 and the axiom of
completeness; captum 0.9 computes it.
"""

from __future__ import annotations

import copy
import importlib.util
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from client.explanation.group import Group, group_of
from client.explanation.part import Parts, add_by_group, no_parts, place
from common.model.features import Examples, Series, cut_forecast
from common.model.likelihood import FLOOR, HurdleNegativeBinomial, Likelihood, NegativeBinomial
from common.model.network import Network

STEPS = 24
YEAR_STEPS, YEAR_DAYS = 52, 364
STAYS: tuple[Group, ...] = ("alike", "rest")  # groups whose columns are at the baseline as they are


@dataclass(frozen=True)
class Split:
    """A network's mean of some buckets, taken apart.

    Attributes
    ----------
    parts
        Beyond the anchor.
    error
        What parts of the network's columns miss of what they should add up to, in pieces; it is in the rest.
    """

    parts: Parts
    error: Float[np.ndarray, " entity"]


def has_captum() -> bool:
    """Whether the library is installed that integrates gradients."""
    return importlib.util.find_spec("captum") is not None


def split_network(model: Network, series: Series, buckets: slice) -> Split:
    """Give what a network says beyond the anchor, of some buckets of the horizon at the series' last step."""
    from captum.attr import IntegratedGradients  # type: ignore[import-untyped]  # heavy

    examples, likelihood = _prepare(cut_forecast(series)), model.likelihood
    network = copy.deepcopy(model).double().eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)

    def total(inputs: Tensor, future: Tensor, anchor: Tensor, spread: Tensor, is_open: Tensor) -> Tensor:
        """Sum the means of the buckets."""
        unread = {"label": anchor, "weight": anchor}  # by a forecast, but each entity has them
        asked = replace(examples, inputs=inputs, future=future, anchor=anchor, spread=spread, open=is_open, **unread)
        return (_mean(likelihood, network(asked), anchor, spread) * is_open)[:, 0, buckets].sum(dim=1)

    actual = (examples.inputs, examples.future)
    calm = _calm_inputs(series, examples), _calm_future(series, examples)
    given = (examples.anchor, examples.spread, examples.open)
    with torch.enable_grad():
        by_input, by_future = IntegratedGradients(total).attribute(
            actual, calm, additional_forward_args=given, n_steps=STEPS, method="gausslegendre"
        )
    with torch.no_grad():
        whole, from_calm = total(*actual, *given).numpy(), total(*calm, *given).numpy()
    columns = torch.cat([by_input.sum(dim=1), by_future.sum(dim=(1, 2))], dim=1).numpy().T
    groups = (*map(group_of, (*series.names, *series.future_names)), group_of("lead"))
    parts = add_by_group(columns, groups, series.num_entities)
    error = (whole - from_calm) - parts.sum(axis=0)
    anchor = (examples.anchor * examples.open)[:, 0, buckets].sum(dim=1).numpy()
    parts[place("alike")] += from_calm - anchor
    parts[place("rest")] += error
    return Split(parts if series.num_entities else no_parts(0), error)


def _prepare(examples: Examples) -> Examples:
    """Give them in double precision, without what only a loss reads."""
    parts = {name: part for name, part in examples.parts.items() if name not in ("censored", "expected")}
    return Examples(**{name: part.double() if part.is_floating_point() else part for name, part in parts.items()})


def _mean(likelihood: Likelihood, outputs: Tensor, anchor: Tensor, spread: Tensor) -> Tensor:
    """Give each bucket's mean, as `Likelihood.describe` does, where gradients can pass."""
    if isinstance(likelihood, NegativeBinomial):
        return (anchor + FLOOR) * torch.exp(outputs[..., 0])
    if isinstance(likelihood, HurdleNegativeBinomial):
        some = torch.sigmoid(torch.log(torch.expm1((anchor + FLOOR).clamp(max=20.0))) + outputs[..., 0])
        return some * (1 + (anchor + FLOOR) * torch.exp(outputs[..., 1]))
    scale = torch.exp((torch.log(spread) + outputs[..., 1].clamp(-3.0, 3.0)).clamp(max=np.log(5.0)))
    return torch.expm1(torch.log1p(anchor) + outputs[..., 0] + scale.square() / 2).clamp(min=0)


def _calm_inputs(series: Series, examples: Examples) -> Float[Tensor, "entity window feature"]:
    """Put whatever can move a forecast at its average over the last year; steps before the birth stay empty."""
    window = examples.inputs.shape[1]
    steps = min(YEAR_STEPS, len(series.cutoffs))
    alive = torch.arange(len(series.cutoffs)) >= series.birth[:, None]
    last = alive[:, -steps:, None].double()
    mean = (series.inputs[:, -steps:].double() * last).sum(dim=1) / last.sum(dim=1).clamp(min=1)
    moves = torch.tensor([group_of(name) not in STAYS for name in series.names])
    there = alive[:, len(series.cutoffs) - window :, None]
    return torch.where(moves & there, mean[:, None].expand_as(examples.inputs), examples.inputs)


def _calm_future(series: Series, examples: Examples) -> Float[Tensor, "entity position bucket covariate"]:
    """Do the same with what is known ahead, by the average over the last year's days."""
    origin = int(series.cutoffs[-1])
    mean = series.future[:, max(origin - YEAR_DAYS, 0) : origin].double().mean(dim=1)
    moves = torch.tensor([group_of(name) not in STAYS for name in series.future_names])
    calm = examples.future.clone()
    shown = calm[..., : len(moves)]
    calm[..., : len(moves)] = torch.where(moves, mean[:, None, None].expand_as(shown), shown)
    return calm
