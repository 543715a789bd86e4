"""What serves a merchant: by shares where that can be said honestly, and with the reason where it cannot."""

import importlib.util
import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
import torch

from client.data.rows import read_series
from client.forecast.candidate import call, choose_candidates, read_method
from client.forecast.prediction import Question, predict
from common.errors import ConfigError, DataError
from common.forecast.method import Method

CPU = torch.device("cpu")
ORIGIN = date(2024, 3, 1)  # the plan's last: the model has learned up to it
LATER = ORIGIN + timedelta(days=4)  # one horizon on
ROUTED = {"evaluation": {"candidates": ["federated_eps8", "federated_eps8_personalised", "anchor", "weekday_mean"]}}


@pytest.fixture
def ask(make_plan, make_model, write_rows):
    """Forecast by a method from the rows of a merchant whose demand doubles on a day."""

    def ask(method="routed", *, origin=LATER, seeing=1.0, plan=ROUTED, rows=None):
        question = Question(origin, read_method(method), CPU)
        return predict(make_model(make_plan(**plan), seeing), rows or write_rows(), question)

    return ask


def test_each_method_is_weighed_on_the_last_horizon_that_none_has_learned_from(ask):
    seeing, blind = (ask(seeing=factor).served for factor in (2.0, 0.1))
    assert seeing.weighed_on == (ORIGIN, LATER - timedelta(days=1))
    assert set(seeing.weights) == {"federated", "personalised", "anchor", "weekday_mean"}
    assert sum(seeing.weights.values()) == pytest.approx(1.0)
    assert seeing.weights["federated"] > 0.4  # demand has doubled, and it alone had said so
    assert blind.weights["federated"] < 1e-6


def test_what_is_served_is_the_average_by_those_weights(ask):
    routed = ask(seeing=2.0)
    means = [ask(name, seeing=2.0).table["mean"].to_numpy() for name in routed.served.weights]
    np.testing.assert_allclose(
        routed.table["mean"], np.average(means, axis=0, weights=list(routed.served.weights.values())), rtol=1e-6
    )


@pytest.mark.parametrize("days", [0, 1, 3])
def test_a_model_that_has_learned_from_the_last_horizon_has_no_part_since_nothing_tells_whether_it_helps(ask, days):
    found = ask(origin=ORIGIN + timedelta(days=days))
    assert "has learned from the last horizon" in found.served.left_out["federated"]
    assert "has learned from the last horizon" in found.served.left_out["personalised"]
    assert set(found.served.weights) == {"anchor", "weekday_mean"}
    assert found.served.weighed_on == (ORIGIN + timedelta(days=days - 4), ORIGIN + timedelta(days=days - 1))


REHEARSED = {**ROUTED, "federation": {"rehearsal": True}}


@pytest.fixture
def ask_both(make_plan, make_model, write_rows):
    """Forecast from the two models of a run that rehearsed; the rehearsal's multiplies the anchor by `seeing`."""

    def ask(origin, *, seeing):
        plan = make_plan(**REHEARSED)
        rehearsal = make_model(plan, seeing, round_number=100)
        question = Question(origin, Method("routed"), CPU)
        rows = write_rows(turn=ORIGIN - timedelta(days=4))
        return predict(make_model(plan, 1.0), rows, question, rehearsal=rehearsal)

    return ask


def test_a_rehearsals_model_stands_in_on_days_that_the_served_one_has_learned_from(ask_both):
    seeing, blind = (ask_both(ORIGIN, seeing=factor) for factor in (2.0, 0.1))
    assert seeing.served.weighed_on == (ORIGIN - timedelta(days=4), ORIGIN - timedelta(days=1))
    assert seeing.served.weights["federated"] > 0.2
    assert blind.served.weights["federated"] < 1e-6


def test_a_rehearsals_model_is_not_weighed_on_days_that_it_has_learned_from_itself(ask_both):
    found = ask_both(ORIGIN - timedelta(days=1), seeing=2.0).served
    assert "has learned from" in found.left_out["federated"]
    assert "federated" not in found.weights


