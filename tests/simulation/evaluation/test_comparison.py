"""Runs side by side: what differs is found, and differences are those of the numbers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from simulation.evaluation.comparison import compare_runs, label_runs
from simulation.evaluation.results import read_results


@pytest.fixture
def two_runs(hansa_sim, write_plan, tables):
    """Run a plan, and a variation of it under another seed with another method."""
    for name, options, sections in (
        ("first", ["--only", "anchor"], {}),
        ("second", ["--only", "anchor,weekday_mean", "--seed", "3"], {"model": {"anchor": {"half_life_days": 5.0}}}),
    ):
        plan_file = write_plan(**sections)
        out = tables / name
        assert hansa_sim("run", plan_file, "--data-root", tables, "--out", out, *options).code == 0
    return [tables / "first", tables / "second"]


def test_what_differs_is_named_and_nothing_else(two_runs):
    compared = compare_runs([read_results(folder) for folder in two_runs])
    assert compared["differences"] == {"plan.model.anchor.half_life_days": [60.0, 5.0], "seed": [0, 3]}
    assert [run["folder"] for run in compared["runs"]] == [str(folder) for folder in two_runs]


def test_values_are_those_of_the_summaries_and_differences_are_to_the_first(two_runs):
    first, second = (read_results(folder) for folder in two_runs)
    compared = compare_runs([first, second])["methods"]
    ours, theirs = (run.summary["methods"]["anchor"]["wape"] for run in (first, second))
    assert compared["anchor"]["wape"] == {"values": [ours, theirs], "differences": [0.0, theirs - ours]}
    only = second.summary["methods"]["weekday_mean"]["wape"]
    assert compared["weekday_mean"]["wape"] == {"values": [None, only], "differences": [None, None]}
    assert "coverage80" not in compared["weekday_mean"]


def test_runs_of_different_tasks_can_be_set_side_by_side(finished_run):
    compared = compare_runs([read_results(finished_run("sales")), read_results(finished_run("orders"))])
    assert compared["methods"]["anchor"]["wape"]["values"][1] is None
    assert compared["methods"]["anchor"]["log_loss"]["values"][0] is None
    assert compared["differences"]["plan.data.deal.merchants"] == [None, 3]
    assert json.loads(json.dumps(compared)) == compared


def test_runs_are_labelled_by_folder_and_by_path_where_folders_are_named_alike(finished_run):
    run = read_results(finished_run("sales"))
    runs = [replace(run, path=Path(path)) for path in ("a/run", "b/run", "c/other")]
    assert label_runs(runs) == ["a/run", "b/run", "other"]


# The command


def test_compare_prints_tables_json_and_a_page(hansa_sim, two_runs, tmp_path):
    finished = hansa_sim("compare", *two_runs, "--out", tmp_path / "page.html")
    assert finished.code == 0
    for words in ("plan.model.anchor.half_life_days", "weekday_mean", "first", "second", "change"):
        assert words in finished.stdout
        assert words in (tmp_path / "page.html").read_text()
    printed = json.loads(hansa_sim("compare", *two_runs, "--json").stdout)
    assert printed == compare_runs([read_results(folder) for folder in two_runs])


def test_two_like_runs_differ_in_nothing(hansa_sim, finished_run, tmp_path):
    folder = finished_run("sales")
    assert hansa_sim("compare", folder, folder, "--out", tmp_path / "page.html").code == 0
    assert "Nothing: plan, seed and versions are the same." in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["RUN"], "compare needs two runs or more"),
        (["RUN", "nowhere"], "nowhere holds no run: plan.json is missing"),
        (["RUN", "RUN", "--out", "page.txt"], "--out page.txt must end in .html"),
        (["RUN", "RUN", "--out", "nowhere/page.html"], "choose another --out"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(hansa_sim, finished_run, arguments, words):
    folder = finished_run("sales")
    finished = hansa_sim("compare", *(folder if argument == "RUN" else argument for argument in arguments))
    assert finished.code == 2
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
