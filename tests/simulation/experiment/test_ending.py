"""The end of a run: what it leaves beside its numbers, and that it can be made again in another way."""

import json

import numpy as np
import pytest
import torch

from client.decision.stock.walk import Rhythm
from common.forecast.method import Method
from simulation.evaluation.results import Results
from simulation.evaluation.verdict import RESAMPLES
from simulation.experiment import ending
from simulation.experiment.ending import conclude
from simulation.experiment.folder import Part, RunFolder
from simulation.method.method import Progress, run_method


def summary_in(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.mark.parametrize(
    ("base", "method", "against"),
    [("sales", "federated_eps8", "anchor"), ("orders", "federated_eps8", "logistic_local")],
)
def test_a_run_ends_with_its_answer_its_history_and_its_page(finished_run, base, method, against):
    folder = finished_run(base)
    found = summary_in(folder)["answer"]
    assert (found["method"], found["chosen"], found["resamples"]) == (method, "nearest", RESAMPLES)
    assert found["against"] in {"seasonal_naive", against, "anchor"}
    assert found["history"] == json.loads((folder / "history.json").read_text())
    assert found["history"]["federated"] == method
    assert found["history"]["lengths"][-1]["months"] > 1
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_concluding_again_changes_nothing(own_run):
    folder = own_run("orders")
    before = {name: (folder / name).read_text() for name in ("summary.json", "report.html")}
    conclude(RunFolder(folder))
    assert {name: (folder / name).read_text() for name in before} == before


def test_another_pair_gives_another_answer_and_leaves_everything_else(own_run):
    folder = own_run("orders")
    before = summary_in(folder)
    returned = conclude(RunFolder(folder), method="federated", against="seasonal_naive", resamples=100)
    after = summary_in(folder)
    assert returned == after
    assert (after["answer"]["method"], after["answer"]["against"]) == ("federated", "seasonal_naive")
    assert {**after, "answer": None} == {**before, "answer": None}


def test_the_best_own_method_is_held_against_by_accuracy_and_the_cheapest_as_stock(own_run):
    folder = own_run("sales")
    daily = Rhythm(lead_days=1, review_days=1)
    found = conclude(RunFolder(folder), against="own", resamples=100, rhythm=daily)["answer"]
    assert (found["method"], found["chosen"]) == ("federated_eps8", "own")
    assert found["against"] in {"seasonal_naive", "anchor"}
    costs = {}
    for name in ("seasonal_naive", "anchor"):
        each = conclude(RunFolder(folder), against=name, resamples=100, rhythm=daily)["answer"]["money"]
        costs[name] = each["pooled"] and each["pooled"]["amount"]
    known = {name: amount for name, amount in costs.items() if amount is not None}
    assert known, "one of the two serves the share, or this proves nothing"
    assert found["money"]["against"] == min(known, key=lambda name: known[name])  # what is saved over it is least
    assert found["money"]["pooled"]["amount"] == min(known.values())


def test_a_run_without_a_federation_has_no_answer_and_a_page_that_says_what_to_run(hansa_sim, write_plan, tables):
    finished = hansa_sim("run", write_plan(), "--data-root", tables, "--out", tables / "run", "--only", "anchor")
    assert "This run cannot tell." in finished.stdout
    assert summary_in(tables / "run")["answer"] is None
    assert not (tables / "run/history.json").exists()
    page = (tables / "run/report.html").read_text()
    assert "This run cannot tell." in page
    assert "--only anchor,federated_eps2" in page
    assert "no method of this run is private" in page


def test_the_best_own_method_of_the_run_is_trained_anew_at_every_length(hansa_sim, write_plan, tables):
    plan = write_plan(evaluation={"methods": ["moving_average", "gru_local", "federated_eps8"]})
    assert hansa_sim("run", plan, "--data-root", tables, "--out", tables / "run").code == 0
    lengths = json.loads((tables / "run/history.json").read_text())["lengths"]
    assert {length["own_method"] for length in lengths} == {"gru_local"}  # better here than all that train in seconds
    assert lengths[-1]["own"] == pytest.approx(summary_in(tables / "run")["methods"]["gru_local"]["wql"], abs=1e-6)
    assert lengths[0]["own"] != lengths[-1]["own"]


@pytest.mark.parametrize(("base", "name"), [("sales", "anchor"), ("orders", "logistic_local"), ("orders", "federated")])
def test_what_is_read_of_the_whole_past_is_what_would_be_forecast_again(
    finished_run, make_small_trial, sales, orders, base, name
):
    folder = RunFolder(finished_run(base))
    trial = make_small_trial(sales if base == "sales" else orders, base)
    part = Part(Method.parse(name), trial.origin, 0)
    kept = folder.read_forecast(part, len(trial.panel.entities))
    again = run_method(part.method, trial, seed=0, device=torch.device("cpu"), progress=Progress()).forecast
    for field in ("mean", "median", "quantiles", "probability"):
        np.testing.assert_array_equal(getattr(kept, field), getattr(again, field))


def test_the_best_alone_is_an_own_method_that_averages_no_others(make_plan, tmp_path):
    losses = {"anchor": 0.3, "gru_local": 0.2, "routed_own": 0.1, "federated_eps2": 0.05, "gru_pooled": 0.1}
    losses |= {"federated_eps2_null": 0.01, "warm": None}
    summary = {"methods": {name: {"wql": loss} for name, loss in losses.items()}}
    assert ending.best_alone(Results(tmp_path, make_plan(), summary)) == "gru_local"
    assert ending.best_alone(Results(tmp_path, make_plan(), {"methods": {"federated": {"wql": 0.1}}})) == ""


# The command


def test_report_says_the_answer_prints_it_as_json_and_makes_the_page_again(hansa_sim, own_run):
    folder = own_run("orders")
    (folder / "report.html").unlink()
    finished = hansa_sim("report", folder, "--method", "federated", "--against", "anchor", "--resamples", 200)
    assert (finished.code, finished.stderr) == (0, "")
    assert finished.stdout.startswith("Is it worth joining? ")
    assert "than anchor" in finished.stdout or "as well as anchor" in finished.stdout
    assert str(folder / "report.html") in finished.stdout
    assert "federated" in (folder / "report.html").read_text()
    printed = json.loads(hansa_sim("report", folder, "--against", "anchor", "--json").stdout)
    assert printed == summary_in(folder)["answer"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--method", "prophet"], "holds no method prophet; it holds seasonal_naive, anchor"),
        (["--method", "anchor", "--against", "anchor"], "cannot be compared with itself"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_one_sentence_and_changes_nothing(hansa_sim, own_run, options, words):
    folder = own_run("orders")
    before = (folder / "summary.json").read_text()
    finished = hansa_sim("report", folder, *options)
    assert finished.code == 2
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert (folder / "summary.json").read_text() == before


def test_a_run_that_was_stopped_has_no_answer_yet(hansa_sim, own_run, tmp_path):
    folder = own_run("sales")
    (folder / "forecasts.parquet").unlink()
    finished = hansa_sim("report", folder)
    assert finished.code == 2
    assert "finish the run with --resume" in finished.stderr
    assert "holds no run" in hansa_sim("report", tmp_path).stderr
