import importlib.util
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from client.forecast.method.alone import train_alone
from client.forecast.released import forecast_demand
from common.errors import ConfigError
from common.forecast.method import Method
from common.plan.reading import read_plan
from common.privacy.accounting import epsilon_of
from simulation.method.method import (
    Progress,
    check_methods,
    count_parameters,
    delta_of_plan,
    mechanism_of,
    run_method,
    training_of,
)

CPU = torch.device("cpu")
PLANS = sorted((Path(__file__).parents[3] / "plans").glob("*.toml"))


@pytest.fixture
def trial(make_small_trial, sales):
    return make_small_trial(sales)


def forecast_of(name, trial, *, seed=0, progress=None):
    return run_method(Method.parse(name), trial, seed=seed, device=CPU, progress=progress or Progress()).forecast


def assert_same(first, second):
    for one, other in zip(vars(first).values(), vars(second).values(), strict=True):
        assert np.array_equal(one, other)


# Names


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_plan_of_ours_names_methods_that_exist(path):
    plan = read_plan(path)
    check_methods(plan.evaluation.methods, plan)


@pytest.mark.parametrize(
    ("name", "epsilon"),
    [
        ("federated_eps8", 8.0),
        ("federated_eps0.5", 0.5),
        ("federated_eps10", 10.0),
        ("federated", None),
        ("federated_eps", None),
        ("federated_eps-1", None),
        ("federated_eps8x", None),
        ("my_federated_eps8", None),
        ("anchor", None),
    ],
)
def test_epsilon_stands_in_the_name(name, epsilon):
    assert Method.parse(name).epsilon == epsilon


@pytest.mark.parametrize("name", ["prophet", "federated_eps", "federated_eps<number>", "Anchor", ""])
def test_what_is_no_method_is_refused(name, make_plan):
    with pytest.raises(ConfigError, match="There is no method"):
        check_methods(("anchor", name), make_plan())


def test_a_control_among_the_candidates_is_refused_and_the_router_that_has_it_is_not(make_plan):
    plan = make_plan(evaluation={"candidates": ["anchor", "federated_eps2_null"]})
    with pytest.raises(ConfigError, match="name the real federation there, and routed_null in"):
        check_methods(("routed",), plan)
    fine = make_plan(evaluation={"candidates": ["anchor", "federated_eps2"]})
    check_methods(("routed", "routed_null", "routed_shuffled", "federated_eps2_null_personalised"), fine)


def test_noise_beyond_what_is_accounted_for_is_refused_before_anything_runs(make_plan):
    with pytest.raises(ConfigError, match="federated_eps0 needs a noise multiplier of"):
        check_methods(("anchor", "federated_eps0"), make_plan())


def test_a_method_whose_library_is_missing_is_refused_with_the_way_to_install_it(make_plan, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "lightgbm" else find_spec(name))
    check_methods(("anchor", "auto_ets"), make_plan())
    with pytest.raises(ConfigError, match=r"lightgbm_pooled needs lightgbm.*pip install 'hansa\[forecast\]'"):
        check_methods(("lightgbm_pooled",), make_plan())


# Guarantees


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 2.0, 8.0, 20.0])
@pytest.mark.parametrize(("size_class", "num_rounds"), [(32, 1), (32, 150), (65536, 150), (65536, 1000)])
def test_the_mechanism_accounts_to_the_epsilon_of_the_name(make_plan, epsilon, size_class, num_rounds):
    plan = make_plan(privacy={"training": {"num_rounds": num_rounds}, "clipping_norm": 0.5})
    mechanism = mechanism_of(Method("federated", epsilon), plan, size_class)
    spent = epsilon_of(math.sqrt(num_rounds * mechanism.mu_squared), delta_of_plan(plan, size_class))
    assert epsilon - 1e-6 <= spent <= epsilon
    assert mechanism.clipping_norm == 0.5


def test_delta_is_the_plans_or_follows_from_the_largest_size_class(make_plan):
    assert delta_of_plan(make_plan(), 32) == 1e-5
    assert delta_of_plan(make_plan(), 65536) == pytest.approx(1 / 655360)
    assert delta_of_plan(make_plan(privacy={"delta": 1e-6}), 32) == 1e-6


def test_a_method_without_epsilon_is_neither_clipped_nor_noised(make_plan):
    mechanism = mechanism_of(Method("federated"), make_plan(), 32)
    assert (mechanism.clipping_norm, mechanism.noise_std) == (None, 0.0)


def test_noise_is_as_much_for_either_trust_and_who_trusts_the_sum_shares_it(make_plan):
    own, shared = (Method("federated", 2.0, trusts_sum=trusts) for trusts in (False, True))
    assert mechanism_of(own, make_plan(), 32) == mechanism_of(shared, make_plan(), 32)


def test_methods_of_either_trust_train_as_their_section_says(make_plan):
    summed = {"num_rounds": 5, "learning_rate": 0.001}
    plan = make_plan(privacy={"training": {"num_rounds": 7}, "sum_training": summed})
    shared, personal = Method("federated", 2.0, trusts_sum=True), Method("federated", 2.0, True, True)
    assert training_of(Method("federated", 2.0), plan).num_rounds == 7
    assert training_of(shared, plan) == training_of(personal, plan) == plan.privacy.sum_training
    assert training_of(shared, make_plan(privacy={"training": {"num_rounds": 7}})).num_rounds == 7
    assert mechanism_of(shared, plan, 32).noise_multiplier == pytest.approx(
        mechanism_of(Method("federated", 2.0), plan, 32).noise_multiplier * math.sqrt(5 / 7)
    )


