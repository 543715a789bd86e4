"""A study of firsts: who is left out of what, which days are a first, and what is pooled."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from common.forecast.method import Method
from common.model.features import build_series
from simulation.evaluation.history import shorten
from simulation.experiment.firsts.fold import deal_folds, keep
from simulation.experiment.firsts.joined import forecast_joined, train_without
from simulation.experiment.firsts.kind import find_kinds, has_past
from simulation.experiment.firsts.own import ROUTED_OWN, forecast_alone, own_candidates
from simulation.experiment.firsts.part import Parts, Young
from simulation.experiment.firsts.pool import pool_firsts
from simulation.experiment.firsts.served import ROUTED, serve
from simulation.experiment.firsts.store import Store

CANDIDATES = ["federated_eps8_sum", "federated_eps8_sum_personalised", "anchor", "weekday_mean", "gru_local"]
EVALUATION = {"candidates": CANDIDATES, "methods": ["federated", "federated_eps8_sum"]}
MEXICO = {"country": "MX", "covariates": ["holiday"], "near": ["Constitution Day"]}  # 5 February 2024


@pytest.fixture
def trial(make_small_trial, sales):
    return make_small_trial(sales, evaluation=EVALUATION)


def quiet(what, share):
    del what, share


def with_target(trial, entities, days, added):
    target = trial.panel.target.copy()
    target[np.ix_(np.flatnonzero(entities), days)] += added
    return replace(trial, panel=replace(trial.panel, target=target))


def test_every_merchant_is_left_out_once_and_whole(trial):
    folds = list(deal_folds(trial, 2, seed=0))
    assert sorted(name for fold in folds for name in fold.merchants) == list(trial.merchants)
    assert sum(fold.is_out.astype(int) for fold in folds).tolist() == [1] * 6
    for fold in folds:
        left = keep(trial, ~fold.is_out)
        assert set(left.merchants) == set(trial.merchants) - set(fold.merchants)
        assert len(left.cohort.size_classes) == len(left.merchants)
        assert left.outcome.actual.shape[0] == left.series.num_entities == len(left.panel.entities)


def test_a_model_knows_nothing_of_a_merchant_that_is_left_out(trial):
    fold = next(deal_folds(trial, 3, seed=0))

    def weights(entities):
        changed = with_target(trial, entities, range(trial.day), 7.0)
        changed = replace(changed, series=build_series(changed.panel, trial.plan.model, trial.day))
        model = train_without(Method.parse("federated_eps8_sum"), keep(changed, ~fold.is_out), seed=0, on_share=quiet)
        return [tensor.tolist() for tensor in model.state_dict().values()]

    nobody = np.zeros_like(fold.is_out)
    assert weights(fold.is_out) == weights(nobody)
    assert weights(~fold.is_out) != weights(nobody)


def test_the_first_leg_knows_nothing_of_the_last_horizon_and_no_leg_of_a_merchant_left_out(make_small_trial, sales):
    training = {"num_rounds": 12, "learning_rate": 0.05}  # the last 4 read some window that reaches the last days
    trial = make_small_trial(sales, evaluation=EVALUATION, privacy={"training": training})
    fold, method = next(deal_folds(trial, 3, seed=0)), Method.parse("federated_eps8_sum")

    def weights(entities, days):
        changed = with_target(trial, entities, days, 7.0)
        others = keep(replace(changed, series=build_series(changed.panel, trial.plan.model, trial.day)), ~fold.is_out)
        first = train_without(method, others, seed=0, on_share=quiet, stage="rehearsal")
        kept = [tensor.tolist() for tensor in first.state_dict().values()]
        second = train_without(method, others, seed=0, on_share=quiet, stage="served", start=first)
        assert kept == [tensor.tolist() for tensor in first.state_dict().values()]  # what it starts from stays
        return kept, [tensor.tolist() for tensor in second.state_dict().values()]

    last = range(trial.day - trial.plan.model.horizon_days, trial.day)
    first, second = weights(~fold.is_out, [])
    assert weights(fold.is_out, range(trial.day)) == (first, second)
    assert weights(~fold.is_out, last)[0] == first
    assert weights(~fold.is_out, last)[1] != second
    assert weights(~fold.is_out, range(last.start))[0] != first


def make_told(trial, folder, days):
    (folder / "models").mkdir()
    (folder / "parts").mkdir()
    parts = Parts(trial, tuple(deal_folds(trial, 3, seed=0)), Store(folder), 0, quiet)
    young = Young.of(shorten(trial, days), days)
    return parts, young, parts.alone(young)


def test_a_newcomer_is_served_by_the_second_leg_in_the_share_that_its_first_leg_earned(trial, tmp_path):
    parts, young, alone = make_told(trial, tmp_path, 28)
    method = Method.parse("federated_eps8_sum")
    joined = parts.in_legs(young, method, seed=0)
    served = serve(ROUTED, young, alone, joined)
    assert (served.mean != serve(ROUTED_OWN, young, alone).mean).any()
    again = parts.in_legs(young, method, seed=0)  # now from the folder
    np.testing.assert_array_equal(serve(ROUTED, young, alone, again).mean, served.mean)
    bad = {
        name: replace(each, mean=each.mean + 1e6, quantiles=each.quantiles + 1e6)
        for name, each in joined.rehearsed.items()
    }
    failed = serve(ROUTED, young, alone, replace(joined, rehearsed=bad))
    np.testing.assert_allclose(failed.mean, serve(ROUTED_OWN, young, alone).mean, rtol=1e-6, atol=1e-6)


def test_without_an_earlier_horizon_a_newcomer_is_served_by_its_own_best(trial, tmp_path):
    parts, young, alone = make_told(trial, tmp_path, 3)
    assert young.earlier is None
    assert parts.in_legs(young, Method.parse("federated_eps8_sum"), seed=0) is None
    np.testing.assert_array_equal(serve(ROUTED, young, alone).mean, serve(ROUTED_OWN, young, alone).mean)


def test_what_was_before_a_short_history_changes_no_forecast(trial):
    fold = next(deal_folds(trial, 3, seed=0))
    model = train_without(Method("federated"), keep(trial, ~fold.is_out), seed=0, on_share=quiet)

    def forecasts(changed):
        short = keep(shorten(changed, 16), fold.is_out)
        alone = [forecast_alone(name, short, seed=0, on_share=quiet) for name in own_candidates(trial.plan)]
        return {
            **forecast_joined(model, Method("federated"), short),
            **{k: v for each in alone for k, v in each.items()},
        }

    found = forecasts(trial)
    assert set(found) == {"federated", "federated_personalised", "anchor", "weekday_mean", "gru_local"}
    before = forecasts(with_target(trial, fold.is_out, range(trial.day - 16), 7.0))
    within = forecasts(with_target(trial, fold.is_out, range(trial.day - 16, trial.day), 7.0))
    for name, forecast in found.items():
        np.testing.assert_array_equal(before[name].mean, forecast.mean)
        assert (within[name].mean != forecast.mean).any(), name


def test_a_holiday_s_weeks_are_a_first_where_it_is_not_in_the_history(make_small_trial, sales):
    trial = make_small_trial(
        sales, data={"holidays": MEXICO}, evaluation=EVALUATION | {"origins": [date(2024, 2, 3), date(2024, 2, 6)]}
    )
    assert dict(find_kinds(trial))["Constitution Day"].all()  # 3 to 6 February, all within 14 days before and 6 after
    later = make_small_trial(sales, data={"holidays": MEXICO}, evaluation=EVALUATION | {"origins": [date(2024, 2, 6)]})
    assert "Constitution Day" not in dict(find_kinds(later))
    assert "Constitution Day" not in dict(find_kinds(shorten(later, 2)))  # 4 and 5 February
    assert dict(find_kinds(shorten(later, 1))).keys() >= {"all"}
    born = replace(later.panel, first_day=np.full(6, later.day))  # nobody was there on the day itself
    assert dict(find_kinds(replace(later, panel=born)))["Constitution Day"].all()


def test_a_promotion_is_a_first_where_none_was_in_the_history(trial):
    known = np.zeros_like(trial.panel.known)
    known[0, trial.day + 1] = known[1, trial.day + 1] = 1.0
    known[1, 3] = 1.0
    promoted = replace(trial, panel=replace(trial.panel, known=known))
    assert np.argwhere(dict(find_kinds(promoted))["first promotion"]).tolist() == [[0, 1]]
    short = shorten(promoted, trial.day - 4)  # day 3 is forgotten
    assert np.argwhere(dict(find_kinds(short))["first promotion"]).tolist() == [[0, 1], [1, 1]]


def test_an_entity_without_an_open_day_in_its_history_has_no_past(trial):
    is_open = trial.panel.open.copy()
    is_open[2, trial.day - 5 : trial.day] = False
    panel = replace(trial.panel, open=is_open, first_day=np.array([0, 0, 0, trial.day, 0, 0]))
    changed = replace(trial, panel=panel)
    assert has_past(shorten(changed, 5)).tolist() == [True, True, False, False, True, True]
    assert has_past(changed).tolist() == [True, True, True, False, True, True]


def make_losses(**columns):
    rows = [
        {"origin": origin, "days": 60, "kind": "all", "method": method, "merchant": "a", "entity": f"e{number}"}
        | {"entities": 12, "loss": loss * (1 + number), "weight": 10.0}
        for origin in (date(2024, 1, 1), date(2024, 2, 1))
        for method, loss in (("routed_own", 2.0), ("federated", 1.5), ("warm", 1.6), ("gru_pooled", 0.1))
        for number in range(12)
    ]
    return pd.DataFrame(rows).assign(**columns)


def test_a_gain_is_of_sums_over_origins_and_an_entity_counts_once(trial):
    rows = pool_firsts(make_losses(), trial.plan)["rows"]
    found = {(row["size"], row["origin"], row["method"]): row for row in rows}
    whole = found["all", "all", "federated"]
    assert (whole["entities"], whole["gain"]["gain"]) == (12, pytest.approx(0.25))
    assert whole["gain"]["value"] == pytest.approx(2 * 1.5 * 78 / 240)
    assert whole["gain"]["verdict"] == "better"
    assert whole["over_best_own"]["method"] == "warm"  # what pools everyone's rows is nobody's own
    assert whole["over_best_own"]["gain"]["gain"] == pytest.approx(1 - 1.5 / 1.6)
    assert found["10-29", "all", "federated"]["entities"] == 12
    assert found["all", "2024-01-01", "routed_own"]["gain"]["gain"] == 0.0


def test_the_command_measures_resumes_and_says_what_is_damaged(hansa_sim, write_plan, tables):
    plan = write_plan(evaluation=EVALUATION)
    words = ("firsts", plan, "--data-root", tables, "--out", tables / "out", "--days", "12")
    words += ("--only", "federated_eps8_sum", "--json")
    first = hansa_sim(*words)
    assert first.code == 0, first.stderr
    found = json.loads(first.stdout)
    assert {(row["days"], row["method"]) for row in found["rows"]} >= {
        (12, name) for name in ("routed_own", "routed", "routed_null", *set(CANDIDATES))
    }
    assert "without fold 2, federated_eps8_sum" in first.stderr
    again = hansa_sim(*words, "--resume")
    assert (again.code, json.loads(again.stdout)) == (0, found)
    assert "without fold" not in again.stderr  # nothing is trained anew
    said = hansa_sim("report", tables / "out")
    assert said.code == 0
    assert "all, 12 days of history: routed against routed_own, quantile loss" in said.stdout
    assert "with a federation that learns nothing" in said.stdout
    assert "<td>routed_null</td>" in (tables / "out" / "report.html").read_text()
    assert json.loads(hansa_sim("report", tables / "out", "--json").stdout) == found
    part = tables / "out" / "parts" / "alone-2024-02-06-12-anchor.safetensors"
    part.write_bytes(b"torn")
    damaged = hansa_sim(*words, "--resume")
    assert damaged.code == 2
    assert "alone-2024-02-06-12-anchor.safetensors is damaged; delete it" in damaged.stderr
    assert hansa_sim(*words).code == 2  # without --resume


def test_purchases_are_measured_by_log_loss(hansa_sim, write_plan, tables):
    plan = write_plan("orders", evaluation={"candidates": ["anchor", "logistic_local"], "methods": ["federated"]})
    finished = hansa_sim("firsts", plan, "--data-root", tables, "--out", tables / "out", "--days", "28")
    assert finished.code == 0, finished.stderr
    assert "log_loss of merchants that were left out" in finished.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--days", "soon"), "--days soon is no list of days"),
        (("--days", "0"), "--days 0 must name lengths of at least one day"),
        (("--folds", "9"), "3 merchants take part at 2024-02-06 and cannot be dealt into 9 folds"),
        (("--only", "anchor"), "--only names no federation"),
    ],
)
def test_what_cannot_be_measured_is_said(hansa_sim, write_plan, tables, words, sentence):
    finished = hansa_sim(
        "firsts", write_plan(evaluation=EVALUATION), "--data-root", tables, "--out", tables / "out", *words
    )
    assert finished.code == 2
    assert sentence in finished.stderr
