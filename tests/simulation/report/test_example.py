"""Which entities are shown is decided by what they sold and by nothing else."""

import numpy as np
import pytest

from simulation.report.example import SHOWN_ODDS, choose_examples, choose_odds


def test_the_largest_one_in_the_middle_and_one_that_sells_rarely_are_chosen(make_record):
    actual = np.zeros((5, 8))
    actual[0] = 9.0
    actual[1] = 4.0
    actual[2] = 3.0
    actual[3, :2] = 1.0
    examples = choose_examples(make_record(actual))
    assert {example.name: example.actual.sum() for example in examples} == {
        "the largest": 72.0,
        "one in the middle": 32.0,
        "one that sells rarely": 2.0,
    }


def test_how_well_they_were_forecast_decides_nothing(make_record):
    actual = np.random.default_rng(0).poisson(1.0, (20, 8))
    good, bad = np.repeat(actual[:, :, None], 9, axis=2).astype(float), np.full((20, 8, 9), 100.0)
    chosen = [choose_examples(make_record(actual, quantiles=quantiles)) for quantiles in (good, bad)]
    assert all((ours.actual == theirs.actual).all() for ours, theirs in zip(*chosen, strict=True))


def test_nothing_rare_and_nothing_at_all(make_record):
    assert len(choose_examples(make_record(np.ones((4, 8))))) == 2
    assert choose_examples(make_record(np.zeros((4, 8)))) == []


def test_demand_on_closed_days_does_not_count_and_coverage_is_of_open_days(make_record):
    actual = np.array([[1.0, 50.0, 3.0]])
    example = choose_examples(make_record(actual, counted=[[True, False, True]], quantiles=np.full((1, 3, 9), 1.0)))[0]
    assert example.share_inside == 0.5


def test_odds_run_evenly_from_the_likeliest_to_the_least_likely(make_record):
    said = np.linspace(0.0, 1.0, 101)
    odds = choose_odds(make_record(said[:, None] > 0.5, probability=said))
    assert [one.probability for one in odds] == pytest.approx(np.linspace(1.0, 0.0, SHOWN_ODDS), abs=0.011)
    assert [one.actual for one in odds[:4]] == [1.0] * 4
    assert len(choose_odds(make_record([[1.0], [0.0]], probability=[0.9, 0.1]))) == 2
    assert choose_odds(make_record([[1.0]])) == []
