"""A merchant in a folder of its own, with a policy, a ledger, rows and a daemon in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

COMMAND = str(Path(sys.executable).with_name("hansa-client"))
POLICY = """
dataset = "shop"
unit = "customer"
size_class = 32

[data]
entity = "customer"

[data.files]
"rows.csv" = ["customer", "time"]

[budget]
epsilon = 16.0
period_epsilon = 16.0
period_days = 365
delta = 1e-5

[plan]
epsilon = 4.0
smallest_noise_multiplier = 0.1
largest_num_rounds = 50
smallest_cohort = 1
allow_training_without_noise = true

[approval]
coordinators = [{coordinators}]

[approval.automatic]
largest_num_rounds = 50
smallest_cohort = 1
"""


@dataclass
class Shop:
    """One merchant."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        file = self.folder / "daemon.log"
        return file.read_text() if file.is_file() else ""

    @property
    def health(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads((self.folder / "health.json").read_text())
        return said

    def command(self, *words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *map(str, words)],
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *words: str) -> None:
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "run", "--threads", "1", *words],
                cwd=self.folder,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
            )

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def wait_until(self, holds: Callable[[], bool], *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert self.process is None or self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def wait_for_state(self, state: str, *, seconds: float = 60) -> None:
        self.wait_until(
            lambda: (self.folder / "health.json").is_file() and self.health["state"] == state, seconds=seconds
        )


def make_shop(folder: Path, *, coordinator: str = "", seed: int = 0, num_customers: int = 12) -> Shop:
    """Make a merchant whose policy approves one coordinator, and open its ledger."""
    folder.mkdir()
    (folder / "policy.toml").write_text(POLICY.replace("{coordinators}", f'"{coordinator}"' if coordinator else ""))
    write_rows(folder / "rows.csv", seed=seed, num_customers=num_customers)
    shop = Shop(folder)
    assert shop.command("ledger", "open").returncode == 0
    return shop


def write_rows(path: Path, *, seed: int = 0, num_customers: int = 12) -> None:
    generator = np.random.default_rng(seed)
    day = generator.integers(0, 91, 40 * num_customers)
    rows = {
        "customer": [f"customer-{number}" for number in generator.integers(0, num_customers, len(day))],
        "time": (pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D")).strftime("%Y-%m-%d"),
    }
    pd.DataFrame(rows).to_csv(path, index=False)
