"""The answer on runs whose truth is planted, and on real ones whose summary says the same."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from common.errors import ConfigError
from common.forecast.method import Method
from common.forecast.metric import Forecast
from simulation.evaluation.learned import choose_federated
from simulation.evaluation.results import Results, read_results
from simulation.evaluation.summary import score_part, summarise
from simulation.evaluation.verdict import Pair, answer, choose_pair
from simulation.experiment.folder import Part, forecast_table
from simulation.origin.origin import make_trial


@pytest.fixture
def plant(make_plan, make_panel, tmp_path):
    """Write a run of two methods over merchants of given sizes; `error` gives each entity's error under the first."""

    def write(sizes, error, *, against=2.0, origins=(date(2024, 3, 1),), **sections):
        plan = make_plan(evaluation={"origins": [str(origin) for origin in origins]}, **sections)
        merchants = np.repeat([f"m{place:02}" for place in range(len(sizes))], sizes).astype(object)
        panel = make_panel(num_entities=len(merchants), merchants=merchants)
        panel = replace(panel, target=panel.target + 1)
        tables, scores = [], []
        for origin in origins:
            trial = make_trial(plan, panel, origin)
            for method, off in (
                ("routed", np.asarray(error(merchants))),
                ("routed_own", np.full(len(merchants), against)),
            ):
                median = trial.outcome.actual + off[:, None]
                forecast = Forecast(median, median, None, np.full(len(merchants), 0.5))
                part = Part(Method.parse(method), origin, 0)
                tables.append(forecast_table(part, forecast, trial))
                scored = score_part(forecast, trial)
                scores.append(
                    {
                        "method": method,
                        "origin": str(origin),
                        "seed": 0,
                        "seconds": 1.0,
                        "stage": "whole",
                        "choices": {},
                        "privacy": None,
                        **scored,
                    }
                )
        pd.concat(tables).to_parquet(tmp_path / "forecasts.parquet")
        return Results(tmp_path, plan, summarise(scores, plan, {"plan": "planted", "seed": 0}))

    return write


ROUTERS = Pair("routed", "routed_own", "routers")


def test_a_merchant_that_always_gains_is_better_and_one_that_always_loses_is_worse(plant):
    run = plant([12, 12, 12], lambda names: np.select([names == "m00", names == "m01"], [1.0, 3.0], 2.0))
    found = answer(run, ROUTERS)["metrics"]["wape"]
    assert {name: one["verdict"] for name, one in found["merchants"].items()} == {
        "m00": "better",
        "m01": "worse",
        "m02": "unclear",
    }
    assert found["merchants"]["m00"]["gain"] == pytest.approx(0.5)
    assert found["merchants"]["m01"]["gain"] == pytest.approx(-0.5)
    assert found["counts"] == {
        "merchants": 3,
        "better": 1,
        "worse": 1,
        "unclear": 1,
        "share_better": pytest.approx(1 / 3),
        "share_worse": pytest.approx(1 / 3),
        "much_worse": 1,
    }
    assert found["worst_tenth"] == {"merchants": 1, "gain": pytest.approx(-0.5), "lowest": pytest.approx(-0.5)}


def test_a_merchant_of_few_entities_is_never_clearly_better(plant):
    found = answer(plant([3, 12], lambda names: np.ones(len(names))), ROUTERS)["metrics"]["wape"]
    assert found["merchants"]["m00"]["low"] is None
    assert found["counts"]["better"] == 1


def test_sizes_are_grouped_in_order_and_every_merchant_is_in_one_group(plant):
    sizes = [14, 2, 11, 4, 3, 6]
    found = answer(plant(sizes, lambda names: np.where(names == "m01", 3.0, 1.0)), ROUTERS)["metrics"]["wape"]
    groups = found["sizes"]
    assert [(group["smallest"], group["largest"]) for group in groups] == [(2, 3), (4, 6), (11, 14)]
    assert [group["merchants"] for group in groups] == [2, 2, 2]
    assert found["worst_size"]["smallest"] == 2


