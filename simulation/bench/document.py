"""All measurements as one document and one table.

    schema      1
    machine     processor, cores, threads, torch, allocator
    step        a list, one entry for each hidden_size × steps × entities
    federation  a list, one entry for each number of merchants
    reference   the usual way: start_up_seconds, seconds_per_round, cpu_seconds_per_round; with `--only reference`
    forecast, server, memory   one entry each
    history     a list, one entry for each number of order lines; with `--only history`
    reading     a list, one entry for each encoding of an export
    explanation one entry, with fitting_seconds; with `--only explanation`
    kept        one entry: CPU seconds of a shop's commands, first and again; with `--only kept`
    paths       one entry: seconds from a shop's history to the sample paths of all products; with `--only paths`
    serving     a list, one entry for each model and number of clients; with `--only serving`
    sum         a list, one entry for each number of members and of lost ones; with `--only sum`
    bulk        a list: a table read into a panel, and series forecast; with `--only bulk`
    orders      one entry: seconds from sample paths, and from a history, to what to order; with `--only orders`

An entry has what was measured (`timings` with median_seconds, minimum_seconds, turns; `peak_bytes`;
`series_per_second`) and `comparisons`: each has `of`, `to` and, under `ratio`, how many times the median seconds of
`to` it took, or whatever `what` names. Parts that were not asked for are left out.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE
from rich.table import Table

from client.round.fused.library import find_kernel
from common.disk.reading import read_file_json
from common.errors import ConfigError, DataError
from simulation.bench.bulk import time_bulk
from simulation.bench.explanation import time_explanation
from simulation.bench.federation import MERCHANTS, QUICK_MERCHANTS, time_rounds
from simulation.bench.forecast import time_forecasts
from simulation.bench.history import time_history
from simulation.bench.kept import time_kept
from simulation.bench.memory import measure_memory
from simulation.bench.model import time_models
from simulation.bench.order import time_orders
from simulation.bench.path import time_paths
from simulation.bench.reading import LINES, QUICK_LINES, time_reading
from simulation.bench.secure_sum import time_sums
from simulation.bench.server import time_aggregation
from simulation.bench.serving import time_serving
from simulation.bench.step import time_steps

PARTS = (
    "step",
    "federation",
    "reference",
    "forecast",
    "server",
    "memory",
    "reading",
    "history",
    "paths",
    "orders",
    "explanation",
    "kept",
    "serving",
    "sum",
    "bulk",
)
DEFAULT_PARTS = PARTS[:2] + PARTS[3:-8]  # the usual way, a history and a large shop take minutes, or much disk
POINT = (
    "model",
    "encoding",
    "lines",
    "hidden_size",
    "steps",
    "entities",
    "merchants",
    "series",
    "updates",
    "products",
    "served",
    "clients",
    "members",
    "lost",
)
REFERENCE_MERCHANTS, QUICK_REFERENCE_MERCHANTS = 100, 2


def run_parts(
    parts: tuple[str, ...],
    *,
    quick: bool,
    patience_seconds: float,
    num_threads: int,
    lines: int = LINES,
    mlserver: Path | None = None,
) -> dict[str, Any]:
    """Measure the parts one after the other.

    Parameters
    ----------
    lines
        Of the exports of `reading`, and the table of `bulk`.
    mlserver
        The command of MLServer, for `serving`.

    Raises
    ------
    ConfigError
        There is no such part, or what it needs is not installed.
    """
    for part in parts:
        if part not in PARTS:
            raise ConfigError(f"There is no part {part!r} of the benchmark; there are {', '.join(PARTS)}.")
    terms: dict[str, Any] = {"quick": quick, "patience_seconds": patience_seconds}
    document: dict[str, Any] = {"schema": 1, "machine": describe_machine(num_threads)}
    for part in parts:
        if part == "step":
            document[part] = [*time_steps(**terms), *time_models(**terms)]
        elif part == "federation":
            numbers = QUICK_MERCHANTS if quick else MERCHANTS
            document[part] = list(time_rounds(numbers, patience_seconds=patience_seconds, num_threads=num_threads))
        elif part == "forecast":
            document[part] = time_forecasts(**terms, num_threads=num_threads)
        elif part == "server":
            document[part] = time_aggregation(**terms)
        elif part == "memory":
            document[part] = measure_memory(quick=quick)
        elif part == "history":
            document[part] = time_history(quick=quick)
        elif part == "explanation":
            document[part] = time_explanation(**terms)
        elif part == "kept":
            document[part] = time_kept(quick=quick)
        elif part == "bulk":
            number = QUICK_LINES if quick else lines
            document[part] = time_bulk(quick=quick, lines=number, patience_seconds=patience_seconds)
        elif part == "sum":
            document[part] = list(time_sums(quick=quick))
        elif part == "serving":
            document[part] = time_serving(quick=quick, patience_seconds=patience_seconds, mlserver=mlserver)
        elif part == "paths":
            document[part] = time_paths(quick=quick, num_threads=num_threads)
        elif part == "orders":
            document[part] = time_orders(quick=quick, num_threads=num_threads)
        elif part == "reading":
            number = QUICK_LINES if quick else lines
            document[part] = list(time_reading(lines=number, patience_seconds=patience_seconds))
        else:
            document[part] = _time_reference(quick=quick, patience_seconds=patience_seconds, num_threads=num_threads)
    return document


def _time_reference(*, quick: bool, patience_seconds: float, num_threads: int) -> dict[str, Any]:
    if find_spec("ray") is None:
        raise ConfigError("The part reference needs Ray; pip install 'hansa[ray]'.")
    from simulation.bench.reference import time_reference

    merchants = QUICK_REFERENCE_MERCHANTS if quick else REFERENCE_MERCHANTS
    (ours,) = time_rounds((merchants,), patience_seconds=patience_seconds, num_threads=num_threads)
    usual = time_reference(merchants, rounds=2, cores=num_threads)
    return {
        "merchants": merchants,
        **asdict(usual),
        "timings": ours["timings"],
        "comparisons": [
            {
                "of": "flower_opacus",
                "to": name,
                "ratio": usual.seconds_per_round / ours["timings"][name]["median_seconds"],
                "cpu_ratio": usual.cpu_seconds_per_round / ours["timings"][name]["median_cpu_seconds"],
            }
            for name in ("hansa", "hansa_apart")
        ],
    }


def describe_machine(num_threads: int) -> dict[str, Any]:
    """Say where, with how many threads and with which allocator this was measured."""
    kernel = find_kernel()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": num_threads,
        "load": os.getloadavg()[0],
        "torch": torch.__version__,
        "python": platform.python_version(),
        "kernel": 0 if kernel is None else kernel.lanes,
        "allocator": {
            name: value for name, value in sorted(os.environ.items()) if name == "LD_PRELOAD" or "MALLOC" in name
        },
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())


def read_document(file: Path) -> dict[str, Any]:
    """Read what `--json` printed.

    Raises
    ------
    DataError
        The file is none.
    """
    try:
        document = read_file_json(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as a benchmark ({error}); make one with --json.") from error
    if not isinstance(document, dict) or document.get("schema") != 1 or "machine" not in document:
        raise DataError(f"{file} holds no benchmark of schema 1; make one with --json.")
    return document


def say_machine(machine: dict[str, Any]) -> str:
    """Say where a document was measured."""
    allocator = " ".join(f"{name}={value}" for name, value in machine["allocator"].items()) or "default"
    cores = f"{machine['cores']} cores, load {machine['load']:.1f} before"
    return f"{machine['processor']}, {cores}, {machine['threads']} threads, allocator {allocator}"


def say_point(entry: dict[str, Any]) -> str:
    """Say at which sizes an entry was measured."""
    return ", ".join(
        f"{name} {entry[name]}"
        for name in POINT
        if isinstance(entry.get(name), int) or name in entry.keys() & {"encoding", "served"}
    )


def make_table(document: dict[str, Any]) -> Table:
    """Show every ratio."""
    table = Table(title=say_machine(document["machine"]), box=SIMPLE)
    for column in ("part", "at", "what", "ratio"):
        table.add_column(column, justify="right" if column == "ratio" else "left")
    for part in PARTS:
        found = document.get(part, [])
        for entry in found if isinstance(found, list) else [found]:
            for comparison in entry["comparisons"]:
                what = f"{comparison.get('what', 'seconds')} of {comparison['of']} to {comparison['to']}"
                table.add_row(part, say_point(entry), what, f"{comparison['ratio']:.2f}")
    return table
