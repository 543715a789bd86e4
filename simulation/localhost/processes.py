"""A whole federation on one machine, for real: a coordinator, merchants' daemons, mutual TLS on loopback.

Nothing here reaches into client or server: it types the commands that two machines would type, each merchant in a
folder of its own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from common.errors import HansaError
from simulation.localhost.export import folder_name, member_name

READY_SECONDS = 60.0
LOOK_SECONDS = 0.5
STOP_SECONDS = 15.0
LOWEST_PORT, PORT_TRIPLES = 10_000, 7_500
_NO_AUTHORITY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nothing is encrypted; reading the system's takes 50 ms a time
POLICY = """\
dataset = "shop"
unit = "{unit}"
size_class = {size_class}

{data}
[budget]
epsilon = {epsilon}
period_epsilon = {epsilon}
period_days = 365
delta = 1e-6

[plan]
epsilon = {epsilon}
smallest_noise_multiplier = 0.5
largest_num_rounds = 400
smallest_cohort = 2
allow_training_without_noise = {without_noise}

[approval]
coordinators = ["{coordinator}"]

[approval.automatic]
largest_num_rounds = 400
smallest_cohort = 2
"""


@dataclass
class Processes:
    """The processes and folders of one federation.

    Parameters
    ----------
    folder
        A new folder; the coordinator's is `coordinator`, each merchant's has its name, see `folder_name`.
    port
        Of the gateway; the next two are used too.
    """

    folder: Path
    port: int
    name: str = "localhost"
    coordinator_key: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def coordinator(self) -> Path:
        """The coordinator's folder."""
        return self.folder / "coordinator"

    def home(self, merchant: str) -> Path:
        """Name a merchant's folder."""
        return self.folder / folder_name(merchant)

    def __enter__(self) -> Processes:
        """Make the federation's folder."""
        said = self.server("init", self.name, "--host", "127.0.0.1", "--bind", "127.0.0.1", "--port", str(self.port))
        self.coordinator_key = str(said["coordinator"])
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything that was started."""
        for name in list(self.processes):
            self.stop(name)

    def server(self, *words: str) -> dict[str, Any]:
        """Type a command of the coordinator, and read its JSON."""
        return _read_json(["hansa-server", *words, "--folder", str(self.coordinator), "--json"])

    def client(self, merchant: str, *words: str) -> Any:
        """Type a command of a merchant, and read its JSON."""
        return _read_json(["hansa-client", *words, "--folder", str(self.home(merchant)), "--json"])

    def status(self) -> dict[str, Any]:
        """Ask the coordinator's page, which takes no process to start."""
        page = f"http://127.0.0.1:{self.port + 2}/status.json"
        said: dict[str, Any] = httpx.get(page, timeout=20.0, verify=_NO_AUTHORITY).json()
        return said

    def let_in(
        self,
        merchant: str,
        *,
        unit: str,
        size_class: int,
        epsilon: float,
        data: str = "",
        without_noise: bool = False,
    ) -> None:
        """Write a merchant's policy, open its ledger, and have it join.

        Parameters
        ----------
        data
            Section `[data]` of the policy: what a plan may read. Without it no plan is accepted automatically.
        """
        folder, name = self.home(merchant), member_name(merchant)
        folder.mkdir(exist_ok=True)
        text = write_policy(
            self.coordinator_key,
            unit=unit,
            size_class=size_class,
            epsilon=epsilon,
            data=data,
            without_noise=without_noise,
        )
        (folder / "policy.toml").write_text(text)
        self.client(merchant, "ledger", "open")
        request, welcome = folder / f"{name}.request.json", folder / f"{name}.welcome.json"
        self.client(merchant, "join", name)
        self.server("enroll", str(request), "--out", str(welcome))
        self.client(merchant, "join", "--welcome", str(welcome))

    def start_coordinator(self) -> None:
        """Start the coordinator's processes, and wait until the gateway listens."""
        self._start("coordinator", ["hansa-server", "up", "--folder", str(self.coordinator)], self.coordinator)
        deadline = time.monotonic() + READY_SECONDS
        while not _listens(self.port):
            if self.processes["coordinator"].poll() is not None or time.monotonic() > deadline:
                raise HansaError(f"The coordinator does not start; see {self.coordinator / 'process.log'}.")
            time.sleep(0.1)

    def start_merchant(self, merchant: str, *options: str) -> None:
        """Start a merchant's daemon."""
        folder = self.home(merchant)
        words = ["hansa-client", "run", "--folder", str(folder), "--data-root", str(folder), "--device", "cpu"]
        self._start(folder.name, [*words, *options], folder)

    def stop(self, name: str, number: int = signal.SIGTERM) -> int:
        """End one process, and return its exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _start(self, name: str, words: Sequence[str], folder: Path) -> None:
        with (folder / "process.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(  # noqa: S603  our own commands
                _command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=_environment()
            )


def write_policy(
    coordinator: str, *, unit: str, size_class: int, epsilon: float, data: str = "", without_noise: bool = False
) -> str:
    """Write the policy of a merchant that accepts the coordinator's plans automatically; see `Processes.let_in`."""
    return POLICY.format(
        unit=unit,
        size_class=size_class,
        epsilon=float(epsilon),
        data=data,
        coordinator=coordinator,
        without_noise=str(without_noise).lower(),
    )


def free_port() -> int:
    """Find three ports in a row that nobody listens on.

    Below those that the system hands out, and from a place that two processes begun together are far apart in.
    """
    first = os.getpid() * 7919 % PORT_TRIPLES
    for triple in range(first, first + PORT_TRIPLES):
        port = LOWEST_PORT + 3 * (triple % PORT_TRIPLES)
        if not any(_listens(port + offset) for offset in range(3)):
            return port
    raise HansaError("There are no three free ports in a row on this machine; stop what uses them.")


def _command(words: Sequence[str]) -> list[str]:
    """Run the module behind a command with this very Python, whatever is on the path."""
    package = words[0].removeprefix("hansa-")
    return [sys.executable, "-m", package, *words[1:]]


def _environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _read_json(words: Sequence[str]) -> Any:
    done = subprocess.run(  # noqa: S603  our own commands
        _command(words), capture_output=True, text=True, env=_environment(), check=False
    )
    if done.returncode != 0:
        raise HansaError((done.stderr.strip().splitlines() or [f"{words[0]} {words[1]} failed."])[-1])
    return json.loads(done.stdout)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
