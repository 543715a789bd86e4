"""Federations that cannot help: one that hands out its start, and one whose labels say nothing of what it reads."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from common.forecast.method import Method
from common.model.features import cut_training
from simulation.experiment.folder import Part
from simulation.experiment.run import plan_parts
from simulation.method.control import WEEK_DAYS, same_as, shuffle_labels
from simulation.method.method import Leg, Progress, run_method
from simulation.method.routing import fit_each

CPU = torch.device("cpu")


@pytest.fixture
def trial(make_small_trial, sales):
    return make_small_trial(sales)


@pytest.fixture
def numbered(trial):
    """Write on every day of every entity which one it is: entity times 1,000 plus the day."""
    days = torch.arange(trial.series.target.shape[1], dtype=trial.series.target.dtype)
    entities = torch.arange(trial.series.num_entities, dtype=days.dtype)[:, None]
    return replace(trial.series, target=1000 * entities + days)


def run(trial, name, seed=0):
    return run_method(Method.parse(name), trial, seed=seed, device=CPU, progress=Progress())


@pytest.mark.parametrize("name", ["federated", "federated_eps8", "federated_eps8_sum"])
def test_a_federation_that_learns_nothing_is_one_with_a_learning_rate_of_nothing(make_small_trial, sales, name):
    tiny = {"num_rounds": 3, "learning_rate": 1e-15}
    idle = make_small_trial(sales, federation={"training": tiny}, privacy={"unit": "product", "training": tiny})
    really, told = run(idle, name).forecast, run(idle, f"{name}_null").forecast
    np.testing.assert_allclose(really.mean, told.mean, rtol=1e-6)
    moved = run(make_small_trial(sales), name).forecast
    assert np.abs(moved.mean - told.mean).max() > 1e-3


def test_a_shuffled_entity_has_the_days_of_one_other_turned_by_whole_weeks(numbered):
    origin = int(numbered.cutoffs[-1])
    shuffled = shuffle_labels(numbered, np.random.default_rng(0)).target
    donors, days = (shuffled // 1000).long(), (shuffled % 1000).long()
    assert sorted(donors[:, 0].tolist()) == list(range(numbered.num_entities))
    assert bool((donors == donors[:, :1]).all())
    assert bool((days[:, :origin] < origin).all())  # nothing from the origin on comes before it
    assert bool((days[:, origin:] == torch.arange(origin, numbered.target.shape[1])).all())
    assert bool(((days - torch.arange(days.shape[1])) % WEEK_DAYS == 0).all())
    assert len({int(day) for day in days[:, 0]}) > 1  # nor are all turned alike: a holiday would stay one


def test_what_is_forecast_from_stays_its_own_and_the_labels_alone_are_another_s(trial):
    shuffled = shuffle_labels(trial.series, np.random.default_rng(0))
    changed = {name for name, kept in vars(trial.series).items() if getattr(shuffled, name) is not kept}
    assert changed == {"target", "open"}  # and what is out of stock, where the series knows of it
    real, noise = (cut_training(series, 1) for series in (trial.series, shuffled))
    for name in ("inputs", "future", "spread"):
        assert torch.equal(getattr(real, name), getattr(noise, name))
    assert not torch.equal(real.label, noise.label)


def test_days_out_of_stock_go_with_their_demand(numbered):
    sold_out = replace(numbered, censored=numbered.target % 2 == 0, expected=numbered.target + 0.5)
    shuffled = shuffle_labels(sold_out, np.random.default_rng(0))
    assert torch.equal(shuffled.censored, shuffled.target % 2 == 0)
    assert torch.equal(shuffled.expected, shuffled.target + 0.5)


def test_one_that_learns_noise_moves_as_far_as_a_real_one_and_elsewhere(trial):
    real, noise, start = (run(trial, f"federated{end}").forecast for end in ("", "_shuffled", "_null"))
    far, near = (np.abs(forecast.mean - start.mean).sum() for forecast in (noise, real))
    assert 0.2 * near < far
    assert np.abs(noise.mean - real.mean).max() > 1e-3
    other = run(trial, "federated_shuffled", seed=1).forecast
    assert np.abs(noise.mean - other.mean).max() > 1e-4


# A federation that learns nothing and starts from the public model is the public model

WARM = {"hidden_size": 24, "decoder_size": 24}
WARM_START = {"training": {"num_rounds": 3, "learning_rate": 0.05, "trained": "decoder"}, "start": "warm"}


def arrays(forecast):
    return [getattr(forecast, name) for name in ("mean", "median", "quantiles", "probability")]


@pytest.mark.parametrize("name", ["federated", "federated_eps8_sum"])
def test_what_is_shared_by_name_is_equal_to_the_last_bit(make_small_trial, sales, name):
    trial = make_small_trial(sales, model=WARM, federation=WARM_START, privacy={**WARM_START, "unit": "product"})
    null = Method.parse(f"{name}_null")
    first = run(trial, null.name, 7)
    second = run_method(null, trial, seed=7, device=CPU, progress=Progress(), leg=Leg(1, first.model))
    fitted, same = replace(null, personalised=True), Method("warm", personalised=True)
    assert (same_as(null, trial.plan), same_as(fitted, trial.plan)) == (Method("warm"), same)
    public = [arrays(run(trial, method).forecast) for method in ("warm", same.name)]
    for result in (first, second):
        for ours, theirs in zip(
            (result.forecast, fit_each(result.model, trial, earlier=first.model)), public, strict=True
        ):
            for own, known in zip(arrays(ours), theirs, strict=True):
                np.testing.assert_array_equal(own, known)
    assert (arrays(run(trial, name).forecast)[0] != arrays(run(trial, "warm").forecast)[0]).any()


@pytest.mark.parametrize("name", ["federated_eps8", "federated_eps8_shuffled", "federated_eps8_personalised", "anchor"])
def test_nothing_else_is_the_public_model(make_small_trial, sales, name):
    warm = make_small_trial(sales, model=WARM, federation=WARM_START, privacy={**WARM_START, "unit": "product"}).plan
    assert same_as(Method.parse(name), warm) == Method.parse(name)
    cold = make_small_trial(sales).plan
    assert same_as(Method.parse("federated_eps8_null"), cold) == Method.parse("federated_eps8_null")


def test_a_control_that_is_the_public_model_is_not_made_again(make_small_trial, sales):
    candidates = {"candidates": ["federated_eps8", "federated_eps8_personalised", "anchor"]}
    plan = make_small_trial(
        sales, model=WARM, evaluation=candidates, federation=WARM_START, privacy={**WARM_START, "unit": "product"}
    ).plan
    parts = plan_parts(plan, ("routed", "routed_null"), 0)
    assert "routed_null" in {part.method.name for part in parts}
    assert not {part.method.name for part in parts} & {"federated_eps8_null", "federated_eps8_null_personalised"}
    assert parts.count(Part(Method("warm", personalised=True), plan.evaluation.origins[0], 0)) == 1
