"""What a federation learned, on runs whose losses are planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from common.forecast.method import Method
from simulation.evaluation.learned import Comparer, describe_learning, federation_behind, find_noise
from simulation.evaluation.results import Results


@pytest.fixture
def comparer(make_plan, tmp_path):
    """Plant methods over twenty entities of one merchant, each with the losses that it is given."""

    def plant(losses, candidates=()):
        plan = make_plan(evaluation={"candidates": list(candidates)} if candidates else {})
        entities = [f"e{place:02}" for place in range(20)]
        index = pd.MultiIndex.from_product([["2024-03-01"], ["m"], entities], names=["origin", "merchant", "entity"])
        spread = np.linspace(0.9, 1.1, 20)
        metric = Results(tmp_path, plan, {}).metrics[0]
        tables = {
            name: pd.DataFrame({metric: loss * (spread if name != "anchor" else 1.0), "weight": 1.0}, index=index)
            for name, loss in losses.items()
        }
        methods = {name: {metric: loss} for name, loss in losses.items()}
        return Comparer(Results(tmp_path, plan, {"methods": methods}), tables, 200, 0)

    return plant


CANDIDATES = ("federated_eps8", "anchor", "federated_eps8_personalised")


def test_the_federation_is_held_against_the_public_model_as_it_is_and_fitted(comparer):
    losses = {"routed": 0.8, "routed_own": 1.0, "warm": 1.0, "federated_eps8": 0.9, "federated_eps2": 0.5}
    losses |= {"warm_personalised": 0.6, "federated_eps8_personalised": 0.66, "anchor": 2.0}
    found = describe_learning(comparer(losses, CANDIDATES), "routed", "routed_own", None)["added"]
    assert [(gain["method"], gain["against"], round(gain["gain"], 3)) for gain in found] == [
        ("routed", "routed_own", 0.2),
        ("federated_eps8", "warm", 0.1),
        ("federated_eps8_personalised", "warm_personalised", -0.1),
    ]


def test_where_the_public_model_was_not_run_its_start_handed_out_stands_for_it(comparer):
    losses = {"routed": 0.8, "federated_eps8_null_personalised": 1.0, "federated_eps8_personalised": 0.9}
    (gain,) = describe_learning(comparer(losses, CANDIDATES), "routed", "routed_own", None)["added"]
    assert (gain["against"], round(gain["gain"], 3)) == ("federated_eps8_null_personalised", 0.1)


def test_a_control_is_held_against_the_same_and_the_real_one_against_it(comparer):
    losses = {"routed": 0.8, "routed_own": 1.0, "routed_null": 0.9, "routed_shuffled": 1.0, "anchor": 2.0}
    pooled = comparer(losses).compare("routed", "routed_own")
    found = describe_learning(comparer(losses, CANDIDATES), "routed", "routed_own", pooled)
    assert found["controls"]["null"]["gain"] == pytest.approx(0.1)
    assert found["controls"]["null"]["over"]["gain"] == pytest.approx(1 - 0.8 / 0.9)
    assert found["controls"]["shuffled"]["verdict"] == "unclear"  # the same losses to the last bit: no gain
    assert found["worth"] == "not shown"
    without = {name: loss for name, loss in losses.items() if name != "routed_null"}
    assert describe_learning(comparer(without, CANDIDATES), "routed", "routed_own", pooled)["worth"] == "yes"


def test_a_federation_by_itself_has_controls_too_and_an_own_method_has_none(comparer):
    losses = {"federated_eps8": 0.8, "federated_eps8_null": 1.0, "anchor": 1.0, "weekday_mean": 1.1}
    told = comparer(losses)
    assert set(describe_learning(told, "federated_eps8", "anchor", None)["controls"]) == {"null"}
    assert describe_learning(told, "weekday_mean", "anchor", None)["controls"] == {}


def test_less_noise_that_does_worse_is_found_for_either_trust_and_either_fit(comparer):
    losses = {"federated_eps8": 0.5, "federated_eps2": 0.4, "federated_eps1": 0.45, "federated_eps16_null": 0.9}
    losses |= {"federated_eps8_sum": 0.3, "federated_eps2_sum": 0.4, "federated": 0.9}
    losses |= {"federated_eps8_personalised": 0.2, "federated_eps2_personalised": 0.1}
    found = find_noise(comparer(losses))
    assert [(gain["method"], gain["against"], gain["verdict"]) for gain in found] == [
        ("federated_eps8", "federated_eps2", "worse"),
        ("federated_eps8_personalised", "federated_eps2_personalised", "worse"),
    ]


def test_the_federation_behind_a_router_is_the_one_among_its_candidates(comparer):
    results = comparer({"routed": 1.0, "federated_eps2": 1.0}, CANDIDATES).results
    assert federation_behind(results, "routed") == Method("federated", 8.0)
    assert federation_behind(results, "federated_eps2_personalised") == Method("federated", 2.0)
    assert federation_behind(results, "anchor") == Method("federated", 2.0)
    assert federation_behind(replace(results, summary={"methods": {"anchor": {}}}), "anchor") is None
