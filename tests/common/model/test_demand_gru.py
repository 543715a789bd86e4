from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from common.errors import DataError
from common.model.demand_gru import (
    DemandGRU,
    entity_losses,
    freeze,
    get_vector,
    load_model,
    make_model,
    save_model,
    set_vector,
    standardise,
)
from common.model.features import Examples, Series, cut_forecast, cut_training
from common.model.likelihood import FLOOR

MakeSeries = Callable[..., Series]
MakeModel = Callable[..., DemandGRU]
LIKELIHOODS = ("negative_binomial", "hurdle_negative_binomial", "log_normal")
by_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)


def make_new_model(series: Series, *, seed: int = 0) -> DemandGRU:
    sizes = {"num_features": series.num_features, "num_future": series.num_future}
    return make_model(series.plan, **sizes, seed=seed)


# ------------------------------------------------------------------ the untrained model


@by_likelihood
def test_an_untrained_model_corrects_nothing(make_series: MakeSeries, likelihood: str) -> None:
    series = make_series(likelihood=likelihood)
    outputs = make_new_model(series)(cut_training(series, 1))
    assert outputs.shape[:3] == (5, 3, 4)
    assert not outputs.any()


def test_an_untrained_model_forecasts_the_anchor(make_series: MakeSeries) -> None:
    counts, money = make_series(), make_series(likelihood="log_normal")
    for series, floor, told in ((counts, FLOOR, "mean"), (money, 0.0, "quantiles")):
        model, examples = make_new_model(series), cut_forecast(series)
        description = model.likelihood.describe(model(examples), examples.anchor, examples.spread, (0.5,))
        forecast = getattr(description, told).reshape(examples.anchor.shape)
        np.testing.assert_allclose(forecast, examples.anchor + floor, rtol=1e-5, atol=1e-6)


