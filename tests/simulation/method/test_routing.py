import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from client.forecast.candidate import ReleasedModels, serve
from client.forecast.view import View
from common.errors import ConfigError
from common.forecast.method import Method
from common.model.demand_gru import get_vector, load_model
from common.model.warm.start import start_model
from common.plan.reading import read_plan
from simulation.experiment.folder import Part
from simulation.method.routing import candidates_of, federation_of, prerequisites, rounds_of, share_of_choices
from simulation.origin.origin import rehearse

CANDIDATES = ["federated_eps8", "anchor", "weekday_mean", "federated_eps8_personalised"]
METHODS = ["anchor", "federated_eps8_personalised", "routed", "routed_own", "routed_null"]
CHOSEN_FROM = {
    "routed": set(CANDIDATES),
    "routed_own": {"anchor", "weekday_mean"},
    "routed_null": {"federated_eps8_null", "federated_eps8_null_personalised", "anchor", "weekday_mean"},
}


@pytest.fixture
def plan_file(write_plan, tables):
    return write_plan(evaluation={"methods": METHODS, "candidates": CANDIDATES, "seeds": 2})


@pytest.fixture(scope="module")
def kept():
    """Keep the one run that all tests here read and none changes."""
    return {}


@pytest.fixture
def finished(hansa_sim, plan_file, tmp_path, tmp_path_factory, kept):
    if "run" not in kept:
        out = tmp_path_factory.mktemp("routed") / "run"
        ended = hansa_sim("run", plan_file, "--out", out, "--data-root", tmp_path)
        assert ended.code == 0, ended.stderr
        kept["run"] = out
    return kept["run"]


def test_a_routed_run_serves_every_merchant_by_some_of_the_candidates(finished):
    summary = json.loads((finished / "summary.json").read_text())
    candidates = {"weekday_mean", "federated_eps8_null_personalised"}  # nobody asked for these; they are shown too
    assert set(summary["methods"]) == {*METHODS, *candidates}
    assert set(summary["choices"]) == {"routed", "routed_own", "routed_null"}
    for method, merchants in summary["choices"].items():
        assert set(merchants) == {"north", "south", "west"}
        for shares in merchants.values():
            assert sum(shares.values()) == pytest.approx(1.0)
            assert set(shares) == CHOSEN_FROM[method]


def test_the_answer_of_a_routed_run_holds_the_control_and_what_the_federation_added(finished):
    found = json.loads((finished / "summary.json").read_text())["answer"]
    assert (found["method"], found["against"], found["worth"]) == ("routed", "routed_own", "unclear")  # six entities
    control = found["controls"]["null"]
    assert (control["method"], control["against"]) == ("routed_null", "routed_own")
    assert (control["over"]["method"], control["over"]["against"]) == ("routed", "routed_null")
    assert [(gain["method"], gain["against"]) for gain in found["added"]] == [
        ("routed", "routed_own"),
        ("federated_eps8_personalised", "federated_eps8_null_personalised"),
    ]
    assert "A federation that learns nothing (routed_null against routed_own)" in (finished / "report.html").read_text()


def test_the_months_that_it_is_worth_are_of_the_fitted_model_against_the_best_own_method(finished):
    summary = json.loads((finished / "summary.json").read_text())
    history = json.loads((finished / "history.json").read_text())
    assert history["federated"] == "federated_eps8_personalised"
    last = history["lengths"][-1]
    own = {name: summary["methods"][name]["wql"] for name in ("anchor", "weekday_mean")}
    assert last["own"] <= min(own.values()) + 1e-6
    assert last["federated"] == pytest.approx(summary["methods"]["federated_eps8_personalised"]["wql"], abs=0.02)


