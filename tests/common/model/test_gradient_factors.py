"""Norms and clipped sums from factors, against a plain loop over entities and against plain autograd."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from client.round.entity_gradient import GradientFactorModule
from common.model import gradient_factors as product
from common.model.demand_gru import DemandGRU
from common.model.features import Examples, Series, cut_training
from common.model.gradient_factors import EntityGradients, GradientFactors, Workspace, entity_norms
from common.model.gru import GRU
from common.privacy.clipping import clip_factors

LIKELIHOODS = ("negative_binomial", "hurdle_negative_binomial", "log_normal")


def loop_over_entities(gradients: Tensor, weight: Tensor, clipping_norm: float) -> Tensor:
    """Clip and add up one entity after the other, in double precision."""
    total = torch.zeros(gradients.shape[1], dtype=torch.float64)
    for gradient, share in zip(gradients.double(), weight, strict=True):
        total += share * clip_factors(gradient.norm()[None], clipping_norm)[0] * gradient
    return total


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


def make_linear(rows: int, size: int, *, entities: int = 9, dtype: torch.dtype = torch.float64) -> EntityGradients:
    generator = torch.Generator().manual_seed(rows + size)
    layer = nn.Linear(size, size + 1, dtype=dtype)
    inputs, backprops = (
        torch.randn(entities, rows, columns, generator=generator, dtype=torch.float64).to(dtype)
        for columns in (size, size + 1)
    )
    return EntityGradients([GradientFactors(layer.weight, layer.bias, inputs, backprops)], list(layer.parameters()))


# ------------------------------------------------------------------ the GRU


def gru_gradients(gru: GRU, inputs: Tensor, counted: Tensor) -> EntityGradients:
    """Give the gradients of the sum of the counted states."""
    gru.factors = {}
    hidden, _ = gru(inputs)
    torch.autograd.grad((hidden * counted[:, :, None]).square().sum(), list(gru.parameters()), allow_unused=True)
    return EntityGradients(gru.products(), list(gru.parameters()))


def gradients_of_torch_s(gru: GRU, inputs: Tensor, counted: Tensor) -> Tensor:
    """Take each entity's gradient by PyTorch's own GRU, one entity at a time."""
    theirs = nn.GRU(inputs.shape[2], gru.hidden_size, gru.num_layers, batch_first=True).to(inputs)
    theirs.load_state_dict(gru.state_dict())
    rows = []
    for entity in range(len(inputs)):
        hidden, _ = theirs(inputs[entity : entity + 1])
        loss = (hidden * counted[entity, :, None]).square().sum()
        rows.append(torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(theirs.parameters()))]))
    return torch.stack(rows)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("masked", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("block", [1, 3, 100])
def test_the_clipped_sum_over_a_gru_is_a_loop_over_torch_s(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, tolerance: float, layers: int, masked: bool, block: int
) -> None:
    torch.manual_seed(layers)
    gru = GRU(5, 7, layers).double()
    inputs, counted = torch.randn(11, 23, 5, dtype=torch.float64), torch.ones(11, 23, dtype=torch.float64)
    if masked:
        counted = (torch.arange(23) < torch.randint(1, 24, (11, 1))).double()
        inputs = inputs * counted[:, :, None]
    expected = gradients_of_torch_s(gru, inputs, counted)
    clipping_norm, weight = float(expected.norm(dim=1).median()), torch.rand(11, dtype=torch.float64)
    monkeypatch.setattr(product, "CACHED_NUMBERS", 1)
    monkeypatch.setattr(product, "SMALLEST_BLOCK", block)
    gradients = gru_gradients(gru.to(dtype), inputs.to(dtype), counted.to(dtype))
    assert relative_error(gradients.expand(slice(None)), expected) < tolerance
    total = gradients.sum_clipped(weight, clipping_norm)
    assert relative_error(total, loop_over_entities(expected, weight, clipping_norm)) < tolerance


def test_what_stands_in_the_padding_has_no_say() -> None:
    gru = GRU(3, 5).double()
    inputs = torch.randn(4, 9, 3, dtype=torch.float64)
    counted = (torch.arange(9) < torch.tensor([[3], [9], [1], [5]])).double()
    other = torch.where(counted[:, :, None] > 0, inputs, 100.0)
    weight = torch.ones(4, dtype=torch.float64)
    clean, filled = (gru_gradients(gru, rows, counted).sum_clipped(weight, 0.5) for rows in (inputs, other))
    torch.testing.assert_close(clean, filled, rtol=0, atol=0)


# ------------------------------------------------------------------ the whole model


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_one_norm_binds_encoder_decoder_and_output_together(
    make_series: Callable[..., Series],
    make_awake_model: Callable[..., DemandGRU],
    to_double: Callable[[Examples], Examples],
    gradient_of_each: Callable[..., Tensor],
    likelihood: str,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    series = make_series(num_entities=12, likelihood=likelihood, horizon_days=6, bucket_days=2)
    model, examples = make_awake_model(series), cut_training(series, 1)
    expected = gradient_of_each(model, to_double(examples))
    clipping_norm, weight = float(expected.norm(dim=1).median()), torch.rand(12, dtype=torch.float64)
    hooked = GradientFactorModule(model.to(dtype))
    gradients, _ = hooked.gradients(examples if dtype == torch.float32 else to_double(examples))
    total = gradients.sum_clipped(weight, clipping_norm)
    hooked.close()
    # Single precision also rounds the losses' own gradients, which no sum can undo: held against its own expansion.
    if dtype == torch.float32:
        expected = gradients.expand(slice(None))
    assert relative_error(total, loop_over_entities(expected, weight, clipping_norm)) < tolerance


# ------------------------------------------------------------------ norms


@pytest.mark.parametrize("rows", [1, 5, 40])
@pytest.mark.parametrize("size", [1, 16, 33])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_norm_is_never_below_that_of_what_is_added_up_and_hardly_above(
    rows: int, size: int, dtype: torch.dtype
) -> None:
    gradients = make_linear(rows, size, entities=200, dtype=dtype)
    parts = Workspace(gradients.products[0], 200).expand(slice(None))
    true = torch.cat([part.flatten(1) for part in parts], dim=1).double().norm(dim=1)
    ratio = entity_norms(list(parts)) / true
    slack = 2.0**-50 if dtype == torch.float64 else 0.0  # of the yardstick itself
    assert float(ratio.min()) >= 1 - slack
    assert float(ratio.max()) <= 1 + (size + 25) * torch.finfo(dtype).eps


# No. 23 of the privacy page: steps that cancel. Gram matrices in single precision see two numbers near 1e14 and
# lose the norm in their difference, which here is .3 at most; what is added up is never longer than the clipping norm.
def test_a_gradient_whose_steps_cancel_is_not_let_through() -> None:
    rows, size, entities = 64, 16, 40
    generator = torch.Generator().manual_seed(0)
    large = 1e4 * torch.randn(entities, 1, size, generator=generator)
    sign = torch.tensor([1.0, -1.0]).repeat(rows // 2)[None, :, None]
    inputs = (large + 1e-2 * torch.randn(entities, rows, size, generator=generator)).float()
    backprops = (sign * torch.ones(entities, rows, size + 1) * 1e-2).float()
    layer = nn.Linear(size, size + 1)
    gradients = EntityGradients(
        [GradientFactors(layer.weight, layer.bias, inputs, backprops)], list(layer.parameters())
    )
    gram = (
        (torch.bmm(backprops, backprops.transpose(1, 2)) * (torch.bmm(inputs, inputs.transpose(1, 2)) + 1))
        .sum(dim=(1, 2))
        .clamp(min=0)
        .sqrt()
    )
    true = gradients.expand(slice(None)).double().norm(dim=1)
    assert bool((gram < 0.5 * true).any())  # the trap is set
    for entity in range(entities):
        one = torch.zeros(entities, dtype=torch.float64)
        one[entity] = 1.0
        clipping_norm = 0.5 * float(true[entity])
        assert float(gradients.sum_clipped(one, clipping_norm).double().norm()) <= clipping_norm * (1 + 1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_gradient_that_is_not_finite_counts_nothing(bad: float) -> None:
    gradients = make_linear(4, 3)
    weight = torch.ones(9, dtype=torch.float64)
    without = weight.clone()
    without[2] = 0.0
    expected = gradients.sum_clipped(without, 1.0)
    gradients.products[0].backprops[2, 1, 0] = bad
    torch.testing.assert_close(gradients.sum_clipped(weight, 1.0), expected, rtol=1e-14, atol=1e-14)


def test_a_gradient_too_long_for_single_precision_keeps_its_direction() -> None:
    gradients = make_linear(4, 3, entities=1, dtype=torch.float32)
    gradients.products[0].backprops.mul_(1e30)
    total = gradients.sum_clipped(torch.ones(1, dtype=torch.float64), 1.0)
    assert float(total.norm()) == pytest.approx(1.0, rel=1e-5)


def test_nobody_adds_up_to_zero() -> None:
    gradients = make_linear(4, 3, entities=0)
    assert not gradients.sum_clipped(torch.zeros(0, dtype=torch.float64), 1.0).any()
    assert gradients.expand(slice(None)).shape == (0, 16)


def test_a_layer_that_is_used_twice_is_refused() -> None:
    once = make_linear(4, 3)
    with pytest.raises(ValueError, match="used once"):
        EntityGradients([*once.products, *once.products], once.parameters)
    with pytest.raises(ValueError, match="used once"):
        EntityGradients([], once.parameters)