def test_merchants_who_trust_the_sum_are_served_by_another_draw(trial):
    for forecast in map(forecast_of, ("federated_eps8", "federated_eps8_sum"), (trial, trial)):
        assert forecast.is_finite()
    assert not np.array_equal(forecast.mean, forecast_of("federated_eps8", trial).mean)


def test_private_methods_train_as_the_privacy_section_says(make_plan):
    plan = make_plan(privacy={"training": {"num_rounds": 7}}, federation={"training": {"num_rounds": 9}})
    assert training_of(Method("federated", 2.0), plan).num_rounds == 7
    assert training_of(Method("federated"), plan).num_rounds == 9


# Forecasts


def test_the_anchor_is_the_untrained_model_whatever_the_seed(trial):
    assert_same(forecast_of("anchor", trial), forecast_of("anchor", trial, seed=7))


def test_a_federated_model_is_the_one_that_made_the_forecast(trial):
    result = run_method(Method("federated", 8.0), trial, seed=0, device=CPU, progress=Progress())
    assert_same(result.forecast, forecast_demand(result.model, trial.series, device=CPU))
    assert sum(parameter.numel() for parameter in result.model.parameters()) == count_parameters(
        Method("federated"), trial
    )


def test_a_model_fitted_on_pooled_or_one_merchants_data_never_leaves(trial):
    for name in ("gru_local", "gru_pooled", "seasonal_naive"):
        assert run_method(Method.parse(name), trial, seed=0, device=CPU, progress=Progress()).model is None


@pytest.mark.parametrize("name", ["auto_ets", "croston", "lightgbm_local", "lightgbm_pooled"])
def test_an_alternative_tells_of_its_progress_and_forecasts_every_entity(trial, name):
    shares = []
    forecast = forecast_of(name, trial, progress=Progress(on_step=lambda share, loss: shares.append(share)))
    assert shares[-1] == 1.0
    assert forecast.mean.shape == trial.outcome.actual.shape
    assert forecast.is_finite()


def test_every_round_is_told_and_a_state_goes_on_where_it_stopped(trial):
    states = []
    progress = Progress(on_round=lambda state, loss: states.append((state, loss)))
    whole = forecast_of("federated_eps8", trial, progress=progress)
    assert [state.round_number for state, _ in states] == [1, 2, 3]
    assert all(math.isfinite(loss) for _, loss in states)
    assert_same(whole, forecast_of("federated_eps8", trial, progress=Progress(state=states[0][0])))


def test_noise_of_one_seed_differs_between_origins(make_small_trial, sales):
    first = make_small_trial(sales)
    states = []
    progress = Progress(on_round=lambda state, loss: states.append(state.parameters))
    for trial in (first, replace(first, day=first.day - 1)):
        forecast_of("federated_eps8", trial, progress=progress)
    assert not torch.equal(states[0], states[3])


def test_gru_local_of_a_merchant_sees_nothing_of_another(make_small_trial, sales):
    other = sales.copy()
    other.loc[other["shop"] == "south", ["units", "promotion"]] = [50, 1]
    before, after = make_small_trial(sales), make_small_trial(other)
    both = [forecast_of("gru_local", trial) for trial in (before, after)]
    for merchant in ("north", "west"):
        rows = before.rows_of(merchant)
        assert_same(*(forecast.select(rows) for forecast in both))
    rows = before.rows_of("south")
    assert not np.array_equal(*(forecast.mean[rows] for forecast in both))


def test_gru_local_of_a_merchant_is_the_same_with_or_without_the_others(make_small_trial, sales):
    everyone, alone = make_small_trial(sales), make_small_trial(sales[sales["shop"] == "west"])
    together = forecast_of("gru_local", everyone).select(everyone.rows_of("west"))
    assert_same(together, forecast_of("gru_local", alone))


def test_gru_local_gives_each_entity_its_own_forecast_where_merchants_are_interleaved(make_small_trial, orders):
    trial = make_small_trial(orders, "orders")
    together = forecast_of("gru_local", trial)
    assert len(trial.merchants) == 3
    for merchant in trial.merchants:
        rows = trial.rows_of(merchant)
        plan = trial.plan
        panel, everyone = trial.panel.select(rows), [np.arange(len(rows))]
        own = train_alone(panel, everyone, plan.model, plan.evaluation.alone, trial.day, seed=0, device=CPU)
        assert_same(together.select(rows), own)


def test_an_entity_of_another_merchant_moves_a_federated_model(make_small_trial, sales):
    more = pd.concat(
        [sales, sales[sales["product"] == "south-0"].assign(product="south-9", units=40)], ignore_index=True
    )
    before, after = make_small_trial(sales), make_small_trial(more)
    both = [forecast_of("federated", trial).select(trial.rows_of("north")) for trial in (before, after)]
    assert not np.array_equal(both[0].mean, both[1].mean)
