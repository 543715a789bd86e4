"""hansa-sim sweep: a grid of runs, honest about what its numbers may be used for."""

import csv
import json
from datetime import date

import pytest

from common.errors import ConfigError
from simulation.experiment.sweep.grid import choose_origins, make_points, parse_setting

ORIGINS = [date(2024, 1, 29), date(2024, 2, 6)]


@pytest.fixture
def sweep(hansa_sim, tables, write_plan):
    """Sweep over the table of sales, from two origins a horizon apart."""

    def run(*options, **sections):
        evaluation = {"origins": ORIGINS} | sections.pop("evaluation", {})
        plan_file = write_plan(evaluation=evaluation, **sections)
        return hansa_sim("sweep", plan_file, "--data-root", tables, "--out", tables / "sweep", *options)

    return run


# ------------------------------------------------------------------ the grid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("privacy.clipping_norm=0.5,1,2", (0.5, 1, 2)),
        ("federation.start=cold,warm", ("cold", "warm")),
        ('federation.start="cold"', ("cold",)),
        ("model.season=true,false", (True, False)),
        ("privacy.size_classes=[8,16],[32]", ([8, 16], [32])),
    ],
)
def test_values_are_read_as_toml_and_words_as_text(text, values):
    assert parse_setting(text) == (text.split("=")[0], values)


@pytest.mark.parametrize("text", ["", "model.hidden_size", "=3", "model.hidden_size="])
def test_a_setting_without_key_or_value_is_refused(text):
    with pytest.raises(ConfigError, match="write a key of the plan and its values"):
        parse_setting(text)


@pytest.mark.parametrize(
    "key", ["data.path", "data.active.days", "evaluation.origins", "evaluation.methods", "model.horizon_days"]
)
def test_what_would_change_the_question_is_refused(key):
    with pytest.raises(ConfigError, match="would answer different questions"):
        parse_setting(f"{key}=1,2")


def test_every_combination_is_a_plan_of_its_own(make_plan):
    plan = make_plan()
    settings = [("privacy.clipping_norm", (0.5, 2.0)), ("model.anchor.by_weekday", (True, False))]
    points = make_points(plan, settings, plan.evaluation.origins)
    assert [(point.plan.privacy.clipping_norm, point.plan.model.anchor.by_weekday) for point in points] == [
        (0.5, True),
        (0.5, False),
        (2.0, True),
        (2.0, False),
    ]
    assert points[0].name == "privacy.clipping_norm=0.5,model.anchor.by_weekday=True"
    assert points[3].plan.model.hidden_size == plan.model.hidden_size


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ([], "needs --set"),
        ([("model.hidden_size", (3,)), ("model.hidden_size", (4,))], "once for each key"),
        ([("model.hidden_size", (3, 3))], "Two runs of the grid are the same"),
        ([("model.hiden_size", (3,))], "unknown key model.hiden_size .did you mean hidden_size"),
        ([("model.hidden_size", (0,))], "model.hidden_size = 0"),
        ([("model.step.days", (1,))], "step is no section"),
        (
            [("privacy.clipping_norm", tuple(range(40))), ("model.hidden_size", tuple(range(40)))],
            "more than 1000",
        ),
    ],
)
def test_a_grid_that_cannot_be_is_refused_before_anything_runs(make_plan, settings, sentence):
    plan = make_plan()
    with pytest.raises(ConfigError, match=sentence):
        make_points(plan, settings, plan.evaluation.origins)


def test_the_last_origin_and_whatever_reaches_into_it_are_left_for_the_test(make_plan):
    days = [date(2024, 2, 20), date(2024, 2, 26), date(2024, 3, 1)]
    plan = make_plan(evaluation={"origins": days}, model={"horizon_days": 4})
    assert choose_origins(plan, with_last=False) == (days[0], days[1])
    longer = make_plan(evaluation={"origins": days}, model={"horizon_days": 5})
    assert choose_origins(longer, with_last=False) == (days[0],)
    assert choose_origins(longer, with_last=True) == tuple(days)


# ------------------------------------------------------------------ the command


