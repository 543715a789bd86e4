import json

import numpy as np
import pandas as pd
import pytest
import torch

from client.forecast import forecast_demand
from common.errors import ConfigError
from common.model import load_model
from common.plan import read_plan
from common.warm.start import start_model
from simulation.folder import Part
from simulation.routing import candidates_of, federation_of, prerequisites, share_of_choices
from simulation.trial import rehearse

CANDIDATES = ["federated_eps8", "anchor", "weekday_mean", "federated_eps8_personalised"]
METHODS = ["anchor", "federated_eps8_personalised", "routed", "routed_own"]


@pytest.fixture
def plan_file(write_plan, tables):
    return write_plan(evaluation={"methods": METHODS, "candidates": CANDIDATES, "seeds": 2})


@pytest.fixture
def finished(hansa_sim, plan_file, tmp_path):
    ended = hansa_sim("run", plan_file, "--out", tmp_path / "run", "--data-root", tmp_path)
    assert ended.code == 0, ended.stderr
    return tmp_path / "run"


def test_a_routed_run_serves_every_merchant_by_one_of_the_candidates(finished):
    summary = json.loads((finished / "summary.json").read_text())
    assert set(summary["methods"]) == {*METHODS, "weekday_mean"}  # a candidate that nobody asked for is shown too
    assert set(summary["choices"]) == {"routed", "routed_own"}
    for method, merchants in summary["choices"].items():
        assert set(merchants) == {"north", "south", "west"}
        for shares in merchants.values():
            assert sum(shares.values()) == pytest.approx(1.0)
            assert set(shares) <= set(CANDIDATES if method == "routed" else ["anchor", "weekday_mean"])


def test_what_is_routed_is_the_chosen_candidate_s_forecast_of_the_merchant(finished):
    forecasts = pd.read_parquet(finished / "forecasts.parquet")
    choices = json.loads((finished / "summary.json").read_text())["choices"]["routed_own"]
    own = pd.concat(pd.read_parquet(path) for path in (finished / "parts").glob("*-2024-02-06-0.parquet"))
    for merchant, shares in choices.items():
        (chosen,) = shares
        expected = own[(own.method == chosen) & (own.merchant == merchant)]["median"]
        served = forecasts[(forecasts.method == "routed_own") & (forecasts.merchant == merchant)]["median"]
        assert np.array_equal(served, expected)


def test_a_released_model_serves_as_it_was_released_one_horizon_before(finished, plan_file, make_small_trial, sales):
    trial = make_small_trial(sales)
    model = start_model(trial.plan.model, trial.series, seed=0, warm=False)
    load_model(model, finished / "models" / "federated_eps8-2024-02-06-0-rehearsal.safetensors")
    released = forecast_demand(model, trial.series, device=torch.device("cpu"))
    choices = json.loads((finished / "parts" / "routed-2024-02-06-0.json").read_text())["choices"]
    routed = pd.read_parquet(finished / "parts" / "routed-2024-02-06-0.parquet")
    served_globally = [name for name, choice in choices.items() if choice == "federated_eps8"]
    assert served_globally
    for merchant in served_globally:
        expected = released.median[trial.rows_of(merchant)].ravel()
        np.testing.assert_allclose(routed[routed.merchant == merchant]["median"], expected, rtol=1e-6)


def test_the_guarantee_of_what_rests_on_a_private_federation_is_that_federation_s(finished):
    privacy = json.loads((finished / "summary.json").read_text())["privacy"]
    assert set(privacy) == {"federated_eps8_personalised", "routed"}
    assert privacy["routed"]["epsilon"] == pytest.approx(8.0)


def test_a_rehearsal_ends_where_the_origin_begins_and_keeps_the_merchants(make_small_trial, sales):
    trial = make_small_trial(sales)
    earlier = rehearse(trial)
    assert earlier.day == trial.day - trial.plan.model.horizon_days
    horizon = slice(earlier.day, trial.day)
    assert np.array_equal(earlier.outcome.actual, earlier.panel.target[:, horizon])
    assert earlier.merchants == trial.merchants


def test_every_part_stands_behind_what_it_reads(plan_file):
    plan = read_plan(plan_file)
    routed = Part("routed", plan.evaluation.origins[0], 1)
    needed = prerequisites(routed, plan, 0)
    names = [part.name for part in needed]
    assert names.index("federated_eps8-2024-02-06-1-rehearsal") < names.index(
        "federated_eps8_personalised-2024-02-06-1-rehearsal"
    )
    assert "anchor-2024-02-06-0" in names
    assert "federated_eps8-2024-02-06-1" not in names  # the released model forecasts; nothing is trained again


def test_two_federations_among_the_candidates_are_refused(make_plan):
    plan = make_plan(evaluation={"candidates": ["federated", "federated_eps2_personalised"]})
    with pytest.raises(ConfigError, match="rest on 2 federations"):
        federation_of("routed", plan)


def test_a_router_without_candidates_is_refused(hansa_sim, write_plan, tables, tmp_path):
    ended = hansa_sim("run", write_plan(), "--out", tmp_path / "run", "--only", "routed", "--data-root", tmp_path)
    assert ended.code == 2
    assert ended.stderr == ("hansa-sim: routed has nothing to choose from; list methods in evaluation.candidates.\n")


def test_own_candidates_are_those_that_need_no_federation(plan_file):
    assert candidates_of("routed_own", read_plan(plan_file)) == ("anchor", "weekday_mean")


def test_without_a_horizon_of_history_the_router_says_so(hansa_sim, write_plan, tables, tmp_path):
    plan = write_plan(evaluation={"methods": ["routed"], "candidates": ["anchor"], "origins": ["2024-01-03"]})
    ended = hansa_sim("run", plan, "--out", tmp_path / "run", "--data-root", tmp_path)
    assert ended.code == 2
    assert "There is nothing to choose a method on" in ended.stderr


def test_choices_are_shared_out_over_origins_and_seeds():
    assert share_of_choices([{"north": "a"}, {"north": "b", "south": "a"}]) == {
        "north": {"a": 0.5, "b": 0.5},
        "south": {"a": 1.0},
    }
