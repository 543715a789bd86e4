"""The part of the benchmark about secure sums, with few members."""

import json
from collections.abc import Callable
from typing import Any

import pytest

STEPS = {"keys", "shares", "masked", "agree", "reveal"}


def test_a_sum_is_measured_whole_and_with_members_lost(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "sum", "--quick")
    assert done.code == 0
    whole, lossy = json.loads(done.stdout)["sum"]
    assert (whole["members"], whole["lost"], lossy["lost"]) == (5, 0, 1)
    for entry in (whole, lossy):
        assert set(entry["cpu_seconds"]["member"]) == STEPS
        assert set(entry["cpu_seconds"]["coordinator"]) == STEPS | {"sum"}
        assert all(each > 0 for each in entry["cpu_seconds"]["member"].values())
        assert entry["wire_bytes"]["sum"] > entry["wire_bytes"]["plain"] > 12 * 1000
        assert entry["comparisons"][-1]["ratio"] < 1.5
        composed = dict(entry["wire_bytes"])
        assert composed.pop("sum") - composed.pop("plain") == pytest.approx(sum(composed.values()))
        assert composed["keys"] == 5 * (1 + len("merchant-000") + 2 + 160)
        assert composed["bundles to it"] == composed["bundles of it"] == 4 * (1 + len("merchant-000") + 2 + 82)
        assert 0 < composed["frames"] < 1500, "what stands around them does not grow with the members"
    assert whole["held_bytes"] == 5 * 8 * 1001
    assert lossy["held_bytes"] == 4 * 8 * 1001