def test_a_sweep_runs_the_grid_and_compares_it(sweep, tables):
    done = sweep("--set", "privacy.clipping_norm=0.5,2", "--set", "model.hidden_size=2", "--json")
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads((tables / "sweep/sweep.json").read_text())
    assert found["origins"] == ["2024-01-29"]
    assert found["last_origin_used"] is False
    assert [run["settings"] for run in found["runs"]] == [
        {"privacy.clipping_norm": 0.5, "model.hidden_size": 2},
        {"privacy.clipping_norm": 2, "model.hidden_size": 2},
    ]
    assert "Run 2 of 2: privacy.clipping_norm=2,model.hidden_size=2" in done.stderr
    for run in found["runs"]:
        summary = json.loads((tables / "sweep" / run["folder"] / "summary.json").read_text())
        assert (run["failure"], run["methods"]) == (None, summary["methods"])
        assert list(summary["origins"]) == ["2024-01-29"]
    scores = [run["methods"]["federated_eps8"]["wql"] for run in found["runs"]]
    assert scores[0] != scores[1]
    rows = list(csv.DictReader((tables / "sweep/sweep.csv").read_text().splitlines()))
    assert len(rows) == 2 * 3
    assert float(rows[5]["wql"]) == scores[1]
    assert (rows[5]["privacy.clipping_norm"], rows[5]["method"]) == ("2", "federated_eps8")


def test_the_table_says_that_choosing_is_not_accounted_for(sweep):
    done = sweep("--set", "privacy.clipping_norm=0.5,2", "--only", "anchor")
    assert done.code == 0
    assert "no epsilon accounts for it" in done.stdout
    assert "last origin was looked at" not in done.stdout
    assert done.stdout.count("anchor") >= 2


def test_the_last_origin_is_used_only_where_that_is_asked_for(sweep):
    alone = {"evaluation": {"origins": ORIGINS[1:]}}
    refused = sweep("--set", "privacy.clipping_norm=1", "--only", "anchor", **alone)
    assert refused.code == 2
    assert refused.stderr.count("\n") == 1
    assert "lies a whole horizon before its last one, 2024-02-06" in refused.stderr
    asked = sweep("--set", "privacy.clipping_norm=1", "--only", "anchor", "--use-last-origin", **alone)
    assert asked.code == 0
    assert "The plan's last origin was looked at too: it is no test" in asked.stdout


def test_a_sweep_goes_on_where_it_was_and_takes_more_values(sweep, tables):
    first = ("--only", "anchor", "--json")
    assert sweep("--set", "privacy.clipping_norm=0.5", *first).code == 0
    part = next((tables / "sweep/privacy.clipping_norm=0.5/parts").glob("anchor*.json"))
    before = part.stat().st_mtime_ns
    refused = sweep("--set", "privacy.clipping_norm=0.5,2", *first)
    assert (refused.code, refused.stderr.count("\n")) == (2, 1)
    assert "already holds a sweep; go on with --resume" in refused.stderr
    again = sweep("--set", "privacy.clipping_norm=0.5,2", "--resume", *first)
    assert again.code == 0, again.stderr
    assert len(json.loads(again.stdout)["runs"]) == 2
    assert part.stat().st_mtime_ns == before
    other = sweep("--set", "privacy.clipping_norm=0.5", "--resume", "--seed", 1, *first)
    assert (other.code, other.stderr.count("\n")) == (2, 1)
    assert "holds a sweep of another plan, seed or origins" in other.stderr
    assert len(json.loads((tables / "sweep/sweep.json").read_text())["runs"]) == 2


def test_a_run_that_fails_is_noted_and_the_next_one_runs(sweep):
    rates = "privacy.training.learning_rate=1e30,0.05"
    done = sweep("--set", rates, "--only", "federated_eps8", "--json")
    assert done.code == 0, done.stderr
    bad, good = json.loads(done.stdout)["runs"]
    assert "diverged" in bad["failure"]
    assert (bad["methods"], good["failure"]) == ({}, None)
    assert "federated_eps8" in good["methods"]


def test_where_every_run_fails_the_sweep_fails_in_one_sentence(sweep, tables):
    (tables / "sales.csv").unlink()
    done = sweep("--set", "privacy.clipping_norm=0.5,2", "--only", "anchor")
    assert done.code == 2
    assert done.stderr.count("\n") == 1
    assert "No run of the sweep was finished; the last one says: " in done.stderr