def test_what_is_routed_is_the_weighed_average_of_the_candidates_forecasts(finished):
    parts = finished / "parts"
    choices = json.loads((parts / "routed-2024-02-06-0.json").read_text())["choices"]
    routed = pd.read_parquet(parts / "routed-2024-02-06-0.parquet")
    served = {"federated_eps8": "served", "anchor": "", "weekday_mean": "", "federated_eps8_personalised": ""}
    for merchant, weights in choices.items():
        means = []
        for name in weights:
            stage = f"-{served[name]}" if served[name] else ""
            own = pd.read_parquet(parts / f"{name}-2024-02-06-0{stage}.parquet")
            means.append(own[own.merchant == merchant]["mean"].to_numpy())
        expected = np.average(means, axis=0, weights=list(weights.values()))
        np.testing.assert_allclose(routed[routed.merchant == merchant]["mean"], expected)
    assert any(weights["federated_eps8_personalised"] > 0.01 for weights in choices.values())


@pytest.mark.parametrize("router", ["routed", "routed_own"])
def test_a_merchant_by_itself_is_served_what_the_simulation_serves_it(finished, make_small_trial, sales, router):
    trial, models = make_small_trial(sales, evaluation={"candidates": CANDIDATES}), []
    for stage in ("served", "rehearsal"):
        model = start_model(trial.plan.model, trial.series, seed=0, warm=False)
        load_model(model, finished / "models" / f"federated_eps8-2024-02-06-0-{stage}.safetensors")
        models.append(model)
    rows = trial.rows_of("north")
    view = View(trial.plan, trial.panel.select(rows), trial.day)
    here = serve(Method(router), view, ReleasedModels(*models), device=torch.device("cpu"))
    there = json.loads((finished / "parts" / f"{router}-2024-02-06-0.json").read_text())["choices"]["north"]
    assert list(here.weights.values()) == pytest.approx(list(there.values()), rel=1e-4)
    table = pd.read_parquet(finished / "parts" / f"{router}-2024-02-06-0.parquet")
    table = table[table.merchant == "north"]
    np.testing.assert_allclose(here.forecast.mean.ravel(), table["mean"], rtol=1e-4)
    np.testing.assert_allclose(here.forecast.median.ravel(), table["q50"])


def test_a_federation_that_learns_nothing_rehearses_and_serves_with_what_it_started_from(
    finished, make_small_trial, sales
):
    trial = make_small_trial(sales)
    start = get_vector(start_model(trial.plan.model, trial.series, seed=0, warm=False))
    for stage in ("rehearsal", "served"):
        model = start_model(trial.plan.model, trial.series, seed=7, warm=False)
        load_model(model, finished / "models" / f"federated_eps8_null-2024-02-06-0-{stage}.safetensors")
        assert torch.equal(get_vector(model), start)


def test_what_serves_goes_on_from_its_rehearsal_and_both_share_the_rounds(plan_file):
    plan = read_plan(plan_file)
    part = Part(Method.parse("federated_eps8"), plan.evaluation.origins[0], 0)
    training = plan.privacy.training.model_copy(update={"num_rounds": 8})
    assert rounds_of(replace(part, stage="rehearsal"), training) == (0, 6)
    assert rounds_of(replace(part, stage="served"), training) == (6, 2)
    assert rounds_of(part, training) == (0, 8)


@pytest.mark.parametrize("num_rounds", [2, 3, 4, 60, 100])
def test_both_legs_together_run_what_is_charged_and_no_more(plan_file, num_rounds):
    plan = read_plan(plan_file)
    part = Part(Method.parse("federated_eps8"), plan.evaluation.origins[0], 0)
    training = plan.privacy.training.model_copy(update={"num_rounds": num_rounds})
    before, first = rounds_of(replace(part, stage="rehearsal"), training)
    start, second = rounds_of(replace(part, stage="served"), training)
    assert (before, start, first + second) == (0, first, num_rounds)
    assert first >= second >= 1


def test_one_round_cannot_be_shared_between_two_legs(plan_file):
    plan = read_plan(plan_file)
    part = Part(Method.parse("federated_eps8"), plan.evaluation.origins[0], 0, "rehearsal")
    with pytest.raises(ConfigError, match="has one round"):
        rounds_of(part, plan.privacy.training.model_copy(update={"num_rounds": 1}))


