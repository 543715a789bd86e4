"""The part of the benchmark about a shop's history, on a few lines."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from simulation.bench.history import draw_lines


@pytest.mark.slow
def test_it_is_timed_beside_pandas_with_the_peak_of_each(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "history", "--quick")
    assert done.code == 0
    (entry,) = json.loads(done.stdout)["history"]
    assert set(entry["timings"]) == {"hansa_import", "hansa_overlap", "hansa_daily", "hansa_dense", "pandas_all"}
    assert all(timing["median_seconds"] > 0 for timing in entry["timings"].values())
    assert all(5e7 < peak < 2e9 for peak in entry["peak_bytes"].values())
    assert entry["comparisons"][0]["ratio"] > 0


def test_the_lines_are_the_same_each_time() -> None:
    first, second = (list(draw_lines(150_000)) for _ in range(2))
    assert first == second
    assert [batch.num_rows for batch in first] == [100_000, 50_000]