def test_one_merchant_makes_one_group_and_so_do_many_of_one_size(plant):
    for sizes in ([12], [2] * 6):
        found = answer(plant(sizes, lambda names: np.ones(len(names))), ROUTERS, resamples=10)
        assert [group["merchants"] for group in found["metrics"]["wape"]["sizes"]] == [len(sizes)]


def test_an_entity_keeps_its_origins_together_when_it_is_resampled(plant):
    """Were origins drawn apart, the interval would be about sqrt(2) shorter."""
    origins = (date(2024, 2, 1), date(2024, 3, 1))
    error = lambda names: np.where(np.arange(len(names)) % 2, 1.0, 3.5)  # noqa: E731
    once = answer(plant([40], error, origins=origins[:1]), ROUTERS)["metrics"]["wape"]["pooled"]
    twice = answer(plant([40], error, origins=origins), ROUTERS)["metrics"]["wape"]["pooled"]
    assert twice["high"] - twice["low"] == pytest.approx(once["high"] - once["low"], rel=0.15)


def test_a_dealt_entity_is_one_whichever_merchant_it_is_dealt_to(plant):
    run = plant([12, 12], lambda names: np.where(np.arange(len(names)) % 2, 1.0, 3.5))
    rows = pd.read_parquet(run.path / "forecasts.parquet")
    rows["entity"] = rows["entity"].where(
        rows["merchant"] == "m00", rows["entity"].map(lambda name: f"e{int(name[1:]) - 12}")
    )
    rows.to_parquet(run.path / "forecasts.parquet")
    apart = answer(run, ROUTERS)["metrics"]["wape"]["pooled"]
    deal = {"by": "random", "merchants": 2, "smallest": 12, "largest": 12}
    dealt = replace(
        run, plan=run.plan.model_validate(run.plan.model_dump() | {"data": run.plan.data.model_dump() | {"deal": deal}})
    )
    together = answer(dealt, ROUTERS)["metrics"]["wape"]["pooled"]
    assert together["gain"] == apart["gain"]
    assert together["high"] - together["low"] > 1.2 * (apart["high"] - apart["low"])


@pytest.mark.parametrize(
    ("base", "pair"), [("sales", ("federated_eps8", "anchor")), ("orders", ("federated_eps8", "logistic_local"))]
)
def test_values_are_those_of_the_summary_pooled_per_merchant_and_small(finished_run, base, pair):
    run = read_results(finished_run(base))
    found = answer(run, Pair(*pair, "asked"), resamples=10)
    assert (found["method"], found["against"], found["resamples"]) == (*pair, 10)
    for metric, compared in found["metrics"].items():
        for method, key in zip(pair, ("value", "against"), strict=True):
            summary = run.summary
            assert compared["pooled"][key] == pytest.approx(summary["methods"][method][metric], abs=1e-6)
            assert compared["small_merchants"][key] == pytest.approx(
                summary["small_merchants"][method][metric], abs=1e-6
            )
            for name, merchant in compared["merchants"].items():
                assert merchant["entities"] == summary["merchants"][method][name]["entities"]
                assert merchant[key] == pytest.approx(summary["merchants"][method][name][metric], abs=1e-6)


def test_the_gain_is_told_by_history_of_the_entity_and_of_its_merchant(plant):
    young = np.repeat([1.0, 30.0, 30.0], 12)
    run = plant([12, 24], lambda names: np.where(young < 3, 1.0, 2.0))
    rows = pd.read_parquet(run.path / "forecasts.parquet")[["origin", "merchant", "entity"]].drop_duplicates()
    rows["months"] = rows["entity"].map(lambda name: young[int(name[1:])])
    assert answer(run, ROUTERS)["metrics"]["wape"]["histories"] == []  # nothing is known of it
    rows.to_parquet(run.path / "entities.parquet")
    found = answer(run, ROUTERS)["metrics"]["wape"]
    for kind in ("histories", "merchant_histories"):
        told = [(group["since"], group["until"], group["entities"], group["merchants"]) for group in found[kind]]
        assert told == [(0, 3, 12, 1), (24, None, 24, 1)]
        assert [group["verdict"] for group in found[kind]] == ["better", "unclear"]
        assert [group["gain"] for group in found[kind]] == pytest.approx([0.5, 0.0])


