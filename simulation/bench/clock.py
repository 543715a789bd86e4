"""Time several things side by side: turn by turn, so that what else the machine does falls on all of them."""

from __future__ import annotations

import ctypes
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigError

FEWEST_TURNS, MOST_TURNS = 3, 50
KIBIBYTE = 1024
SMALLEST_SECONDS = 1e-9
RESET_PEAK = Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Timing:
    """Seconds of one thing over all its turns; those of the processor tell more where others share the machine."""

    median_seconds: float
    minimum_seconds: float
    turns: int
    median_cpu_seconds: float


def time_side_by_side(contestants: Mapping[str, Callable[[], object]], *, patience_seconds: float) -> dict[str, Timing]:
    """Run all contestants in turns, at least three each, until `patience_seconds` are over; the first turn warms up."""
    for run in contestants.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    started, turns = time.perf_counter(), 0
    while turns < FEWEST_TURNS or (turns < MOST_TURNS and time.perf_counter() - started < patience_seconds):
        for name, run in contestants.items():
            began, cpu_began = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - began)
            cpu[name].append(time.process_time() - cpu_began)
        turns += 1
    return {
        name: Timing(statistics.median(each), min(each), turns, statistics.median(cpu[name]))
        for name, each in seconds.items()
    }


def compare(timings: Mapping[str, Timing], name: str, other: str) -> dict[str, Any]:
    """Set one median against another: `ratio` is how many times the time of `other` it takes."""
    ratio = timings[name].median_seconds / timings[other].median_seconds
    cpu_ratio = timings[name].median_cpu_seconds / max(timings[other].median_cpu_seconds, SMALLEST_SECONDS)
    return {"of": name, "to": other, "ratio": ratio, "cpu_ratio": cpu_ratio}


def compare_peaks(peaks: Mapping[str, int], name: str, other: str) -> dict[str, Any]:
    """Set one peak of memory against another: `ratio` is how many times that of `other` it is."""
    return {"of": name, "to": other, "what": "peak_bytes", "ratio": peaks[name] / max(1, peaks[other])}


def describe_timings(timings: Mapping[str, Timing]) -> dict[str, dict[str, float]]:
    """Lay timings out for JSON."""
    return {name: asdict(timing) for name, timing in timings.items()}


def peak_bytes(run: Callable[..., object], *arguments: object) -> int:
    """Run something in a process of its own and tell by how much memory it grew at most, its inputs included.

    `run` is called twice, first with `warm=True` for something small, so that libraries are loaded before.

    Raises
    ------
    ConfigError
        This is not Linux.
    """
    if not RESET_PEAK.exists():
        raise ConfigError("Peak memory is measured on Linux alone; choose the other parts of bench with --only.")
    code = (
        "import json, sys; from simulation.bench.clock import grow; "
        f"from {run.__module__} import {run.__name__} as run; print(grow(run, *json.loads(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, json.dumps(arguments)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603  our own words


def grow(run: Callable[..., object], *arguments: object) -> int:
    """Tell by how many bytes this process grows at most while `run` does."""
    run(*arguments, warm=True)
    give_back_memory()
    RESET_PEAK.write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    run(*arguments, warm=False)
    return _status("VmHWM") - before


def give_back_memory() -> None:
    """Give the machine back what was freed: used again it would not count, and who takes small pieces finds most."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc
        trim(0)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * KIBIBYTE
