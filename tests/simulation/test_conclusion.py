"""The end of a run: what it leaves beside its numbers, and that it can be made again in another way."""

import json

import pytest

from simulation.answer import RESAMPLES
from simulation.conclusion import conclude
from simulation.folder import RunFolder


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


def test_a_run_without_a_federation_has_no_answer_and_a_page_that_says_what_to_run(hansa_sim, write_plan, tables):
    finished = hansa_sim("run", write_plan(), "--data-root", tables, "--out", tables / "run", "--only", "anchor")
    assert "This run cannot tell." in finished.stdout
    assert summary_in(tables / "run")["answer"] is None
    assert not (tables / "run/history.json").exists()
    page = (tables / "run/report.html").read_text()
    assert "This run cannot tell." in page
    assert "--only anchor,federated_eps2" in page
    assert "no method of this run is private" in page
