"""kill -9, again and again, of whatever runs: no round is lost or applied twice, and no ledger under-counts.

Run with: make test-kill-network
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import httpx
import pytest
import torch

from network.federation import (
    await_true,
    journal,
    launch,
    let_everyone_in,
    plan_text,
    released_model,
    report,
    run_in_process,
)
from simulation.localhost.processes import Processes, free_port

KILLS, ROUNDS, MERCHANTS = 25, 40, 3
COMMANDS = {
    "superlink": "server.process superlink",
    "gateway": "server.process gateway",
    "rounds": "server.process coordinator",
}
pytestmark = pytest.mark.slow


def test_25_kills_change_nothing_but_the_time(tmp_path: Path) -> None:
    chosen = random.Random(6)  # noqa: S311  whom to kill is no secret
    killed: list[str] = []
    text = plan_text("killed", rounds=ROUNDS)
    with Processes(tmp_path, free_port()) as network:
        names = let_everyone_in(network, MERCHANTS)
        network.start_coordinator()
        for name in names:
            network.start_merchant(name)
        number = launch(network, text, "--quorum", str(MERCHANTS), "--round-seconds", "20", "--without-noise")
        await_true(lambda: bool(rounds_of(network, number)), seconds=120, say=lambda: report(network))
        while len(killed) < KILLS and len(rounds_of(network, number)) < ROUNDS:
            killed.append(kill_something(network, names, chosen))
            time.sleep(chosen.uniform(0.5, 6.0))
        await_true(lambda: is_over(network, number, names), seconds=600, say=lambda: report(network))
        ledgers = {name: network.client(name, "ledger", "show")["accounts"][0]["num_rounds"] for name in names}
    print(f"\nkilled {len(killed)}: {', '.join(killed)}")  # noqa: T201  what was seen, under -s
    assert len(killed) == KILLS
    applied = [line["round"] for line in journal(network, number) if line["event"] == "round"]
    assert sorted(set(applied)) == list(range(1, ROUNDS + 1))
    assert ledgers == dict.fromkeys(names, ROUNDS)
    expected = run_in_process(network.folder, names, text)
    torch.testing.assert_close(released_model(network, number), expected, rtol=0, atol=1e-6)


def rounds_of(network: Processes, number: int) -> list[int]:
    try:
        return [line["round"] for line in journal(network, number) if line["event"] == "round"]
    except (OSError, ValueError):  # not begun, or a line is just being written
        return []


def is_over(network: Processes, number: int, names: list[str]) -> bool:
    try:
        status = network.status()
    except httpx.HTTPError:  # nobody is up yet
        return False
    found = next(found for found in status["launches"] if found["number"] == number)
    return found["state"] == "finished" and set(names) <= set(status["models"][0]["received_by"])


def kill_something(network: Processes, names: list[str], chosen: random.Random) -> str:
    """Kill one process, or everything, and start again by hand what nobody else would."""
    what = chosen.choice(["superlink", "gateway", "rounds", *names, "coordinator", "everything"])
    if what in names:
        network.stop(what, signal.SIGKILL)
        network.start_merchant(what)
    elif what == "coordinator":
        network.stop("coordinator", signal.SIGKILL)
        start_again(network)
    elif what == "everything":
        for name in [*names, "coordinator"]:
            network.stop(name, signal.SIGKILL)
        start_again(network)
        for name in names:
            network.start_merchant(name)
    else:
        for process in processes_of(network, COMMANDS[what]):
            os.kill(process, signal.SIGKILL)
    return what


def start_again(network: Processes) -> None:
    """Start the coordinator once what it had started is gone, as a service manager would."""
    await_true(lambda: not processes_of(network, ""), seconds=30)
    network.start_coordinator()


def processes_of(network: Processes, what: str) -> list[int]:
    """Find the coordinator's own processes by their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has just ended
            continue
        line = " ".join(words)
        if "server.process" in line and str(network.coordinator) in line and what in line:
            found.append(int(folder.name))
    return found
