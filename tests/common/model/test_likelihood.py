"""Sums over counts take their probabilities from the loss, so that loss and description are held together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from common.model.anchor import SPREADS, UNKNOWN_SPREAD
from common.model.likelihood import (
    FLOOR,
    HurdleNegativeBinomial,
    Likelihood,
    LogNormal,
    NegativeBinomial,
    _negative_binomial,
    make_likelihood,
)
from common.plan.schema import ModelPlan

COUNTS = [NegativeBinomial(), HurdleNegativeBinomial()]
ALL = [*COUNTS, LogNormal()]
LEVELS = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
by_name = pytest.mark.parametrize("likelihood", ALL, ids=lambda likelihood: type(likelihood).__name__)
by_count = pytest.mark.parametrize("likelihood", COUNTS, ids=lambda likelihood: type(likelihood).__name__)


def spread_of(anchor: Tensor) -> Tensor:
    """What the anchor errs by in tests that ask for nothing else: the public guess."""
    return torch.full_like(anchor, UNKNOWN_SPREAD)


def draw(likelihood: Likelihood, size: int, *, spread: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Outputs and anchors in double precision; some anchors are zero."""
    generator = torch.Generator().manual_seed(seed)
    outputs = spread * torch.randn(size, likelihood.num_outputs, generator=generator, dtype=torch.float64)
    anchor = torch.rand(size, generator=generator, dtype=torch.float64).mul(6).sub(1).clamp(min=0)
    return outputs, anchor


def probabilities(likelihood: Likelihood, outputs: Tensor, anchor: Tensor, largest: int = 20_000) -> np.ndarray:
    counts = torch.arange(largest + 1, dtype=torch.float64)
    grid = (len(anchor), largest + 1)
    loss = likelihood.loss(
        outputs[:, None].expand(*grid, outputs.shape[1]),
        anchor[:, None].expand(grid),
        spread_of(anchor)[:, None].expand(grid),
        counts.expand(grid),
    )
    return torch.exp(-loss).numpy()


# ------------------------------------------------------------------ loss


# Origin: scipy.stats.nbinom, whose n is 1 / alpha and whose p is n / (n + mean).
@settings(deadline=None)
@given(count=st.integers(0, 10_000), mean=st.floats(1e-6, 1e5), alpha=st.floats(1e-2, 1e2))
def test_the_negative_binomial_equals_scipy_s(count: int, mean: float, alpha: float) -> None:
    value, log_mean, log_alpha = torch.tensor([float(count), mean, alpha], dtype=torch.float64).unbind()
    ours = _negative_binomial(value, log_mean.log(), log_alpha.log())
    size = 1 / alpha
    assert float(ours) == pytest.approx(stats.nbinom.logpmf(count, size, size / (size + mean)), rel=1e-7, abs=1e-7)


# Origin: scipy.stats.norm on log(1 + demand), less the constant ½ log 2π, which teaches nothing.
def test_the_log_normal_loss_equals_scipy_s_but_for_a_constant() -> None:
    outputs, anchor = draw(LogNormal(), 50)
    label = anchor * 3 + 0.5
    location, log_scale = (each.numpy() for each in LogNormal()._parameters(outputs, anchor, spread_of(anchor)))
    expected = -stats.norm.logpdf(np.log1p(label.numpy()), location, np.exp(log_scale)) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(LogNormal().loss(outputs, anchor, spread_of(anchor), label), expected, rtol=1e-12)


def test_the_hurdle_s_loss_is_that_of_its_coin_and_of_the_count_beyond_one() -> None:
    likelihood = HurdleNegativeBinomial()
    outputs, anchor = draw(likelihood, 30)
    logit, log_mean, log_alpha = (each.numpy() for each in likelihood._parameters(outputs, anchor))
    label = torch.arange(30, dtype=torch.float64) % 5
    size, mean = np.exp(-log_alpha), np.exp(log_mean)
    count = stats.nbinom.logpmf(label.numpy() - 1, size, size / (size + mean))
    expected = np.where(label > 0, count - np.logaddexp(0, -logit), -np.logaddexp(0, logit))
    np.testing.assert_allclose(-likelihood.loss(outputs, anchor, spread_of(anchor), label), expected, rtol=1e-10)


