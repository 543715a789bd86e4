"""A label that is not whole: what was probably wanted teaches the mean, "at or above what was sold" the width."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from common.data.panel import Panel
from common.model.features import build_series, cut_training
from common.model.likelihood import FLOOR, HurdleNegativeBinomial, Likelihood, LogNormal, NegativeBinomial
from common.model.sold_out import expect_count
from common.plan.schema import ModelPlan

ALL = [NegativeBinomial(), HurdleNegativeBinomial(), LogNormal()]
by_name = pytest.mark.parametrize("likelihood", ALL, ids=lambda likelihood: type(likelihood).__name__)
MEAN = {"NegativeBinomial": 0, "HurdleNegativeBinomial": 1, "LogNormal": 0}
SPREAD = 0.4


def slopes(likelihood: Likelihood, outputs: Tensor, anchor: Tensor, label: Tensor, *hidden: Tensor) -> Tensor:
    moving = outputs.clone().requires_grad_()
    loss = likelihood.loss(moving, anchor, torch.full_like(anchor, SPREAD), label, *hidden)
    (gradient,) = torch.autograd.grad(loss.sum(), moving)
    return gradient


@by_name
def test_the_mean_learns_from_what_was_wanted_and_the_width_from_what_was_sold(likelihood: Likelihood) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(24, likelihood.num_outputs, generator=generator, dtype=torch.float64)
    anchor, label = torch.rand(24, generator=generator, dtype=torch.float64).mul(6), 1 + torch.arange(24).double()
    wanted, every = 1.3 * label + 0.4, torch.ones(24, dtype=torch.bool)
    found = slopes(likelihood, outputs, anchor, label, every, wanted)
    as_seen, at_least = slopes(likelihood, outputs, anchor, wanted), slopes(likelihood, outputs, anchor, label, every)
    mean = MEAN[type(likelihood).__name__]
    torch.testing.assert_close(found[:, mean], as_seen[:, mean])
    torch.testing.assert_close(found[:, -1], at_least[:, -1])


# Seeded; 40,000 days of mean 6, of which the network expects a wider law than they have. In units of the slope that a
# mean 1 % too high would have: 0 ± 1 in truth; by "at least" alone it would learn a mean several percent too high.
def test_a_network_unsure_of_the_width_learns_the_right_mean() -> None:
    generator, rate, true_alpha, days = np.random.default_rng(0), 6.0, 0.1, 40_000
    law = stats.nbinom(1 / true_alpha, 1 / (1 + true_alpha * rate))
    demand, stock = law.rvs(days, random_state=generator), law.isf(0.4 * generator.random(days)) + 1
    sold, out = np.minimum(demand, stock).astype(float), demand >= stock
    expected = np.where(out, expect_count(sold, np.full(days, rate), np.full(days, true_alpha))[0], sold)
    label, censored, wanted = torch.tensor(sold), torch.tensor(out), torch.tensor(expected)
    outputs = torch.zeros(days, 2, dtype=torch.float64)  # alpha exp(-.5) = .6
    anchor = torch.full((days,), rate - FLOOR, dtype=torch.float64)
    unit = 0.01 * days * rate / (1 + np.exp(-0.5) * rate)
    told = slopes(NegativeBinomial(), outputs, anchor, label, censored, wanted)[:, 0].sum() / unit
    at_least = slopes(NegativeBinomial(), outputs, anchor, label, censored)[:, 0].sum() / unit
    assert abs(told) < 1
    assert at_least < -3


@by_name
def test_wild_outputs_leave_loss_and_slopes_finite(likelihood: Likelihood) -> None:
    outputs = torch.cartesian_prod(*[torch.tensor([-40.0, -3.0, 0.0, 3.0, 40.0])] * likelihood.num_outputs)
    outputs = outputs.repeat_interleave(4, dim=0)
    label = torch.tensor([0.0, 7.0, 400.0, 1e6]).repeat(len(outputs) // 4)
    found = slopes(likelihood, outputs, torch.full_like(label, 2.0), label, label >= 0, 1.2 * label)
    assert torch.isfinite(found).all()


def test_a_bucket_counts_by_its_days_that_say_something(make_panel: Callable[..., Panel]) -> None:
    target, censored = np.full((1, 40), 3.0, np.float32), np.zeros((1, 40), bool)
    censored[0, 20:23] = True  # two days of one bucket, and the first of the next
    target[0, 20:24] = 0
    panel = make_panel(target=target, censored=censored, open=np.ones((1, 40), bool))
    plan = ModelPlan(step="day", horizon_days=4, bucket_days=2, window_steps=60, positions=60, season=False,
                     likelihood="negative_binomial")  # fmt: skip
    series = build_series(panel, plan, panel.day_of(date.fromordinal(panel.start.toordinal() + 36)))
    examples = cut_training(series, 1)
    assert examples.expected is not None
    place = int((series.cutoffs[examples.position] == 20).nonzero())
    assert examples.weight[0, place].tolist() == [0.0, 1.0]
    assert examples.label[0, place].tolist() == [0.0, 0.0]
    assert 2.5 < float(examples.expected[0, place, 1]) < 3.5
