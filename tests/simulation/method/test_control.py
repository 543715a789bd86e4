"""Federations that cannot help: one that hands out its start, and one whose labels say nothing of what it reads."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from common.forecast.method import Method
from common.model.features import cut_training
from simulation.method.control import WEEK_DAYS, shuffle_labels
from simulation.method.method import Progress, run_method

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
