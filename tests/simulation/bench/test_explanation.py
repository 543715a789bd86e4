"""The part of the benchmark about explanations, on a short demo shop."""

import json
from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.slow
def test_one_product_and_all_are_timed_after_the_fit(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "explanation", "--quick", "--patience", "0.1")
    assert done.code == 0
    entry = json.loads(done.stdout)["explanation"]
    assert set(entry["timings"]) == {"one", "all"}
    assert entry["timings"]["one"]["median_seconds"] > 0
    assert entry["fitting_seconds"] > 0
