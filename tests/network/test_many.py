"""Thirty merchants' connections on one coordinator: twenty rounds without an error, and what they cost.

Run with: make test-network. The figures of docs/hansa-server.md are what it prints.
"""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest

from client.daemon.loop import SLOWEST_POLL_SECONDS
from network.coordinator import Coordinator, make_coordinator, run_cli
from network.federation import await_true, plan_text
from network.scripted import ScriptedMerchant
from server.coordinator.journal import Journal
from server.registry.registry import Registry, State

MERCHANTS, ROUNDS = 30, 20
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
pytestmark = pytest.mark.slow


def test_thirty_merchants_answer_twenty_rounds(tmp_path: Path) -> None:
    coordinator = make_coordinator(tmp_path)
    knockers = [coordinator.join(f"merchant-{number}") for number in range(MERCHANTS)]
    merchants = [ScriptedMerchant(knocker, slowest_poll_seconds=SLOWEST_POLL_SECONDS) for knocker in knockers]
    with coordinator.running(knockers[0]):
        for merchant in merchants:
            merchant.start()
        superlink = process_id(tmp_path, "server.process\0superlink")
        before, began = cpu_seconds(superlink), time.monotonic()
        launch(coordinator, merchants)
        cpu, wall = cpu_seconds(superlink) - before, time.monotonic() - began
        for merchant in merchants:
            merchant.stop()
    lines = Journal(coordinator.home.launch(1) / "journal.jsonl").read()
    rounds = [line for line in lines if line["event"] in ("round", "missed")]
    assert [line["round"] for line in rounds] == list(range(1, ROUNDS + 1))
    assert all(len(line["answered"]) == MERCHANTS for line in rounds)
    seconds = sorted(line["seconds"] for line in rounds)[ROUNDS // 2]
    print(f"\n{MERCHANTS} merchants: {seconds:.2f} s a round (median); SuperLink {cpu:.1f} s of CPU in {wall:.0f} s,")  # noqa: T201
    print(f"{1000 * cpu / ROUNDS / MERCHANTS:.0f} ms of CPU for each answer")  # noqa: T201


def launch(coordinator: Coordinator, merchants: list[ScriptedMerchant]) -> None:
    home = coordinator.home
    (home.folder / "plan.toml").write_text(plan_text("many", rounds=ROUNDS))
    words = ("--quorum", str(MERCHANTS), "--round-seconds", "120", "--without-noise", "--folder", str(home.folder))
    run_cli("launch", str(home.folder / "plan.toml"), *words)
    with closing(Registry(home.registry)) as registry:
        await_true(
            lambda: registry.launch(1).state == State.FINISHED and all(merchant.models for merchant in merchants),
            seconds=900,
            say=lambda: (home.logs / "coordinator.log").read_text()[-3000:] + registry.launch(1).reason,
        )


def process_id(folder: Path, what: str) -> int:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        line = file.read_bytes().decode(errors="replace")
        if what in line and str(folder) in line:
            return int(file.parent.name)
    raise AssertionError(f"{what} does not run")


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
