"""Averages are checked on numbers small enough to do in the head."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from common.forecast.method import Method
from common.forecast.metric import Forecast
from common.privacy.accounting import customer_mu, epsilon_of
from simulation.evaluation.summary import (
    BUSIEST_ENTITIES,
    SMALL_MERCHANT_ENTITIES,
    describe_privacy,
    make_table,
    say_privacy,
    score_part,
    summarise,
)

PRIVACY = {"epsilon": 8.0, "unit": "product"}


@pytest.fixture
def plan(make_plan):
    return make_plan(evaluation={"origins": ["2024-02-01", "2024-03-01"]})


@pytest.fixture
def make_part():
    """Make the scores of one finished part, in which every group has the same wape."""

    def make(method, origin, seed, wape, *, merchants=("north", "south"), bias=None):
        metrics = {"wape": wape, "bias": bias}
        return {
            "method": method,
            "origin": origin,
            "seed": seed,
            "seconds": 2.0,
            "stage": "whole",
            "choices": None,
            "privacy": PRIVACY if "eps" in method else None,
            "all": metrics,
            "merchants": {name: {"entities": 10 * (place + 1), **metrics} for place, name in enumerate(merchants)},
            "small_merchants": metrics,
            "busiest": metrics,
        }

    return make


@pytest.fixture
def parts(make_part):
    """Two origins: the anchor once each, the private method under two seeds; west opens before the second origin."""
    return [
        make_part("anchor", "2024-02-01", 0, 0.5),
        make_part("federated_eps8", "2024-02-01", 0, 0.1, bias=0.3),
        make_part("federated_eps8", "2024-02-01", 1, 0.2),
        make_part("anchor", "2024-03-01", 0, 0.7, merchants=("north", "west")),
        make_part("federated_eps8", "2024-03-01", 0, 0.3, merchants=("north", "west")),
        make_part("federated_eps8", "2024-03-01", 1, 0.6, merchants=("north", "west")),
    ]


@pytest.fixture
def found(parts, plan):
    return summarise(parts, plan, {"plan": "small"})


def test_methods_are_averaged_over_origins_and_seeds(found):
    assert found["methods"]["anchor"] == {"wape": pytest.approx(0.6), "bias": None}
    assert found["methods"]["federated_eps8"] == {"wape": pytest.approx(0.3), "bias": pytest.approx(0.3)}


def test_spread_is_the_deviation_over_seeds_of_the_mean_over_origins(found):
    assert set(found["spread"]) == {"federated_eps8"}
    assert found["spread"]["federated_eps8"]["wape"] == pytest.approx(math.sqrt((0.1**2 + 0.1**2) / 1))


def test_one_seed_has_no_spread(parts, plan):
    alone = summarise([part for part in parts if part["seed"] == 0], plan, {})
    assert alone["spread"]["federated_eps8"]["wape"] == 0


def test_origins_are_averaged_over_seeds(found):
    assert found["origins"]["2024-02-01"]["federated_eps8"]["wape"] == pytest.approx(0.15)
    assert found["origins"]["2024-03-01"]["federated_eps8"]["wape"] == pytest.approx(0.45)
    assert found["origins"]["2024-03-01"]["anchor"]["wape"] == 0.7


def test_a_merchant_is_averaged_over_the_origins_at_which_it_takes_part(found):
    merchants = found["merchants"]["anchor"]
    assert list(merchants) == ["north", "south", "west"]
    assert merchants["north"]["wape"] == pytest.approx(0.6)
    assert merchants["south"] == {"entities": 20, "wape": 0.5, "bias": None}
    assert merchants["west"]["wape"] == 0.7


def test_time_is_added_up(found):
    assert found["timing_seconds"] == {"anchor": 4, "federated_eps8": 8, "total": 12}


def test_only_private_methods_state_a_guarantee(found):
    assert found["privacy"] == {"federated_eps8": PRIVACY}


def test_nothing_finished_is_a_summary_too(plan):
    found = summarise([], plan, {})
    assert found["methods"] == found["origins"] == found["merchants"] == found["privacy"] == {}
    assert found["timing_seconds"] == {"total": 0}


def test_the_table_shows_a_gap_for_what_is_not_defined(found):
    console = Console(width=136, record=True, file=io.StringIO())
    console.print(make_table({**found, "plan": "[/small]"}, "demand"))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["[/small]:", "mean", "over", "2", "origins"] in lines
    assert ["anchor", "data", "stays", "0.6000", "–", "–", "–", "–", "–", "–", "4.0"] in lines
    assert ["federated_eps8", "ε", "8", "per", "product", "0.3000", "–", "–", "–", "–", "–", "0.3000", "8.0"] in lines


# Scores of one part


def test_everyone_each_merchant_and_the_small_ones_together_are_scored(make_small_trial, sales):
    trial = make_small_trial(sales)
    actual = trial.outcome.actual
    scores = score_part(Forecast(actual + 1, actual + 1, None, None), trial)
    totals = {name: float(actual[trial.rows_of(name)].sum()) for name in trial.merchants}
    assert scores["all"]["wape"] == pytest.approx(actual.size / actual.sum())
    assert scores["small_merchants"] == scores["all"]
    assert {name: scored["entities"] for name, scored in scores["merchants"].items()} == {
        "north": 1,
        "south": 2,
        "west": 3,
    }
    for name, scored in scores["merchants"].items():
        assert scored["wape"] == pytest.approx(4 * scored["entities"] / totals[name])


def test_small_merchants_are_pooled_without_the_large_ones(make_small_trial, sales):
    more = range(SMALL_MERCHANT_ENTITIES - 3)  # west has three, so that now it is just too large
    copies = [sales[sales["product"] == "west-0"].assign(product=f"west-x{number}") for number in more]
    trial = make_small_trial(pd.concat([sales, *copies], ignore_index=True))
    actual = trial.outcome.actual
    wrong = actual + np.where(trial.panel.merchants == "west", 100.0, 1.0)[:, None]
    small = score_part(Forecast(wrong, wrong, None, None), trial)["small_merchants"]
    rows = np.concatenate([trial.rows_of("north"), trial.rows_of("south")])
    assert small["wape"] == pytest.approx(12 / actual[rows].sum())


def test_the_busiest_before_the_origin_are_scored_by_themselves(make_small_trial, sales):
    idle = sales[sales["product"] == "west-0"].assign(units=0)
    copies = [idle.assign(product=f"idle-{number}") for number in range(BUSIEST_ENTITIES)]
    trial = make_small_trial(pd.concat([sales, *copies], ignore_index=True))
    actual = trial.outcome.actual
    wrong = actual + np.where(np.char.startswith(trial.panel.entities.astype(str), "idle"), 0.0, 1.0)[:, None]
    found = score_part(Forecast(wrong, wrong, None, None), trial)
    assert found["busiest"] == pytest.approx(found["all"] | {"rmsse": found["busiest"]["rmsse"]})
    assert found["busiest"]["rmsse"] > 0


def test_where_there_are_few_entities_none_are_set_apart_as_busy(make_small_trial, sales):
    trial = make_small_trial(sales)
    zeros = np.zeros_like(trial.outcome.actual)
    assert score_part(Forecast(zeros, zeros, None, None), trial)["busiest"] == {}


def test_what_serves_others_costs_time_and_is_in_no_mean(make_part, plan):
    rehearsal = make_part("anchor", "2024-02-01", 0, 0.9) | {"stage": "rehearsal"}
    found = summarise([rehearsal, make_part("anchor", "2024-02-01", 0, 0.5)], plan, {})
    assert found["methods"]["anchor"]["wape"] == 0.5
    assert found["timing_seconds"] == {"anchor": 2.0, "total": 4.0}


def test_purchases_are_scored_by_the_probability_of_any(make_small_trial, orders):
    trial = make_small_trial(orders, "orders")
    bought = trial.outcome.actual.sum(1) > 0
    zeros = np.zeros_like(trial.outcome.actual)
    scores = score_part(Forecast(zeros, zeros, None, bought.astype(float)), trial)
    assert (scores["all"]["auc"], scores["all"]["brier"], scores["all"]["recall"]) == (1, 0, 1)


# The guarantee


def test_the_guarantee_adds_up_over_rounds_and_states_what_all_origins_would_cost(plan):
    stated = describe_privacy(Method("federated", 2.0), plan, [32, 64])
    assert stated["epsilon"] == pytest.approx(2, abs=1e-6)
    assert stated["mu"] == pytest.approx(math.sqrt(stated["num_rounds"]) / stated["noise_multiplier"])
    twice = epsilon_of(stated["mu"] * math.sqrt(2), stated["delta"])
    assert stated["epsilon_if_all_origins_were_released"] == pytest.approx(twice)
    assert stated["adjacency"] == "add or remove one customer with everything it did at one merchant"


# The protocol's page: epsilon 2 among 20 is 6.6 for whom all others collude against.
def test_a_promise_that_rests_on_the_sum_says_on_whom(plan):
    own, summed = (describe_privacy(Method("federated", 2.0, trusts_sum=t), plan, [32] * 20) for t in (False, True))
    assert summed.items() > own.items()
    assert set(summed) - set(own) == {"trust", "colluders", "epsilon_if_all_others_collude"}
    assert summed["colluders"] == 6
    assert summed["epsilon_if_all_others_collude"] == pytest.approx(6.6, abs=0.05)
    summary = {"privacy": {"federated_eps2_sum": summed, "federated_eps2": own}}
    assert say_privacy("federated_eps2_sum", summary) == "ε 2 per customer, trusting the sum"
    assert say_privacy("federated_eps2", summary) == "ε 2 per customer"


def test_a_unit_that_is_no_customer_promises_customers_nothing(make_plan):
    assert "customer_guarantee" not in describe_privacy(Method("federated", 2.0), make_plan(), [32])
    stated = describe_privacy(Method("federated", 2.0), make_plan(privacy={"unit": "product"}), [32])
    assert stated["customer_guarantee"].startswith("none")
    touched = stated["epsilon_of_a_customer_by_units_touched"]
    assert touched == {str(k): epsilon_of(customer_mu(stated["mu"], k), stated["delta"]) for k in (1, 5)}
    assert touched["5"] > touched["1"] > stated["epsilon"]


@pytest.mark.parametrize(
    "method", ["anchor", "federated", "gru_local", "federated_eps2_null", "federated_eps2_shuffled"]
)
def test_a_method_without_noise_states_no_guarantee(plan, method):
    assert describe_privacy(Method.parse(method), plan, [32]) is None