def test_one_horizon_on_the_served_model_is_weighed_itself(ask_both):
    later = [ask_both(LATER, seeing=factor).served.weights["federated"] for factor in (2.0, 0.1)]
    assert later[0] == later[1]


def test_own_methods_are_weighed_on_any_days(ask):
    found = ask("routed_own", origin=ORIGIN)
    assert found.served.weighed_on == (ORIGIN - timedelta(days=4), ORIGIN - timedelta(days=1))
    assert set(found.served.weights) == {"anchor", "weekday_mean"}


def test_a_plan_without_candidates_is_served_by_the_model_its_fitted_form_and_the_anchor(ask):
    assert set(ask(plan={}).served.weights) == {"federated", "personalised", "anchor"}


@pytest.mark.parametrize("name", ["released", "federated", "federated_eps2"])
def test_one_method_can_be_asked_for_by_any_of_its_names(ask, name):
    assert ask(name).served.weights == {"federated": 1.0}
    assert read_method("lightgbm") == read_method("lightgbm_local") == Method("lightgbm_local")


@pytest.mark.parametrize("name", ["prophet", "gru_pooled", ""])
def test_what_no_merchant_can_use_is_refused_with_what_there_is(name):
    with pytest.raises(ConfigError, match=r"There is no method .* there are anchor, auto_ets"):
        read_method(name)


def test_a_candidate_whose_library_is_missing_is_left_out_and_refused_by_name(ask, make_plan, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "lightgbm" else find_spec(name))
    plan = {"evaluation": {"candidates": ["lightgbm_local", "gru_pooled", "anchor"]}}
    usable, left_out = choose_candidates(Method("routed"), make_plan(**plan))
    assert [call(method) for method in usable] == ["anchor"]
    assert "pip install 'hansa[forecast]'" in left_out["lightgbm"]
    assert left_out["gru_pooled"] == "is no method that a merchant can use alone"
    with pytest.raises(ConfigError, match="lightgbm needs lightgbm, which is not installed"):
        ask("lightgbm", plan=plan)


def test_a_forecast_that_is_not_finite_is_refused_and_left_out_of_an_average(ask):
    with pytest.raises(DataError, match="federated forecasts numbers that are not finite for 12 of 12 entities, 'c0'"):
        ask("released", seeing=float("inf"))
    found = ask(seeing=float("inf"))
    assert found.served.left_out["federated"] == "forecasts numbers that are not finite"
    assert set(found.served.weights) <= {"personalised", "anchor", "weekday_mean"}
    assert np.isfinite(found.table.select_dtypes("number")).all(axis=None)


def test_rows_that_end_before_the_origin_are_told_of_and_weigh_nothing(ask, write_rows):
    found = ask(rows=write_rows(until=LATER - timedelta(days=3)))
    assert found.served.reason == "rows seem to be missing before the origin"
    assert "Nothing was sold on the last 2 open days up to 2024-03-04" in found.warnings[0]
    assert ask(rows=write_rows(until=LATER - timedelta(days=2))).warnings == ()


PANEL = {
    "data": {
        "rows": "panel",
        "entity": "product",
        "time": "date",
        "missing": "closed",
        "target": {"aggregate": "sum", "column": "units"},
    }
}


@pytest.fixture
def write_panel(tmp_path):
    """Write the units of three products, day by day, and nothing on the days ahead but zeros on some."""

    def write(ahead):
        days = pd.date_range("2024-01-01", LATER - timedelta(days=1) + timedelta(days=ahead))
        rows = [(f"p{number}", str(day.date()), 5 * (day.date() < LATER)) for number in range(3) for day in days]
        pd.DataFrame(rows, columns=["product", "date", "units"]).to_csv(tmp_path / "rows.csv", index=False)
        return tmp_path

    return write


def test_days_ahead_that_nobody_has_a_row_for_are_refused_where_missing_means_closed(ask, write_panel):
    with pytest.raises(DataError, match="No row of any product can be used from 2024-03-05 to 2024-03-08"):
        ask("anchor", plan=PANEL, rows=write_panel(0))
    some = ask("anchor", plan=PANEL, rows=write_panel(2))
    assert "No row can be used from 2024-03-07 to 2024-03-08" in some.warnings[0]
    assert some.table["mean"].groupby(some.table["date"]).sum().gt(0).tolist() == [True, True, False, False]
    assert ask("anchor", plan=PANEL, rows=write_panel(4)).warnings == ()


