"""What history is worth, on curves drawn by hand, and histories cut as if books had begun later."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from client.forecast.method.naive import forecast_moving_average
from common.forecast.metric import Forecast
from simulation.evaluation.history import MONTH_DAYS, Curves, describe_history, measure_curves, shorten
from simulation.origin.origin import make_trial

MONTHS = (1.0, 2.0, 4.0, 8.0)


def curves_of(own, federated, *, num_entities=20):
    """Give every entity the same loss at each length."""
    own = np.repeat(np.array(own, float)[:, :, None], num_entities, axis=2)
    federated = np.repeat(np.array(federated, float)[:, None], num_entities, axis=1)
    return Curves(MONTHS, own, federated, np.ones(num_entities))


def equal_months(own, federated):
    found = describe_history(curves_of(own, federated), names=tuple("abc"[: len(own)]))
    return [length["equal_months"] for length in found["lengths"]]


def test_a_federation_as_good_as_four_months_alone_is_worth_four_months():
    assert equal_months([[4.0, 3.0, 2.0, 1.0]], [2.0, 2.0, 1.0, 1.0]) == [4.0, 4.0, 8.0, 8.0]


def test_between_two_lengths_a_straight_line_is_read():
    assert equal_months([[4.0, 3.0, 2.0, 1.0]], [3.5, 2.5, 1.25, 1.0]) == [1.5, 3.0, 7.0, 8.0]


def test_a_federation_better_than_all_history_is_worth_more_than_there_is():
    assert equal_months([[4.0, 3.0, 2.0, 1.0]], [0.5] * 4) == [None] * 4


def test_a_federation_worse_than_the_shortest_history_is_worth_the_shortest():
    assert equal_months([[4.0, 3.0, 2.0, 1.0]], [9.0] * 4) == [1.0] * 4


def test_at_each_length_the_best_own_method_counts_and_is_named():
    found = describe_history(
        curves_of([[4.0, 3.0, 3.0, 3.0], [9.0, 9.0, 2.0, 1.0]], [3.0] * 4), names=("anchor", "long")
    )
    assert [length["own_method"] for length in found["lengths"]] == ["anchor", "anchor", "long", "long"]
    assert [length["own"] for length in found["lengths"]] == [4.0, 3.0, 2.0, 1.0]


def test_more_history_is_taken_never_to_hurt():
    assert equal_months([[3.0, 2.0, 5.0, 1.0]], [4.0, 2.0, 1.5, 1.0]) == [1.0, 2.0, 6.0, 8.0]


def test_entities_that_agree_leave_no_doubt_and_those_that_do_not_leave_some():
    sure = describe_history(curves_of([[4.0, 3.0, 2.0, 1.0]], [2.0] * 4), names=("a",))["lengths"][0]
    assert (sure["low"], sure["high"]) == (4.0, 4.0)
    curves = curves_of([[4.0, 3.0, 2.0, 1.0]], [2.0] * 4)
    uneven = replace(curves, federated=curves.federated * np.linspace(0.5, 1.5, 20))
    doubtful = describe_history(uneven, names=("a",))["lengths"][0]
    assert doubtful["low"] < doubtful["equal_months"] < doubtful["high"]


def test_where_nothing_happened_history_is_worth_nothing_that_can_be_told():
    curves = replace(curves_of([[4.0, 3.0, 2.0, 1.0]], [2.0] * 4), weight=np.zeros(20))
    assert describe_history(curves, names=("a",)) is None


# Cutting


@pytest.fixture
def trial(make_plan, make_panel):
    return make_trial(make_plan(), make_panel(), date(2024, 3, 1))


def test_a_shorter_trial_forecasts_the_same_days_of_the_same_entities_from_the_last_days_alone(trial):
    cut = shorten(trial, 10)
    assert (cut.day, cut.panel.start) == (10, date(2024, 2, 20))
    assert (cut.panel.target == trial.panel.target[:, 50:]).all()
    assert cut.outcome is trial.outcome
    assert (cut.panel.first_day == 0).all()
    assert int(cut.series.cutoffs[-1]) == 10
    assert shorten(trial, trial.day) is trial
    assert shorten(trial, 1000) is trial


def test_what_is_forgotten_changes_nothing(trial):
    other = replace(trial.panel, target=trial.panel.target.copy())
    other.target[:, :50] = 99
    cuts = [shorten(replace(trial, panel=panel), 10) for panel in (trial.panel, other)]
    for ours, theirs in zip(*(vars(cut.series).values() for cut in cuts), strict=True):
        assert ours is theirs or np.array_equal(np.asarray(ours), np.asarray(theirs)) or ours == theirs


def test_an_entity_born_later_keeps_its_birthday(trial):
    late = replace(trial.panel, first_day=np.array([0, 0, 0, 55, 50]))
    assert list(shorten(replace(trial, panel=late), 10).panel.first_day) == [0, 0, 0, 5, 0]


def test_curves_hold_every_length_and_end_with_all_history(trial):
    seen = []

    def own(cut):
        seen.append(cut.day)
        return forecast_moving_average(cut.panel, cut.plan.model, cut.day)

    def perfect(cut):
        return Forecast(trial.outcome.actual, trial.outcome.actual, None, None)

    curves = measure_curves(trial, {"moving_average": own}, perfect)
    assert curves.months == (1.0, 2.0)
    assert seen == [MONTH_DAYS, 60]
    assert curves.own.shape == (1, 2, 5)
    assert (curves.federated == 0).all()
    assert (curves.weight == trial.outcome.actual.sum(1)).all()