def test_where_nothing_sold_there_is_no_gain_and_nobody_counts(plant):
    run = plant([12], lambda names: np.ones(len(names)))
    rows = pd.read_parquet(run.path / "forecasts.parquet").assign(actual=0.0)
    rows.to_parquet(run.path / "forecasts.parquet")
    found = answer(run, ROUTERS)["metrics"]["wape"]
    assert found["pooled"] is found["worst_tenth"] is found["worst_size"] is None
    assert found["counts"]["merchants"] == 0


# Which two are compared


@pytest.fixture
def holding(plant):
    """Make a run that holds methods of the given names and headline losses."""

    def make(**losses):
        run = plant([2], lambda names: np.ones(len(names)))
        return replace(run, summary={**run.summary, "methods": {name: {"wql": loss} for name, loss in losses.items()}})

    return make


def test_the_routers_are_compared_where_both_are_there(holding):
    assert choose_pair(holding(anchor=0.1, federated_eps2=0.2, routed=0.2, routed_own=0.3)) == ROUTERS


def test_without_routers_the_epsilon_nearest_to_two_meets_the_best_own_method(holding):
    run = holding(anchor=0.3, gru_local=0.2, gru_pooled=0.1, federated=0.1, federated_eps8=0.1, federated_eps1=0.4)
    assert choose_pair(run) == Pair("federated_eps1", "gru_local", "nearest")


def test_what_is_asked_for_is_compared_and_the_other_side_is_filled_in(holding):
    run = holding(anchor=0.3, gru_local=0.2, federated_eps8=0.1)
    assert choose_pair(run, "gru_local", "anchor") == Pair("gru_local", "anchor", "asked")
    assert choose_pair(run, against="anchor") == Pair("federated_eps8", "anchor", "asked")
    assert choose_pair(run, method="anchor") == Pair("anchor", "gru_local", "asked")


def test_a_router_fills_its_side_even_where_the_other_is_asked_for(holding):
    run = holding(anchor=0.1, federated_eps2=0.2, routed=0.2, routed_own=0.3)
    assert choose_pair(run, method="federated_eps2") == Pair("federated_eps2", "routed_own", "asked")
    assert choose_pair(run, against="anchor") == Pair("routed", "anchor", "asked")


def test_the_router_can_be_held_against_the_best_own_method_in_hindsight(holding):
    run = holding(anchor=0.3, gru_local=0.2, federated_eps2=0.1, routed=0.1, routed_own=0.25)
    assert choose_pair(run, against="own") == Pair("routed", "gru_local", "own")
    assert choose_pair(run, "federated_eps2", "own") == Pair("federated_eps2", "gru_local", "own")
    assert choose_pair(holding(federated=0.3, gru_pooled=0.2), against="own") is None


def test_a_run_of_one_side_only_has_nothing_to_compare(holding):
    assert choose_pair(holding(anchor=0.3, gru_local=0.2)) is None
    assert choose_pair(holding(federated=0.3, gru_pooled=0.2)) is None
    assert choose_pair(holding(federated=0.3, anchor=None)) is None


def test_a_method_that_is_not_there_and_one_against_itself_are_refused(holding):
    with pytest.raises(ConfigError, match="holds no method prophet; it holds anchor"):
        choose_pair(holding(anchor=0.3), against="prophet")
    with pytest.raises(ConfigError, match="anchor cannot be compared with itself"):
        choose_pair(holding(anchor=0.3), "anchor", "anchor")


def test_the_federation_is_named_by_its_epsilon_and_personalised_first():
    assert (
        choose_federated(["federated", "federated_eps2", "federated_eps2_personalised"])
        == "federated_eps2_personalised"
    )
    assert choose_federated(["federated", "federated_eps8"]) == "federated_eps8"
    assert choose_federated(["federated_eps2_sum_personalised", "federated_eps2"]) == "federated_eps2"
    assert choose_federated(["federated"]) == "federated"
    assert choose_federated(["anchor"]) == ""
