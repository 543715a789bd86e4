"""The part of the benchmark about orders, on a few products."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_orders_are_timed_from_paths_and_from_a_history(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "orders", "--quick")
    assert done.code == 0
    entry = json.loads(done.stdout)["orders"]
    assert entry["products"] == 200
    assert 0 < entry["lines"] <= 200
    assert 0 < entry["cpu_seconds_from_paths"] < entry["seconds_from_history"]
