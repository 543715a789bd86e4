"""Many real daemons over TLS on one coordinator: what each takes before, in and after a run, and how long a round is.

Run with: make test-daemons. DAEMONS says how many daemons, each of a quarter of a GB in a round; DAEMON_ROUNDS how many
rounds.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fleet.nursery import Nursery
from fleet.typed import TypedFederation
from network.federation import (
    READABLE,
    SIZE_CLASS,
    await_launch,
    await_true,
    journal,
    launch,
    name_of,
    plan_text,
    report,
    write_sales,
)
from network.test_many import cpu_seconds, process_id
from simulation.localhost.processes import free_port

DAEMONS, ROUNDS = int(os.environ.get("DAEMONS", "5")), int(os.environ.get("DAEMON_ROUNDS", "10"))
REST_SECONDS = "15"
MOST_IDLE_MB = 200
pytestmark = pytest.mark.slow


def test_many_daemons_answer_every_round_and_are_light_before_and_after(tmp_path: Path) -> None:
    with TypedFederation(tmp_path, free_port()) as network:
        names = let_daemons_in(network)
        network.start_coordinator()
        for name in names:
            network.start_merchant(name, "--rest-after", REST_SECONDS)
        processes = [network.processes[name].pid for name in names]
        await_all(network, names, "Connected", times=2)  # each rested: the question for its peer key made it load all
        idle = say_memory("idle", processes)
        run_rounds(network, names, processes)
        await_all(network, names, "Connected", times=3)
        after = say_memory("after", processes)
        assert max(idle, after) <= MOST_IDLE_MB
        assert [network.stop(name) for name in names] == [0] * DAEMONS


def test_many_more_daemons_that_share_what_they_import_answer_every_round(tmp_path: Path) -> None:
    with TypedFederation(tmp_path, free_port()) as network:
        names = let_daemons_in(network)
        network.start_coordinator()
        nursery = Nursery()
        try:
            processes = [nursery.start(network.home(name)) for name in names]
            await_all(network, names, "Connected")
            run_rounds(network, names, processes)
        finally:
            codes = nursery.close()
        assert codes == [0] * DAEMONS


def let_daemons_in(network: TypedFederation) -> list[str]:
    began = time.monotonic()
    names = [name_of(number + 1) for number in range(DAEMONS)]  # whose commands are no processes of their own
    for number, name in enumerate(names):
        write_sales(network.folder / name, number)
        network.let_in(name, unit="product", size_class=SIZE_CLASS, epsilon=8.0, data=READABLE)
    print(f"\n{DAEMONS} merchants let in, {time.monotonic() - began:.0f} s")  # noqa: T201
    return names


def run_rounds(network: TypedFederation, names: list[str], processes: list[int]) -> None:
    """Run a plan with noise, and print what its rounds took."""
    parts = {"SuperLink": "superlink", "gateway": "gateway", "coordinator": "coordinator"}
    own = {part: [process_id(network.folder, f"server.process\0{word}")] for part, word in parts.items()}
    own["daemons"] = processes
    number = launch(network, plan_text("many", rounds=ROUNDS), "--quorum", str(DAEMONS), "--round-seconds", "240")
    used = {}
    for until in (1, ROUNDS // 2, ROUNDS):
        await_round(network, number, until)
        used[len(rounds_of(network, number))] = now(own)
        if until == ROUNDS // 2:
            say_memory("in a round", processes)
    await_launch(network, number, received_by=names, seconds=600)
    say_rounds(rounds_of(network, number), used)


def await_round(network: TypedFederation, number: int, until: int) -> None:
    await_true(lambda: len(rounds_of(network, number)) >= until, seconds=600, say=lambda: report(network))


def await_all(network: TypedFederation, names: Iterable[str], word: str, *, times: int = 1) -> None:
    logs = [network.home(name) / "process.log" for name in names]
    await_true(
        lambda: all(log.read_text().count(word) >= times for log in logs), seconds=900, say=lambda: report(network)
    )


def rounds_of(network: TypedFederation, number: int) -> list[dict[str, Any]]:
    try:
        return [line for line in journal(network, number) if line["event"] == "round"]
    except OSError:
        return []


def say_rounds(lines: list[dict[str, Any]], used: dict[int, dict[str, float]]) -> None:
    """Print how long rounds took, and what each part computed for an answer once everything was loaded."""
    assert [line["round"] for line in lines] == list(range(1, ROUNDS + 1))
    assert all(len(line["answered"]) == DAEMONS for line in lines)
    seconds, first, last = [line["seconds"] for line in lines], min(used), max(used)
    answers = (last - first) * DAEMONS
    spent = {part: 1000 * (used[last][part] - used[first][part]) / answers for part in used[first]}
    print(  # noqa: T201
        f"{statistics.median(seconds[1:]):.2f} s a round (median of {len(seconds) - 1}, {min(seconds[1:]):.2f} to "
        f"{max(seconds[1:]):.2f}; the first, which loads and reads, {seconds[0]:.1f}), load {os.getloadavg()[0]:.1f}; "
        f"CPU ms for an answer: {', '.join(f'{part} {each:.0f}' for part, each in spent.items())}"
    )


def now(parts: dict[str, list[int]]) -> dict[str, float]:
    return {part: sum(map(cpu_seconds, processes)) for part, processes in parts.items()}


def say_memory(when: str, processes: list[int]) -> float:
    """Print what the daemons take, and give the resident megabytes of the largest."""
    sizes = {name: [rolled_up(process)[name] for process in processes] for name in ("Rss", "Pss", "Private")}
    words = ", ".join(f"{name} {statistics.median(found):.0f}" for name, found in sizes.items())
    print(f"{when}: MiB of a daemon (median) {words}; all together Pss {sum(sizes['Pss']):.0f}")  # noqa: T201
    return max(sizes["Rss"])


def rolled_up(process: int) -> dict[str, float]:
    """Read a process' memory, in MiB."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    found = {name: int(rest.split()[0]) / 1024 for name, rest in (line.split(":") for line in lines)}
    return found | {"Private": found["Private_Clean"] + found["Private_Dirty"]}
