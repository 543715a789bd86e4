"""Sold out: the probability of at least what was sold, held against mpmath, against differences, and alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from common.model.censored_count import count_tail_loss
from common.model.likelihood import HurdleNegativeBinomial, Likelihood, LogNormal, NegativeBinomial

ALL = [NegativeBinomial(), HurdleNegativeBinomial(), LogNormal()]
by_name = pytest.mark.parametrize("likelihood", ALL, ids=lambda likelihood: type(likelihood).__name__)


def exact(count: float, log_mean: float, log_alpha: float) -> mpmath.mpf:
    """-log P(Y ≥ count) in 40 digits, by the hypergeometric series on the side where it converges fast."""
    with mpmath.workdps(40):
        size, mean = mpmath.e ** (-mpmath.mpf(log_alpha)), mpmath.e ** mpmath.mpf(log_mean)
        k, q = mpmath.mpf(count), mean / (mean + size)
        point = q**k * (1 - q) ** size / mpmath.beta(k, size)
        if q < (k + 1) / (k + size + 2):
            return -mpmath.log(point / k * mpmath.hyp2f1(k + size, 1, k + 1, q))
        return -mpmath.log(1 - point / size * mpmath.hyp2f1(k + size, 1, size + 1, 1 - q))


def exact_slopes(count: float, log_mean: float, log_alpha: float) -> tuple[float, float]:
    step = mpmath.mpf(10) ** -12
    with mpmath.workdps(40):
        mean, alpha = mpmath.mpf(log_mean), mpmath.mpf(log_alpha)
        by_mean = (exact(count, mean + step, alpha) - exact(count, mean - step, alpha)) / (2 * step)
        by_alpha = (exact(count, mean, alpha + step) - exact(count, mean, alpha - step)) / (2 * step)
        return float(by_mean), float(by_alpha)


def loss_and_slopes(*element: float) -> tuple[float, float, float]:
    count, log_mean, log_alpha = (torch.tensor([part], dtype=torch.float64) for part in element)
    parameters = log_mean.requires_grad_(), log_alpha.requires_grad_()
    loss = count_tail_loss(count, *parameters, torch.ones(1, dtype=torch.bool))
    by_mean, by_alpha = torch.autograd.grad(loss.sum(), parameters)
    return float(loss.detach()), float(by_mean), float(by_alpha)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    count=st.floats(0, 9).map(lambda power: round(math.exp(power))) | st.floats(0.1, 50),
    log_mean=st.floats(-8, 10),
    log_alpha=st.floats(-4.5, 3.5),
)
def test_loss_and_gradient_are_those_of_forty_digits(count: float, log_mean: float, log_alpha: float) -> None:
    loss, by_mean, by_alpha = loss_and_slopes(count, log_mean, log_alpha)
    assert loss == pytest.approx(float(exact(count, log_mean, log_alpha)), rel=1e-10, abs=1e-13)
    exact_mean, exact_alpha = exact_slopes(count, log_mean, log_alpha)
    assert by_mean == pytest.approx(exact_mean, rel=1e-9, abs=1e-12)
    assert by_alpha == pytest.approx(exact_alpha, rel=1e-6, abs=1e-8)


# Origin: mpmath, 40 digits, by `exact`; the first lies far below the smallest double.
@pytest.mark.parametrize("element", [(5000, 0.0, -4.5), (1, -30.0, 0.0), (3, 60.0, 3.5), (60_000, 5.0, -4.4)])
def test_far_tails_are_finite(element: tuple[float, float, float]) -> None:
    loss, *slopes = loss_and_slopes(*element)
    assert loss == pytest.approx(float(exact(*element)), rel=1e-10)
    assert all(map(math.isfinite, slopes))


@by_name
def test_autograd_s_own_check_agrees_in_every_output(likelihood: Likelihood) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(24, likelihood.num_outputs, generator=generator, dtype=torch.float64).requires_grad_()
    anchor = torch.rand(24, generator=generator, dtype=torch.float64).mul(6)
    label, spread = torch.arange(24).div(2, rounding_mode="floor").double(), torch.full_like(anchor, 0.4)
    censored = torch.arange(24) % 3 > 0

    def loss(moving: Tensor) -> Tensor:
        return likelihood.loss(moving, anchor, spread, label, censored)

    assert torch.autograd.gradcheck(loss, (outputs,), atol=1e-7, rtol=1e-6)


@by_name
def test_what_was_not_sold_out_keeps_its_loss_and_gradient_to_the_last_bit(likelihood: Likelihood) -> None:
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn(64, likelihood.num_outputs, generator=generator)
    anchor, label = torch.rand(64, generator=generator).mul(6), torch.arange(64).remainder(9).float()
    spread, censored = torch.full_like(anchor, 0.4), torch.arange(64) % 4 == 0
    found = []
    for marked in (None, torch.zeros_like(censored), censored):
        moving = outputs.clone().requires_grad_()
        loss = likelihood.loss(moving, anchor, spread, label, marked)
        (gradient,) = torch.autograd.grad(loss.sum(), moving)
        found.append(torch.cat([loss.detach()[:, None], gradient], dim=1))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0][~censored], found[2][~censored])
    assert not torch.equal(found[0][censored], found[2][censored])


@by_name
def test_at_least_nothing_is_certain_and_teaches_nothing(likelihood: Likelihood) -> None:
    outputs = torch.randn(8, likelihood.num_outputs, generator=torch.Generator().manual_seed(2)).requires_grad_()
    anchor, nothing = torch.arange(8).float(), torch.zeros(8)
    loss = likelihood.loss(outputs, anchor, anchor + 0.3, nothing, nothing == 0)
    (gradient,) = torch.autograd.grad(loss.sum(), outputs)
    assert loss.tolist() == [0.0] * 8
    assert gradient.abs().max() == 0


@by_name
def test_single_precision_stays_finite_wherever_the_outputs_may_go(likelihood: Likelihood) -> None:
    outputs = torch.cartesian_prod(*[torch.tensor([-40.0, -3.0, 0.0, 3.0, 40.0])] * likelihood.num_outputs)
    outputs = outputs.repeat_interleave(4, dim=0).requires_grad_()
    label = torch.tensor([1.0, 7.0, 400.0, 1e6]).repeat(len(outputs) // 4)
    anchor = torch.full_like(label, 2.0)
    loss = likelihood.loss(outputs, anchor, torch.full_like(label, 0.3), label, label > 0)
    (gradient,) = torch.autograd.grad(loss.sum(), outputs)
    assert torch.isfinite(loss).all()
    assert (loss >= 0).all()
    assert torch.isfinite(gradient).all()


@by_name
def test_the_probability_is_one_minus_that_of_less(likelihood: Likelihood) -> None:
    if isinstance(likelihood, LogNormal):
        levels = torch.tensor([3.0, 0.0, 1.0]), torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
        label, spread = levels[0].double() + 1.5, levels[1]
        told = likelihood.loss(torch.zeros(3, 2, dtype=torch.float64), levels[0].double(), spread, label, label > 0)
        u = (torch.log1p(label) - torch.log1p(levels[0].double())) / spread
        expected = -torch.log(0.5 * torch.erfc(u / math.sqrt(2)))
        torch.testing.assert_close(told, expected)
        return
    counts = torch.arange(200, dtype=torch.float64)
    outputs = torch.tensor([0.3, -0.2, 0.4][: likelihood.num_outputs], dtype=torch.float64).expand(200, -1)
    anchor = torch.full_like(counts, 3.0)
    point = torch.exp(-likelihood.loss(outputs, anchor, anchor, counts))
    tail = torch.exp(-likelihood.loss(outputs, anchor, anchor, counts, counts >= 0))
    torch.testing.assert_close(tail[:-1] - tail[1:], point[:-1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_no_number_stays_with_its_own_element(bad: float, place: int) -> None:
    parts = [torch.tensor([2.0, 3.0, 4.0]), torch.zeros(3), torch.zeros(3)]
    whole = [part.clone() for part in parts]
    parts[place][1] = bad
    every = torch.ones(3, dtype=torch.bool)
    broken, sound = (count_tail_loss(*each, every) for each in (parts, whole))
    assert torch.equal(broken[[0, 2]], sound[[0, 2]])


def test_an_element_s_bits_do_not_depend_on_its_company() -> None:
    generator = np.random.default_rng(0)
    count = torch.from_numpy(generator.integers(0, 60, 333)).double()
    mean, alpha = (torch.from_numpy(generator.normal(0, 2, 333)) for _ in range(2))
    every = torch.ones(333, dtype=torch.bool)
    whole = count_tail_loss(count, mean, alpha, every)
    for start in (1, 2, 3, 7, 130):
        part = slice(start, None, 5)
        assert torch.equal(count_tail_loss(count[part], mean[part], alpha[part], every[part]), whole[part])


def test_models_side_by_side_give_what_each_gives_alone() -> None:
    generator = torch.Generator().manual_seed(3)
    count, censored = torch.arange(6).float(), torch.arange(6) % 2 == 0
    mean, alpha = (torch.randn(4, 6, generator=generator) for _ in range(2))
    side_by_side: Callable[..., Tensor] = torch.func.vmap(count_tail_loss, in_dims=(None, 0, 0, None))
    together = side_by_side(count, mean, alpha, censored)
    alone = [count_tail_loss(count, mean[row], alpha[row], censored) for row in range(4)]
    assert torch.equal(together, torch.stack(alone))


@pytest.mark.gpu
def test_a_device_gives_what_the_processor_gives() -> None:
    count, mean, alpha = torch.arange(50).float(), torch.linspace(-3, 3, 50), torch.linspace(-2, 2, 50)
    every = torch.ones(50, dtype=torch.bool)
    moving = [mean.cuda().requires_grad_(), alpha.cuda().requires_grad_()]
    loss = count_tail_loss(count.cuda(), *moving, every.cuda())
    slopes = torch.autograd.grad(loss.sum(), moving)
    assert all(slope.is_cuda for slope in slopes)
    assert torch.equal(loss.detach().cpu(), count_tail_loss(count, mean, alpha, every))
