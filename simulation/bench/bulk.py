"""A merchant's table at scale: its lines read into a panel, and every series of it forecast by a trained model.

Reading is that of a round, `check PLAN` and `predict`, held against pandas that adds the same lines up. A forecast
works the features out in blocks of the window that it reads; beside it stands the plain way, which works out all
features of all series first, on fewer of them. How memory grows with the number of series is measured without it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from client.data.rows import read
from client.forecast.released import forecast_demand
from client.forecast.view import Ahead
from common.data.panel import Panel
from common.errors import DataError
from common.model.features import build_series
from common.plan.schema import DataPlan, Measure
from simulation.bench.clock import compare, describe_timings, peak_bytes, time_side_by_side
from simulation.bench.reading import (
    DAY_COLUMN,
    EXPORTS,
    PRODUCT_COLUMN,
    SPAN_DAYS,
    UNITS_COLUMN,
    WARM_LINES,
    read_with_few_columns,
    read_with_pandas,
    write_export,
)
from simulation.bench.shop import draw_panel, model_plan, new_model

SERIES, QUICK_SERIES, MANY, QUICK_MANY, DAYS = 4000, 40, 100_000, 120, 400
DRAWN = 1000  # series that differ; more are these again
START = date(2022, 1, 1)
CPU = torch.device("cpu")


def time_bulk(*, quick: bool, lines: int, patience_seconds: float) -> list[dict[str, Any]]:
    """Time reading and forecasting, and measure the memory of each way.

    Raises
    ------
    DataError
        Two ways of reading do not add up to the same.
    """
    few, many = (QUICK_SERIES, QUICK_MANY) if quick else (SERIES, MANY)
    return [_time_table(lines, patience_seconds), _time_series(few, many, patience_seconds)]


def _time_table(lines: int, patience_seconds: float) -> dict[str, Any]:
    ways = {"hansa": read_panel, "pandas": read_with_pandas, "pandas_columns": read_with_few_columns}
    with TemporaryDirectory() as folder:
        path = Path(folder) / EXPORTS[0].name
        write_export(path, EXPORTS[0], lines)
        write_export(path.with_suffix(".warm.csv"), EXPORTS[0], WARM_LINES)
        sums = {name: way(str(path), 0, warm=False) for name, way in ways.items()}
        if len(set(sums.values())) > 1:
            raise DataError(f"The ways of reading do not agree: {sums}.")
        timings = time_side_by_side(
            {name: lambda way=way: way(str(path), 0, warm=False) for name, way in ways.items()},  # type: ignore[misc]
            patience_seconds=patience_seconds,
        )
        peaks = {name: peak_bytes(way, str(path), 0) for name, way in ways.items()}
        size = path.stat().st_size
    memory = {"of": "hansa", "to": "pandas", "what": "peak_bytes", "ratio": peaks["hansa"] / max(peaks["pandas"], 1)}
    return {
        "lines": lines,
        "file_bytes": size,
        "timings": describe_timings(timings),
        "lines_per_cpu_second": {name: lines / timing.median_cpu_seconds for name, timing in timings.items()},
        "peak_bytes": peaks,
        "comparisons": [compare(timings, "pandas", "hansa"), compare(timings, "pandas_columns", "hansa"), memory],
    }


def read_panel(path: str, number: int, *, warm: bool) -> tuple[int, float]:
    """Read a table as a round does; give how many days of products have demand, and all of it."""
    place = Path(path).with_suffix(".warm.csv") if warm else Path(path)
    target = read(_data_plan(place.name), place.parent).panel.target
    return int((target > 0).sum()), float(target.sum(dtype=np.float64))


def _data_plan(path: str) -> DataPlan:
    return DataPlan(
        path=path,
        rows="events",
        entity=PRODUCT_COLUMN,
        time=DAY_COLUMN,
        target=Measure(aggregate="sum", column=UNITS_COLUMN),
        start=START,
        end=START + timedelta(days=SPAN_DAYS),
    )


def _time_series(few: int, many: int, patience_seconds: float) -> dict[str, Any]:
    panel = repeat_panel(few)
    model = new_model(build_series(panel.select(slice(1)), model_plan(), DAYS))
    timings = time_side_by_side(
        {
            "hansa": lambda: forecast_demand(model, Ahead(panel, model_plan(), DAYS), device=CPU),
            "at_once": lambda: forecast_demand(model, build_series(panel, model_plan(), DAYS), device=CPU),
        },
        patience_seconds=patience_seconds,
    )
    peaks = {"at_once": peak_bytes(forecast_at_once, few)}
    peaks |= {"hansa": peak_bytes(forecast_in_blocks, few), "many": peak_bytes(forecast_in_blocks, many)}
    return {
        "series": few,
        "many": many,
        "days": DAYS,
        "timings": describe_timings(timings),
        "series_per_cpu_second": {name: few / timing.median_cpu_seconds for name, timing in timings.items()},
        "peak_bytes": peaks,
        "comparisons": [
            compare(timings, "at_once", "hansa"),
            {"of": "hansa", "to": "at_once", "what": "peak_bytes", "ratio": peaks["hansa"] / peaks["at_once"]},
            {"of": "many", "to": "hansa", "what": "peak_bytes", "ratio": peaks["many"] / peaks["hansa"]},
        ],
    }


def forecast_in_blocks(series: int, *, warm: bool) -> float:
    """Forecast so many series as `predict` does; give the sum of their means."""
    torch.set_num_threads(1)
    panel = repeat_panel(1 if warm else series)
    model = new_model(build_series(panel.select(slice(1)), model_plan(), DAYS))
    return float(forecast_demand(model, Ahead(panel, model_plan(), DAYS), device=CPU).mean.sum())


def forecast_at_once(series: int, *, warm: bool) -> float:
    """Do the same with all features of all series in memory."""
    torch.set_num_threads(1)
    panel = repeat_panel(1 if warm else series)
    seen = build_series(panel, model_plan(), DAYS)
    return float(forecast_demand(new_model(seen), seen, device=CPU).mean.sum())


def repeat_panel(series: int) -> Panel:
    """Draw some series of 400 days and the days ahead, and repeat them, so that drawing takes little memory."""
    drawn = draw_panel(min(series, DRAWN), days=DAYS + model_plan().horizon_days)
    return drawn.select(np.arange(series) % DRAWN)