def with_prices(missing):
    table = {"path": "prices.csv", "time": "date", "known": [{"column": "price"}], "missing": missing}
    return {"data": {"ahead": [table]}}


@pytest.fixture
def write_prices(write_rows):
    """Write visits, and what a visit costs up to a day, the same for everybody."""

    def write(until):
        folder = write_rows()
        days = pd.date_range("2024-01-01", until).strftime("%Y-%m-%d")
        pd.DataFrame({"date": days, "price": 4}).to_csv(folder / "prices.csv", index=False)
        return folder

    return write


def test_what_is_not_known_of_the_days_ahead_is_said_or_refused_as_the_plan_wants(ask, write_prices):
    rows = write_prices(LATER + timedelta(days=1))
    said = "'price' is not told by prices.csv on 50% of the open days from 2024-03-05 on, the first 2024-03-07"
    with pytest.raises(DataError, match=said):
        ask("anchor", plan=with_prices("refuse"), rows=rows)
    for missing in ("last", "zero"):
        (warning,) = ask("anchor", plan=with_prices(missing), rows=rows).warnings
        assert said in warning
        assert f'(data.ahead.missing = "{missing}"); add these days to prices.csv.' in warning
    assert ask("anchor", plan=with_prices("refuse"), rows=write_prices(LATER + timedelta(days=3))).warnings == ()


def test_a_round_reads_on_where_a_forecast_would_be_refused(make_plan, write_prices):
    plan = make_plan(**with_prices("refuse"))
    rows = write_prices(date(2024, 2, 1))
    assert read_series(plan, rows).num_entities == 12


def test_a_point_stands_in_the_middle_and_leaves_the_other_quantiles_empty(ask):
    table = ask("weekday_mean").table
    assert table["q50"].equals(table["mean"].rename("q50"))
    assert table["q90"].isna().all()
    assert list(table.columns) == ["entity", "date", "mean", *(f"q{level}0" for level in range(1, 10)), "probability"]


def test_the_command_says_what_it_served_in_words_and_beside_the_file(hansa, tmp_path):
    code, said = hansa("predict", "--out", "forecasts.csv", "--origin", str(LATER))
    assert code == 0
    assert "weighed by what each would have forecast of your 2024-03-01 to 2024-03-04" in said
    beside = json.loads((tmp_path / "forecasts.methods.json").read_text())
    assert set(beside["methods"]) == {"federated", "personalised", "anchor"}
    assert sum(beside["methods"].values()) == pytest.approx(1.0)
    code, said = hansa("predict", "--out", "forecasts.parquet", "--origin", str(LATER), "--json")
    assert json.loads(said)["methods"] == beside["methods"]
    table, csv = pd.read_parquet(tmp_path / "forecasts.parquet"), pd.read_csv(tmp_path / "forecasts.csv")
    assert list(table.columns) == list(csv.columns)
    assert csv["date"].iloc[0] == "2024-03-05"
    np.testing.assert_allclose(table["mean"], csv["mean"])


def test_the_command_serves_one_method_where_it_is_asked_for(hansa):
    for words in (("--method", "personalised"), ("--personalise",)):
        code, said = hansa("predict", "--out", "forecasts.csv", "--json", *words)
        told = json.loads(said)
        assert (code, told["methods"], told["personalised"]) == (0, {"personalised": 1.0}, True)
    code, said = hansa("predict", "--out", "forecasts.csv")
    assert "They are anchor, weighed by what" in said
    assert "federated has no part: it has learned from the last horizon" in said


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--method", "prophet"), "There is no method 'prophet'"),
        (("--method", "anchor", "--personalise"), "ask for two methods"),
        (("--out", "forecasts.xlsx"), "neither .csv nor .parquet"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(hansa, tmp_path, words, why):
    code, said = hansa("predict", "--out", "forecasts.csv", *words)
    assert (code, len(said.splitlines()), why in said) == (2, 1, True)
    assert not list(tmp_path.glob("forecasts*"))