@by_count
def test_the_probabilities_of_all_counts_add_up_to_one(likelihood: Likelihood) -> None:
    outputs, anchor = draw(likelihood, 20)
    np.testing.assert_allclose(probabilities(likelihood, outputs, anchor).sum(1), 1.0, rtol=1e-6)


def test_a_zero_teaches_a_log_normal_nothing() -> None:
    outputs, anchor = draw(LogNormal(), 5)
    outputs.requires_grad_()
    loss = LogNormal().loss(outputs, anchor, spread_of(anchor), torch.zeros_like(anchor))
    loss.sum().backward()
    assert not loss.any()
    assert outputs.grad is not None
    assert not outputs.grad.any()


# In float32 the gamma functions of large counts cancel: a loss is right to about 1e-7 of the count.
@by_count
def test_float32_is_close_to_float64(likelihood: Likelihood) -> None:
    outputs, anchor = draw(likelihood, 200)
    label = torch.arange(200, dtype=torch.float64)
    single = likelihood.loss(outputs.float(), anchor.float(), spread_of(anchor).float(), label.float())
    torch.testing.assert_close(
        single.double(), likelihood.loss(outputs, anchor, spread_of(anchor), label), rtol=1e-4, atol=1e-3
    )


@by_name
@pytest.mark.parametrize("anchor", [0.0, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("label", [0.0, 0.5, 1.0, 1e6])
@pytest.mark.parametrize("output", [-30.0, 0.0, 30.0])
@pytest.mark.parametrize("spread", SPREADS)
def test_extremes_keep_loss_and_gradient_finite(
    likelihood: Likelihood, anchor: float, label: float, output: float, spread: float
) -> None:
    outputs = torch.full((1, likelihood.num_outputs), output, requires_grad=True)
    loss = likelihood.loss(outputs, torch.tensor([anchor]), torch.tensor([spread]), torch.tensor([label]))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert outputs.grad is not None
    assert torch.isfinite(outputs.grad).all()


@by_name
@pytest.mark.parametrize("anchor", [0.0, 1e6])
@pytest.mark.parametrize("output", [-10.0, 10.0])
@pytest.mark.parametrize("spread", SPREADS)
def test_extremes_keep_what_is_described_finite_and_not_negative(
    likelihood: Likelihood, anchor: float, output: float, spread: float
) -> None:
    outputs = torch.full((1, likelihood.num_outputs), output)
    told = likelihood.describe(outputs, torch.tensor([anchor]), torch.tensor([spread]), LEVELS)
    for value in (told.mean, told.quantiles, told.probability):
        assert np.isfinite(value).all()
        assert (value >= 0).all()


# ------------------------------------------------------------------ description


@by_name
def test_quantiles_rise_with_their_level(likelihood: Likelihood) -> None:
    outputs, anchor = draw(likelihood, 100, spread=2.0)
    quantiles = likelihood.describe(outputs, anchor, spread_of(anchor), LEVELS).quantiles
    assert quantiles.shape == (100, len(LEVELS))
    assert (np.diff(quantiles, axis=1) >= 0).all()


@by_count
def test_a_quantile_is_the_smallest_count_whose_distribution_reaches_the_level(
    likelihood: Likelihood,
) -> None:
    outputs, anchor = draw(likelihood, 30)
    reached = probabilities(likelihood, outputs, anchor).cumsum(1)
    quantiles = likelihood.describe(outputs, anchor, spread_of(anchor), LEVELS).quantiles
    for column, level in enumerate(LEVELS):
        expected = (reached >= level - 1e-12).argmax(1)
        assert quantiles[:, column].tolist() == expected.tolist()


def test_a_log_normal_quantile_has_its_level_below_it() -> None:
    outputs, anchor = draw(LogNormal(), 50, spread=0.5)
    anchor += 5.0
    location, log_scale = (each.numpy() for each in LogNormal()._parameters(outputs, anchor, spread_of(anchor)))
    quantiles = LogNormal().describe(outputs, anchor, spread_of(anchor), LEVELS).quantiles
    below = stats.norm.cdf(np.log1p(quantiles), location[:, None], np.exp(log_scale)[:, None])
    demand = quantiles > 0  # what lies below zero is told as zero
    np.testing.assert_allclose(below[demand], np.tile(LEVELS, (50, 1))[demand], rtol=1e-9)


@by_count
def test_the_mean_is_the_sum_over_all_counts(likelihood: Likelihood) -> None:
    outputs, anchor = draw(likelihood, 20)
    chances = probabilities(likelihood, outputs, anchor)
    expected = chances @ np.arange(chances.shape[1])
    np.testing.assert_allclose(
        likelihood.describe(outputs, anchor, spread_of(anchor), LEVELS).mean, expected, rtol=1e-6
    )


def test_the_log_normal_mean_is_the_mean_of_many_quantiles() -> None:
    outputs, anchor = draw(LogNormal(), 10, spread=0.3)
    anchor += 20.0
    levels = tuple(((np.arange(20_000) + 0.5) / 20_000).tolist())
    told = LogNormal().describe(outputs, anchor, spread_of(anchor), levels)
    np.testing.assert_allclose(told.mean, told.quantiles.mean(1), rtol=1e-3)


@by_count
def test_the_probability_of_any_demand_is_what_the_loss_leaves_to_zero(likelihood: Likelihood) -> None:
    outputs, anchor = draw(likelihood, 50)
    zero = likelihood.loss(outputs, anchor, spread_of(anchor), torch.zeros_like(anchor))
    probability = likelihood.describe(outputs, anchor, spread_of(anchor), LEVELS).probability
    np.testing.assert_allclose(probability, 1 - torch.exp(-zero).numpy(), rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------ zero outputs


ANCHORS = torch.tensor([0.0, 0.5, 3.0, 100.0], dtype=torch.float64)


def test_without_outputs_a_negative_binomial_has_the_anchor_and_the_floor_as_mean() -> None:
    told = NegativeBinomial().describe(torch.zeros(4, 2, dtype=torch.float64), ANCHORS, spread_of(ANCHORS), LEVELS)
    np.testing.assert_allclose(told.mean, ANCHORS + FLOOR, rtol=1e-12)


# The coin falls as a Poisson variable with the anchor and the floor as mean would.
def test_without_outputs_a_hurdle_s_coin_is_that_of_a_poisson_at_the_anchor() -> None:
    told = HurdleNegativeBinomial().describe(
        torch.zeros(4, 3, dtype=torch.float64), ANCHORS, spread_of(ANCHORS), LEVELS
    )
    expected = 1 - np.exp(-(ANCHORS.numpy() + FLOOR))
    np.testing.assert_allclose(told.probability, expected, rtol=1e-7)


def test_without_outputs_a_log_normal_has_the_anchor_as_median() -> None:
    told = LogNormal().describe(torch.zeros(4, 2, dtype=torch.float64), ANCHORS, spread_of(ANCHORS), (0.5,))
    np.testing.assert_allclose(told.quantiles[:, 0], ANCHORS, rtol=1e-12, atol=1e-12)


# Origin: a Gaussian of log(1 + demand); its 10 % quantile lies 1.2816 standard deviations below the median.
def test_without_outputs_a_log_normal_is_as_wide_as_the_anchor_errs() -> None:
    spread = torch.tensor([0.05, 0.25, 0.4], dtype=torch.float64)
    anchor = torch.full_like(spread, 1000.0)
    told = LogNormal().describe(torch.zeros(3, 2, dtype=torch.float64), anchor, spread, (0.1, 0.9))
    expected = np.log1p(1000.0) + np.outer(spread, [-1.2815515655446004, 1.2815515655446004])
    np.testing.assert_allclose(np.log1p(told.quantiles), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("negative_binomial", NegativeBinomial),
        ("hurdle_negative_binomial", HurdleNegativeBinomial),
        ("log_normal", LogNormal),
    ],
)
def test_a_plan_names_its_likelihood(name: str, kind: type) -> None:
    plan = ModelPlan.model_validate({"step": "day", "horizon_days": 8, "likelihood": name})
    assert isinstance(make_likelihood(plan), kind)