def test_without_noise_the_rehearsal_runs_all_rounds_and_the_whole_federation_serves(plan_file):
    plan = read_plan(plan_file)
    part = Part(Method.parse("federated_personalised"), plan.evaluation.origins[0], 0)
    assert [(read.method.name, read.stage) for read in prerequisites(part, plan, 0)] == [
        ("federated", "rehearsal"),
        ("federated", "whole"),
    ]
    training = plan.federation.training.model_copy(update={"num_rounds": 8})
    assert rounds_of(replace(part, method=Method("federated"), stage="rehearsal"), training) == (0, 8)


def test_what_serves_differs_from_its_rehearsal_by_its_own_rounds_alone(finished, plan_file, make_small_trial, sales):
    trial, models = make_small_trial(sales), []
    for stage in ("rehearsal", "served"):
        model = start_model(trial.plan.model, trial.series, seed=0, warm=False)
        load_model(model, finished / "models" / f"federated_eps8-2024-02-06-0-{stage}.safetensors")
        models.append(get_vector(model))
    start = get_vector(start_model(trial.plan.model, trial.series, seed=0, warm=False))
    moved = [float((model - start).norm()) for model in models]
    assert float((models[1] - models[0]).norm()) < moved[0]
    assert not torch.equal(*models)


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
    routed = Part(Method.parse("routed"), plan.evaluation.origins[0], 1)
    needed = prerequisites(routed, plan, 0)
    names = [part.name for part in needed]
    assert names.index("federated_eps8-2024-02-06-1-rehearsal") < names.index(
        "federated_eps8_personalised-2024-02-06-1-rehearsal"
    )
    assert names.index("federated_eps8-2024-02-06-1-rehearsal") < names.index("federated_eps8-2024-02-06-1-served")
    assert names.index("federated_eps8-2024-02-06-1-served") < names.index("federated_eps8_personalised-2024-02-06-1")
    assert "anchor-2024-02-06-0" in names
    assert "federated_eps8-2024-02-06-1" not in names  # a federation of its own: another price


def test_a_control_stands_where_the_federation_stood_and_nowhere_else(plan_file):
    plan = read_plan(plan_file)
    assert federation_of(Method.parse("routed_shuffled"), plan) == Method.parse("federated_eps8_shuffled")
    assert [candidate.name for candidate in candidates_of(Method.parse("routed_shuffled"), plan)] == [
        "federated_eps8_shuffled",
        "anchor",
        "weekday_mean",
        "federated_eps8_shuffled_personalised",
    ]


def test_two_federations_among_the_candidates_are_refused(make_plan):
    plan = make_plan(evaluation={"candidates": ["federated", "federated_eps2_personalised"]})
    with pytest.raises(ConfigError, match="rest on 2 federations"):
        federation_of(Method("routed"), plan)


def test_a_router_without_candidates_is_refused(hansa_sim, write_plan, tables, tmp_path):
    ended = hansa_sim("run", write_plan(), "--out", tmp_path / "run", "--only", "routed", "--data-root", tmp_path)
    assert ended.code == 2
    assert ended.stderr == ("hansa-sim: routed has nothing to choose from; list methods in evaluation.candidates.\n")


def test_own_candidates_are_those_that_need_no_federation(plan_file):
    assert candidates_of(Method("routed_own"), read_plan(plan_file)) == (Method("anchor"), Method("weekday_mean"))


def test_without_a_horizon_of_history_the_router_says_so(hansa_sim, write_plan, tables, tmp_path):
    plan = write_plan(evaluation={"methods": ["routed"], "candidates": ["anchor"], "origins": ["2024-01-03"]})
    ended = hansa_sim("run", plan, "--out", tmp_path / "run", "--data-root", tmp_path)
    assert ended.code == 2
    assert "There is nothing to choose a method on" in ended.stderr


def test_choices_are_shared_out_over_origins_and_seeds():
    assert share_of_choices([{"north": {"a": 1.0}}, {"north": {"a": 0.5, "b": 0.5}, "south": {"a": 1.0}}]) == {
        "north": {"a": 0.75, "b": 0.25},
        "south": {"a": 1.0},
    }
