"""The first days: histories cut short, methods without training, and a race of two starts."""

import json
from dataclasses import replace

import numpy as np
import pytest

from common.model.warm import start
from simulation.evaluation.history import shorten
from simulation.experiment import newcomer
from simulation.experiment.newcomer import UNTRAINED, Race, race_starts, say_race, score_newcomers, smooth
from simulation.synthetic.pretraining.train import train_warm

STEPS = 3


@pytest.fixture
def warm_folder(tmp_path, monkeypatch):
    folder = tmp_path / "warm"
    folder.mkdir()
    monkeypatch.setattr(start, "FOLDER", folder)
    return folder


def make_warm(plan):
    model, series = train_warm(plan, num_steps=STEPS, seed=0)
    start.save_warm(model, series, start.warm_path(plan))


def test_nothing_older_than_the_last_days_counts(make_small_trial, sales, warm_folder):
    trial = make_small_trial(sales)
    make_warm(trial.plan.model)
    scores = score_newcomers(trial, 14)
    assert set(scores) == set(UNTRAINED)
    changed = replace(trial.panel, target=trial.panel.target.copy())
    changed.target[:, : trial.day - 14] += 5
    assert score_newcomers(replace(trial, panel=changed), 14) == scores
    changed.target[:, trial.day - 14] += 5
    assert score_newcomers(replace(trial, panel=changed), 14) != scores


def test_a_short_history_has_as_many_days_as_it_says(make_small_trial, sales):
    young = shorten(make_small_trial(sales), 14)
    assert young.day == 14
    assert int(young.series.cutoffs[-1]) == 14


def test_both_starts_run_the_same_rounds(make_small_trial, sales, warm_folder):
    trial = make_small_trial(sales, federation={"training": {"num_rounds": 9}})
    make_warm(trial.plan.model)
    told = []
    race = race_starts(trial, num_rounds=4, seed=0, on_round=lambda *round_: told.append(round_[:2]))
    assert told == [(name, number) for name in ("cold", "warm") for number in (1, 2, 3, 4)]
    assert len(race.cold) == len(race.warm) == 4
    assert race.cold[0] != race.warm[0]


def test_losses_are_means_over_the_last_five_rounds():
    assert smooth(np.arange(7.0)).tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]
    assert smooth(np.array([3.0])).tolist() == [3.0]


def test_the_winner_is_told_in_rounds():
    race = Race(cold=np.array([5.0, 4.0, 3.0, 3.5]), warm=np.array([4.0, 3.0, 2.0, 1.0]))
    assert (race.cold_rounds, race.warm_rounds) == (3, 2)
    assert "in round 3, from the public model it is reached in round 2" in say_race(newcomer._describe_race(race))
    lost = Race(cold=race.warm, warm=race.cold)
    assert lost.warm_rounds is None
    assert "4 rounds are not enough" in say_race(newcomer._describe_race(lost))


def test_the_command_tells_table_race_and_page(hansa_sim, write_plan, tables, warm_folder, make_small_trial, sales):
    make_warm(make_small_trial(sales).plan.model)
    page = tables / "page.html"
    command = ["newcomer", write_plan(), "--data-root", tables, "--days", 10, "--rounds", 3, "--out", page]
    finished = hansa_sim(*command)
    assert finished.code == 0, finished.stderr
    assert "histories of 10 days" in finished.stdout
    assert "A cold start comes down to a loss of" in finished.stdout
    assert "<svg" in page.read_text()
    found = json.loads(hansa_sim(*command, "--json").stdout)
    assert set(found["methods"]) == set(UNTRAINED)
    assert len(found["race"]["cold"]) == 3


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [("--origins", "soon", "is no list of dates"), ("--out", "page.txt", "must end in .html")],
)
def test_a_mistake_is_one_sentence(hansa_sim, write_plan, tables, option, value, sentence):
    finished = hansa_sim("newcomer", write_plan(), "--data-root", tables, option, value)
    assert finished.code == 2
    assert sentence in finished.stderr