def test_a_public_seed_gives_the_weights_and_leaves_the_global_generator_alone(
    make_series: MakeSeries,
) -> None:
    series = make_series()
    before = torch.random.get_rng_state()
    first, again, other = (get_vector(make_new_model(series, seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


# ------------------------------------------------------------------ the loss


@by_likelihood
def test_an_entity_whose_labels_do_not_count_has_no_loss_and_no_gradient(
    make_series: MakeSeries,
    make_awake_model: MakeModel,
    gradient_of_each: Callable[..., torch.Tensor],
    to_double: Callable[[Examples], Examples],
    likelihood: str,
) -> None:
    series = make_series(likelihood=likelihood)
    model, examples = make_awake_model(series), to_double(cut_training(series, 1))
    weight = examples.weight.clone()
    weight[1] = 0.0
    examples = replace(examples, weight=weight)
    losses, gradients = entity_losses(model, model.likelihood, examples), gradient_of_each(model, examples)
    assert losses[1] == 0.0
    assert not gradients[1].any()
    assert gradients[[0, 2, 3, 4]].norm(dim=1).min() > 0


def test_a_loss_adds_the_buckets_that_count_over_all_that_could_count(
    make_series: MakeSeries, make_awake_model: MakeModel, to_double: Callable[[Examples], Examples]
) -> None:
    series = make_series(num_entities=1)
    model, examples = make_awake_model(series), to_double(cut_training(series, 1))
    weight = torch.zeros_like(examples.weight)
    weight[0, 0, 1] = weight[0, 2, 3] = 1.0
    each = model.likelihood.loss(model(examples), examples.anchor, examples.spread, examples.label)
    loss = entity_losses(model, model.likelihood, replace(examples, weight=weight))
    torch.testing.assert_close(loss, (each[:, 0, 1] + each[:, 2, 3]) / weight[0].numel())


def test_nobody_has_losses_of_length_zero(make_series: MakeSeries, make_awake_model: MakeModel) -> None:
    series = make_series(num_entities=0)
    model = make_awake_model(series).float()
    assert entity_losses(model, model.likelihood, cut_training(series, 1)).shape == (0,)


def test_a_forecast_position_sees_nothing_that_comes_after_it(
    make_series: MakeSeries, make_awake_model: MakeModel
) -> None:
    series = make_series()
    model, examples = make_awake_model(series).float(), cut_training(series, 1)
    inputs = examples.inputs.clone()
    inputs[:, examples.position[1] + 1 :] += 1.0
    before, after = model(examples), model(replace(examples, inputs=inputs))
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])


# ------------------------------------------------------------------ vectors and files


def test_a_vector_written_into_a_model_is_read_back(make_series: MakeSeries) -> None:
    model = make_new_model(make_series())
    vector = torch.randn(len(get_vector(model)), generator=torch.Generator().manual_seed(0))
    set_vector(model, vector)
    assert torch.equal(get_vector(model), vector)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_model_s_vector_is_a_copy(make_series: MakeSeries) -> None:
    model = make_new_model(make_series())
    before = get_vector(model)
    set_vector(model, before + 1)
    assert torch.equal(get_vector(model), before + 1)


@pytest.mark.parametrize(("trained", "moving"), [("all", 10), ("decoder", 6), ("output", 2)])
def test_what_is_frozen_forecasts_as_before_and_is_no_part_of_the_vector(
    make_series: MakeSeries, make_awake_model: MakeModel, trained: str, moving: int
) -> None:
    series = make_series(direct=True)
    model = make_awake_model(series).float()
    parts, expected = list(model.parameters())[-moving:], model(cut_forecast(series))
    vector = torch.cat([part.detach().reshape(-1) for part in parts])
    freeze(model, trained)
    assert torch.equal(get_vector(model), vector)
    assert torch.equal(model(cut_forecast(series)), expected)
    set_vector(model, vector + 1)
    assert torch.equal(get_vector(model), vector + 1)


def test_a_frozen_model_s_file_is_that_of_a_whole_one(
    make_series: MakeSeries, make_awake_model: MakeModel, tmp_path: Path
) -> None:
    series = make_series()
    model = make_awake_model(series).float()
    expected = model(cut_forecast(series))
    save_model(freeze(model, "output"), tmp_path / "model.safetensors")
    whole = make_new_model(series)
    load_model(whole, tmp_path / "model.safetensors")
    assert torch.equal(whole(cut_forecast(series)), expected)


def test_a_standardised_model_forecasts_as_before(make_series: MakeSeries, make_awake_model: MakeModel) -> None:
    series = make_series(direct=True)
    model = make_awake_model(series)
    examples = replace_floats(cut_forecast(series))
    expected = model(examples)
    for shift in (0.5, -0.2):
        width = model.output.in_features
        standardise(model, torch.linspace(-1, 1, width).double() + shift, torch.linspace(0.1, 2, width).double())
    torch.testing.assert_close(model(examples), expected)
    assert not torch.equal(model.scale, torch.ones_like(model.scale))


def replace_floats(examples: Examples) -> Examples:
    return Examples(**{k: v.double() if v.dtype == torch.float32 else v for k, v in examples.parts.items()})


def test_a_direct_path_reads_the_features_at_the_cut_off_and_begins_without_a_say(make_series: MakeSeries) -> None:
    series = make_series(direct=True)
    model, examples = make_new_model(series), cut_forecast(series)
    assert not model(examples).any()
    torch.nn.init.ones_(model.output.weight[:1, -series.num_features :])
    outputs = model(examples)[:, 0]
    torch.testing.assert_close(outputs[:, :, 0], examples.inputs[:, -1:].sum(2).expand(-1, outputs.shape[1]))


@pytest.mark.parametrize("longer", [-1, 1])
def test_a_vector_of_another_length_is_refused(make_series: MakeSeries, longer: int) -> None:
    model = make_new_model(make_series())
    before = get_vector(model)
    with pytest.raises(RuntimeError, match="split"):
        set_vector(model, torch.zeros(len(before) + longer))
    assert torch.equal(get_vector(model), before)


def test_a_saved_model_is_the_same_when_loaded(
    make_series: MakeSeries, make_awake_model: MakeModel, tmp_path: Path
) -> None:
    series = make_series()
    saved, loaded = make_awake_model(series).float(), make_new_model(series)
    save_model(saved, tmp_path / "model.safetensors")
    load_model(loaded, tmp_path / "model.safetensors")
    assert torch.equal(get_vector(saved), get_vector(loaded))
    assert torch.equal(saved(cut_forecast(series)), loaded(cut_forecast(series)))


def test_a_missing_model_file_is_refused(make_series: MakeSeries, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no model file .*; train one first"):
        load_model(make_new_model(make_series()), tmp_path / "none.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_model_file_is_refused(make_series: MakeSeries, tmp_path: Path, share: float) -> None:
    model, path = make_new_model(make_series()), tmp_path / "model.safetensors"
    save_model(model, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match="is not a model of this plan"):
        load_model(model, path)


@pytest.mark.parametrize("content", [b"not a model", b"\x80\x04}q\x00.", b"\xff" * 64])
def test_a_file_of_something_else_is_refused(make_series: MakeSeries, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a model of this plan"):
        load_model(make_new_model(make_series()), path)


def test_a_model_of_another_plan_is_refused(make_series: MakeSeries, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(make_new_model(make_series(hidden_size=7)), path)
    with pytest.raises(DataError, match="is not a model of this plan"):
        load_model(make_new_model(make_series()), path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="is not a model of this plan"):
        load_model(make_new_model(make_series()), path)
