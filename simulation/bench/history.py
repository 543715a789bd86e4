"""A shop's history at scale: seconds and peak memory of a process that imports, imports again, and reads all series.

Order lines of invented shops come as Arrow batches, whose making is not timed. What pandas alone takes for the same
question, with every line in memory and nothing kept, hashed or undone, is measured beside it on fewer lines.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from client.shop.history.history import History
from client.shop.record import schema_of
from common.errors import ConfigError

LINES, FEW_LINES, QUICK_LINES = 10_000_000, 1_000_000, 30_000
PRODUCTS, DAYS, CUSTOMERS = 100_000, 730, 500_000
BATCH_LINES = 100_000
_LINES_OF_AN_ORDER = 3
_FIRST_DAY = 19_000  # since 1970
_STATUS = Path("/proc/self/status")


def time_history(*, quick: bool) -> list[dict[str, Any]]:
    """Measure an import, an overlapping one and reading, and the same through pandas alone on fewer lines.

    Raises
    ------
    ConfigError
        This is not Linux.
    """
    if not _STATUS.exists():
        raise ConfigError("Peak memory is measured on Linux alone; choose the other parts of bench with --only.")
    few = QUICK_LINES if quick else FEW_LINES
    entries = [_measure(few, ("hansa", "pandas"))]
    if not quick:
        entries.append(_measure(LINES, ("hansa",)))
    return entries


def _measure(lines: int, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: _run(name, lines) for name in names}
    peaks = {name: said.pop("peak_bytes") for name, said in found.items()}
    seconds = {name: sum(said.values()) for name, said in found.items()}
    timings = {
        f"{name}_{step}": {"median_seconds": value, "minimum_seconds": value, "turns": 1}
        for name, said in found.items()
        for step, value in said.items()
    }
    compared = (
        [{"of": "pandas", "to": "hansa", "ratio": seconds["pandas"] / seconds["hansa"]}] if len(names) > 1 else []
    )
    return {"lines": lines, "timings": timings, "peak_bytes": peaks, "comparisons": compared}


def _run(name: str, lines: int) -> dict[str, float]:
    """Run one contestant in a process of its own, whose memory is its alone."""
    code = f"from simulation.bench.history import say_{name} as say; say({lines})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  our own words
    said: dict[str, float] = json.loads(done.stdout)
    return said


def say_hansa(lines: int) -> None:
    """Import lines, import them again as another export would have them, and read every series, both ways."""
    with tempfile.TemporaryDirectory() as folder:
        history, said = History.open(Path(folder)), {}
        said["import"] = _time_import(history, lines)
        said["overlap"] = _time_import(history, lines)
        said["daily"] = _time(history.daily)
        said["dense"] = _time(lambda: sum(batch.units.sum() for batch in history.dense_daily()))
    _print(said)


def say_pandas(lines: int) -> None:
    """Do the same in memory: both exports one below the other, each line once, and sums by product and day."""
    export = [batch.to_pandas() for batch in draw_lines(lines)]
    _print({"all": _time(lambda: _sum_in_pandas(export))})


def _sum_in_pandas(export: list[pd.DataFrame]) -> pd.DataFrame:
    once = pd.concat([*export, *export], ignore_index=True).drop_duplicates(["order", "line"], keep="last")
    by_day = once[once["state"] == "sold"].groupby(["product", "day"], sort=True)
    return by_day.agg(
        units=("quantity", "sum"), lines=("order", "size"), customers=("customer", "nunique"), amount=("amount", "sum")
    )


def draw_lines(lines: int) -> Iterator[pa.Table]:
    """Draw lines of orders over two years: few products sell much, most little; batch by batch, always the same."""
    for start in range(0, lines, BATCH_LINES):
        yield _draw_batch(start, min(BATCH_LINES, lines - start), lines)


def _draw_batch(start: int, number: int, lines: int) -> pa.Table:
    generator = np.random.default_rng(start)
    places = np.arange(start, start + number)
    popularity = generator.pareto(1.0, number) * PRODUCTS / 20
    names = {
        "order": 1_000_000 + places // _LINES_OF_AN_ORDER,
        "line": places % _LINES_OF_AN_ORDER,
        "product": popularity.astype(np.int64) % PRODUCTS,
        "customer": generator.integers(0, CUSTOMERS, number),
    }
    columns = {name: pa.array(np.char.add(f"{name}-", numbers.astype(str))) for name, numbers in names.items()}
    days = pa.array((_FIRST_DAY + places * DAYS // lines).astype(np.int32)).cast(pa.date32())
    columns |= {"row": pa.array(places), "updated": pa.nulls(number, pa.timestamp("us")), "day": days}
    columns |= {
        "second": pa.array(generator.integers(0, 86_400, number)),
        "quantity": pa.array(generator.integers(1, 4, number).astype(np.float64)),
        "amount": pa.array(generator.integers(1, 10_000, number) / 100),
        "currency": pa.array(["EUR"] * number),
        "state": pa.array(["sold"] * number),
    }
    schema = schema_of("sales")
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _time_import(history: History, lines: int) -> float:
    seconds = 0.0
    with history.begin("till") as one:
        for batch in draw_lines(lines):
            began = time.perf_counter()
            one.append("sales", batch)
            if one.is_full:
                one.commit()
            seconds += time.perf_counter() - began
        return seconds + _time(one.finish)


def _time(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _print(said: dict[str, float]) -> None:
    """Print seconds, and the most memory that this process ever had, libraries included."""
    peak = next(line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({**said, "peak_bytes": int(peak) * 1024}))  # noqa: T201
