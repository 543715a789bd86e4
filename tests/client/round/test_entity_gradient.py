from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from client.round.entity_gradient import GradientFactorModule
from common.data.panel import Panel
from common.model.demand_gru import DemandGRU, entity_losses, freeze
from common.model.features import Examples, Series, cut_training

MakeSeries = Callable[..., Series]
GradientsOf = Callable[[Examples], tuple[Tensor, Tensor]]
Pick = Callable[[Examples, list[int]], Examples]
LIKELIHOODS = ("negative_binomial", "hurdle_negative_binomial", "log_normal")


@contextmanager
def hooked(model: DemandGRU) -> Iterator[GradientsOf]:
    def gradients_of(examples: Examples) -> tuple[Tensor, Tensor]:
        gradients, losses = module.gradients(examples)
        return gradients.expand(slice(None)), losses

    with closing(GradientFactorModule(model)) as module:
        yield gradients_of


@pytest.fixture
def series(make_series: MakeSeries) -> Series:
    return make_series()


@pytest.fixture
def model(series: Series, make_awake_model: Callable[..., DemandGRU]) -> DemandGRU:
    return make_awake_model(series)


@pytest.fixture
def examples(series: Series, to_double: Callable[[Examples], Examples]) -> Examples:
    return to_double(cut_training(series, 1))


@pytest.mark.parametrize("trained", ["decoder", "output", "calendar"])
def test_what_is_frozen_has_no_gradient_and_the_rest_the_one_it_had(
    make_series: MakeSeries,
    make_awake_model: Callable[..., DemandGRU],
    to_double: Callable[[Examples], Examples],
    trained: str,
) -> None:
    series = make_series(direct=True, calendar=trained == "calendar", horizon_days=6, bucket_days=2)
    model, examples = make_awake_model(series), to_double(cut_training(series, 1))
    with hooked(model) as gradients_of:
        whole, _ = gradients_of(examples)
    freeze(model, trained)
    with hooked(model) as gradients_of:
        gradients, _ = gradients_of(examples)
    assert 0 < gradients.shape[1] < whole.shape[1]
    torch.testing.assert_close(gradients, whole[:, -gradients.shape[1] :])


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("sold_out", [False, True])
def test_every_parameter_s_gradient_is_that_of_each_entity_alone(
    make_series: MakeSeries,
    make_panel: Callable[..., Panel],
    make_awake_model: Callable[..., DemandGRU],
    to_double: Callable[[Examples], Examples],
    gradient_of_each: Callable[..., Tensor],
    likelihood: str,
    *,
    sold_out: bool,
) -> None:
    censored = np.random.default_rng(1).random((5, 91)) < 0.2 * sold_out
    series = make_series(make_panel(censored=censored), likelihood=likelihood, horizon_days=6, bucket_days=2)
    assert (series.censored is not None) == sold_out
    model, examples = make_awake_model(series), to_double(cut_training(series, 1))
    expected = gradient_of_each(model, examples)
    with hooked(model) as gradients_of:
        gradients, losses = gradients_of(examples)
    start = 0
    for name, parameter in model.named_parameters():
        columns = slice(start, start + parameter.numel())
        assert expected[:, columns].abs().max() > 0, name
        torch.testing.assert_close(gradients[:, columns], expected[:, columns], rtol=1e-10, atol=1e-12, msg=name)
        start += parameter.numel()
    assert start == gradients.shape[1]
    torch.testing.assert_close(losses, entity_losses(model, model.likelihood, examples))


def test_a_model_that_has_forecast_before_has_the_same_gradients(model: DemandGRU, examples: Examples) -> None:
    with hooked(model) as gradients_of:
        expected, _ = gradients_of(examples)
    model.eval()  # as between the legs of a federation, whose first model is forecast from
    with hooked(model) as gradients_of:
        gradients, _ = gradients_of(examples)
    assert torch.equal(gradients, expected)


# No. 16 of the privacy page: no layer couples the records of a batch.
@pytest.mark.parametrize("company", [[2], [2, 3], [0, 2], [4, 3, 2, 1, 0], [2, 2, 2]])
def test_an_entity_s_gradient_does_not_depend_on_its_company(
    model: DemandGRU, examples: Examples, pick: Pick, company: list[int]
) -> None:
    with hooked(model) as gradients_of:
        whole, _ = gradients_of(examples)
        some, _ = gradients_of(pick(examples, company))
    torch.testing.assert_close(some, whole[company], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e300])
def test_a_broken_entity_does_not_touch_another(model: DemandGRU, examples: Examples, pick: Pick, bad: float) -> None:
    inputs = examples.inputs.clone()
    inputs[1, 3] = bad
    with hooked(model) as gradients_of:
        gradients, losses = gradients_of(replace(examples, inputs=inputs))
        clean, clean_losses = gradients_of(examples)
    others = [0, 2, 3, 4]
    torch.testing.assert_close(gradients[others], clean[others], rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(losses[others], clean_losses[others])


def test_nothing_is_left_over_from_one_call_to_the_next(model: DemandGRU, examples: Examples) -> None:
    with hooked(model) as gradients_of:
        first, _ = gradients_of(examples)
        second, _ = gradients_of(examples)
    assert torch.equal(first, second)


def test_after_closing_the_model_is_an_ordinary_one_and_can_be_opened_again(
    model: DemandGRU, examples: Examples
) -> None:
    with hooked(model) as gradients_of:
        before, _ = gradients_of(examples)
    entity_losses(model, model.likelihood, examples).sum().backward()
    plain = torch.cat([p.grad.reshape(-1) for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(plain, before.sum(0), rtol=1e-10, atol=1e-12)
    assert all(getattr(parameter, "grad_sample", None) is None for parameter in model.parameters())
    with hooked(model) as gradients_of:
        after, _ = gradients_of(examples)
    assert torch.equal(before, after)


def test_single_precision_is_close_to_double(model: DemandGRU, series: Series, examples: Examples) -> None:
    with hooked(model) as gradients_of:
        exact, _ = gradients_of(examples)
    model.float()
    with hooked(model) as gradients_of:
        single, _ = gradients_of(cut_training(series, 1))
    torch.testing.assert_close(single.double(), exact, rtol=1e-3, atol=1e-5)
