"""The page on extending hansa is run: every example, as it stands."""

import json
import math
import re
import shlex
from datetime import date
from pathlib import Path

import pytest

from common.errors import ConfigError
from common.plan.reading import read_plan
from simulation.experiment.study import try_variant

PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = {title: re.findall(r"```(python|sh)\n(.*?)```", text, re.DOTALL) for title, text in SECTIONS.items()}
IN_PYTHON = [title for title, blocks in EXAMPLES.items() if blocks[0][0] == "python"]


@pytest.fixture
def plan_file(tables, write_plan, monkeypatch):
    """Stand in a folder that holds a plan with an early origin, and its rows."""
    monkeypatch.chdir(tables)
    return write_plan(evaluation={"origins": [date(2024, 1, 29), date(2024, 2, 6)]})


def run_example(title):
    ((_, code),) = EXAMPLES[title]
    names = {"__name__": "__main__"}
    exec(compile(code, title, "exec"), names)  # noqa: S102  our own page
    return names


def test_every_section_has_one_example():
    assert list(SECTIONS) == ["Another network", "Another optimiser", "Another clipping rule", "A sweep"]
    assert [len(blocks) for blocks in EXAMPLES.values()] == [1, 1, 1, 1]


@pytest.mark.parametrize("title", IN_PYTHON)
def test_the_example_trains_under_privacy_and_differs_from_the_plan(title, plan_file):
    names = run_example(title)
    assert math.isfinite(names["scores"]["wql"])
    assert names["scores"]["wql"] != names["planned"]["wql"]


def test_without_anything_else_a_study_is_a_run_of_the_plan(plan_file, hansa_sim):
    plan = read_plan(plan_file)
    assert hansa_sim("run", plan_file, "--out", "run").code == 0
    summary = json.loads(Path("run/summary.json").read_text())
    for origin in plan.evaluation.origins:
        scores = try_variant(plan, origin, epsilon=8.0)
        assert scores["wql"] == pytest.approx(summary["origins"][str(origin)]["federated_eps8"]["wql"], rel=1e-6)


def test_an_lstm_learns_without_noise_as_with_one_ordinary_pass(plan_file):
    names = run_example("Another network")
    assert math.isfinite(names["without_noise"]["wql"])
    assert names["without_noise"]["wql"] != names["scores"]["wql"]


def test_a_network_that_mixes_entities_is_refused_under_privacy_in_one_sentence(plan_file):
    names = run_example("Another network")

    class Centred(names["DemandLSTM"]):
        def forward(self, examples):
            outputs = super().forward(examples)
            return outputs - outputs.mean(0)

    plan = read_plan(plan_file)
    with pytest.raises(ConfigError, match="Centred forecasts an entity differently when others are there"):
        try_variant(plan, min(plan.evaluation.origins), epsilon=8.0, make_network=Centred)


def test_the_sweep_of_the_page_runs(plan_file, hansa_sim):
    ((_, command),) = EXAMPLES["A sweep"]
    done = hansa_sim(*shlex.split(command)[1:])
    assert done.code == 0, done.stderr
    runs = json.loads(Path("sweep/sweep.json").read_text())["runs"]
    plans = [json.loads((Path("sweep") / run["folder"] / "plan.json").read_text()) for run in runs]
    found = [(plan["privacy"]["clipping_norm"], plan["model"]["hidden_size"]) for plan in plans]
    assert found == [(0.5, 4), (0.5, 8), (2, 4), (2, 8)]
    assert all(math.isfinite(run["methods"]["federated_eps8"]["wql"]) for run in runs)
