"""Rhythm features: worked out by hand, blind to the future, and each entity by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from common.model.purchase_gaps import (
    LARGEST_LOGIT,
    LARGEST_OVERDUE,
    LARGEST_SPREAD,
    PRIOR_GAP_DAYS,
    find_gaps,
    return_logit,
    rhythm_features,
)

DAYS = 200
cutoffs = np.arange(4, DAYS + 1, 7)


def sell(*days, length=DAYS):
    sold = np.zeros((1, length), bool)
    sold[0, list(days)] = True
    return sold


def at(sold, cutoff):
    return {name: values[0, 0] for name, values in rhythm_features(sold, np.array([cutoff]), 30).items()}


def test_gaps_are_counted_up_to_the_cut_off_alone():
    gaps = find_gaps(sell(10, 20, 50, 90), np.array([10, 11, 21, 60]))
    assert gaps.count[0].tolist() == [0, 1, 2, 3]
    assert gaps.since_first[0].tolist() == [0, 1, 11, 50]
    assert gaps.since_last[0].tolist() == [0, 1, 1, 10]
    assert gaps.squares[0].tolist() == [0, 0, 100, 1000]


def test_three_sales_have_the_rhythm_that_was_worked_out_by_hand():
    found = at(sell(10, 20, 50), 60)
    mean = (40 + PRIOR_GAP_DAYS) / 3
    assert found["gap"] == pytest.approx(np.log1p(mean) / 4)
    assert found["overdue"] == pytest.approx(np.log(11 / (mean + 1)) / 2)
    assert found["irregular"] == pytest.approx(10 / 20 / 2)  # gaps of 10 and 30


# By hand from Fader, Hardie & Lee 2005, equation 10 for P(alive) with x = 2, t_x = 40, T = 50 and the constants of the
# module, times one less the Pareto silence of a gamma rate over 30 days.
def test_the_odds_of_a_return_are_those_of_the_buy_till_you_die_model():
    alive = 1 / (1 + 1 / (9 + 2 - 1) * ((60 + 50) / (60 + 40)) ** (1 + 2))
    returns = alive * (1 - ((60 + 50) / (60 + 50 + 30)) ** (1 + 2))
    found = return_logit(find_gaps(sell(10, 20, 50), np.array([60])), 30)
    assert found[0, 0] == pytest.approx(logit(returns))
    assert at(sell(10, 20, 50), 60)["return"] == pytest.approx(logit(returns) / 4)


def test_without_demand_there_is_no_rhythm():
    found = at(np.zeros((1, DAYS), bool), 60)
    assert found["gap"] == pytest.approx(np.log1p(PRIOR_GAP_DAYS) / 4)
    assert (found["irregular"], found["return"]) == (0, 0)


def test_the_longer_the_silence_the_more_overdue_and_the_less_likely_a_return():
    found = rhythm_features(sell(10, 20, 30, 40), np.array([45, 80, 150]), 30)
    assert (np.diff(found["overdue"][0]) > 0).all()
    assert (np.diff(found["return"][0]) < 0).all()


histories = st.integers(0, 2**20).map(lambda seed: np.random.default_rng(seed).random((3, DAYS)) < 0.05)


@given(sold=histories, day=st.integers(0, DAYS - 1))
def test_nothing_from_a_day_on_changes_what_is_known_before_it(sold, day):
    changed = sold.copy()
    changed[:, day:] ^= True
    seen = cutoffs <= day
    first, second = (rhythm_features(each, cutoffs, 30) for each in (sold, changed))
    for name in first:
        np.testing.assert_array_equal(first[name][:, seen], second[name][:, seen], err_msg=name)


@given(sold=histories)
def test_an_entity_s_rhythm_is_the_same_whoever_stands_beside_it(sold):
    together, alone = rhythm_features(sold, cutoffs, 30), rhythm_features(sold[1:2], cutoffs, 30)
    for name in together:
        np.testing.assert_array_equal(together[name][1], alone[name][0], err_msg=name)


@pytest.mark.parametrize("sold", [np.zeros((1, 4000), bool), np.ones((1, 4000), bool), sell(0, 3999, length=4000)])
def test_every_feature_is_bounded(sold):
    found = rhythm_features(sold, np.array([1, 2, 365, 3999, 4000]), 30)
    assert np.abs(found["overdue"]).max() <= LARGEST_OVERDUE / 2
    assert np.abs(found["irregular"]).max() <= LARGEST_SPREAD / 2
    assert np.abs(found["return"]).max() <= LARGEST_LOGIT / 4
    assert np.isfinite(found["gap"]).all()
    assert np.abs(found["gap"]).max() < 3
