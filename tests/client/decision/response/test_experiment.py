"""A plan of prices: drawn by chance, each price as often, and not to be tampered with."""

from copy import deepcopy
from datetime import date

import numpy as np
import pytest

from client.decision.response.experiment import plan_experiment, read_experiment
from common.errors import ConfigError, DataError

PRODUCTS = {"tea": 5.0, "cup": 12.0, "gift": float("nan")}


def test_each_price_comes_as_often_and_the_seed_gives_the_same_plan() -> None:
    plan = plan_experiment(PRODUCTS, change=-0.1, after=date(2025, 1, 1), weeks=12, seed=3)
    assert plan.first == date(2025, 1, 6)
    assert plan.products == ("tea", "cup")
    assert (plan.arms().sum(axis=1) == 6).all()
    assert np.array_equal(plan.arms(), plan.arms())
    assert not np.array_equal(plan.arms()[0], plan.arms()[1])
    assert set(plan.prices()[0]) == {4.5, 5.0}


def test_a_raised_price_is_held_against_the_usual_and_a_lower_one() -> None:
    plan = plan_experiment(PRODUCTS, change=0.1, after=date(2025, 1, 1), weeks=12, seed=3)
    assert plan.factors == (0.9, 1.0, 1.1)
    assert (np.bincount(plan.arms()[0]) == 4).all()


def test_arms_are_drawn_evenly_over_weeks() -> None:
    """Every week has the lower price in half of the plans; 200 plans, a rate beyond 0.36 to 0.64 in 1 of 10,000."""
    plan = plan_experiment({"tea": 5.0}, change=-0.1, after=date(2025, 1, 1), weeks=8, seed=0)
    rate = np.mean([plan.arms(seed=seed)[0] == 0 for seed in range(200)], axis=0)
    assert ((rate > 0.36) & (rate < 0.64)).all()


def test_a_plan_is_read_back_and_one_that_was_changed_is_refused() -> None:
    plan = plan_experiment(PRODUCTS, change=-0.1, after=date(2025, 1, 1), weeks=8, seed=3)
    document = plan.describe()
    assert read_experiment(document, "plan.json") == plan
    changed = deepcopy(document)
    changed["schedule"][0]["price"] = 1.0
    with pytest.raises(DataError, match="not left to chance"):
        read_experiment(changed, "plan.json")
    with pytest.raises(DataError, match="is no plan"):
        read_experiment({"experiment": 1}, "plan.json")
    with pytest.raises(DataError, match="another version"):
        read_experiment({**document, "experiment": 2}, "plan.json")


def test_a_plan_that_says_nothing_is_refused() -> None:
    for weeks, change in ((2, -0.1), (12, 0.0), (12, -0.9)):
        with pytest.raises(ConfigError):
            plan_experiment(PRODUCTS, change=change, after=date(2025, 1, 1), weeks=weeks, seed=1)
    with pytest.raises(DataError, match="None of these products has a price"):
        plan_experiment({"gift": float("nan")}, change=-0.1, after=date(2025, 1, 1), weeks=8, seed=1)
