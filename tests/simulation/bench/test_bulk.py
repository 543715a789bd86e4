"""The part of the benchmark about a table at scale."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from simulation.bench.bulk import forecast_at_once, forecast_in_blocks, read_panel
from simulation.bench.reading import EXPORTS, read_with_pandas, write_export


def test_a_panel_holds_what_pandas_adds_up(tmp_path: Path) -> None:
    path = tmp_path / EXPORTS[0].name
    write_export(path, EXPORTS[0], 3000)
    assert read_panel(str(path), 0, warm=False) == read_with_pandas(str(path), 0, warm=False)


def test_both_ways_forecast_the_same() -> None:
    means = []
    for forecast in (forecast_in_blocks, forecast_at_once):
        torch.manual_seed(0)  # the model's output is drawn
        means.append(forecast(6, warm=False))
    assert means[0] == pytest.approx(means[1], rel=1e-6)


@pytest.mark.slow
def test_reading_and_forecasting_are_measured_with_memory(hansa_sim: Callable[..., Any]) -> None:
    done = hansa_sim("bench", "--json", "--only", "bulk", "--quick", "--patience", "0")
    assert done.code == 0
    table, series = json.loads(done.stdout)["bulk"]
    assert set(table["peak_bytes"]) == set(table["timings"]) == {"hansa", "pandas", "pandas_columns"}
    assert set(series["peak_bytes"]) == {"hansa", "at_once", "many"}
    assert all(
        rate > 0 for rate in (*table["lines_per_cpu_second"].values(), *series["series_per_cpu_second"].values())
    )
