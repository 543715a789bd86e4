"""CPU seconds of a shop's commands before and after what they learn is kept in its folder, each a process of its own.

The demo shop is made once; `forecast`, `explain` and `order` are then run as a shop owner runs them: while nothing is
kept, and again. Both must print the same.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from client.shop.demo.founding import found_demo
from client.shop.forecast.shelf import FOLDER
from common.errors import ConfigError
from simulation.bench.explanation import DAYS, LAST, QUICK_DAYS

PRODUCT = "GR-103"
COMMANDS = {
    "forecast": ["forecast", "--no-keep", "--json"],
    "explain": ["explain", PRODUCT, "--json"],
    "order": ["order", "--no-keep", "--json"],
}


def time_kept(*, quick: bool) -> dict[str, Any]:
    """Time each twice.

    Raises
    ------
    ConfigError
        A command fails, or says something else the second time.
    """
    seconds: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as place:
        folder = Path(place) / "shop"
        found_demo(folder, LAST, days=QUICK_DAYS if quick else DAYS)
        for name, words in COMMANDS.items():
            shutil.rmtree(folder / FOLDER, ignore_errors=True)
            (first, said), (again, repeated) = (_run([*words, "--folder", str(folder)]) for _ in range(2))
            if said != repeated:
                raise ConfigError(f"hansa-client {name} says something else once it has learned; tell its makers.")
            seconds[name] = {"first": first, "again": again}
    return {
        "cpu_seconds": seconds,
        "comparisons": [
            {"of": f"{name} again", "to": name, "what": "CPU seconds", "ratio": each["again"] / each["first"]}
            for name, each in seconds.items()
        ],
    }


def _run(words: list[str]) -> tuple[float, bytes]:
    """Give the CPU seconds of a command, start and imports included, and what it prints."""
    began = _spent()
    done = subprocess.run([sys.executable, "-m", "client", *words], capture_output=True, check=False)  # noqa: S603  our own command
    if done.returncode:
        raise ConfigError(f"hansa-client {words[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return _spent() - began, done.stdout


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime
