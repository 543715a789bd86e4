"""A thousand merchants on one coordinator: every sum arrives, none counts twice, and what it costs.

Run with: make test-thousand; LOAD_MERCHANTS says how many. The figures of docs/hansa-server.md are what it prints.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from common.plan.reading import parse_plan
from common.privacy.mechanism import Mechanism
from network.coordinator import Coordinator, make_coordinator, run_cli
from network.doorway import enroll
from network.federation import await_true, plan_text
from network.load import knocker_of, total_of
from network.scripted import SIZE_CLASS
from network.test_many import cpu_seconds, process_id
from server.coordinator.journal import Journal
from server.registry.registry import Registry, State
from server.round.aggregation import Terms, combine
from server.round.federation import Federation, take_step
from server.round.optimizer import start_state
from server.round.start import start_vector

MERCHANTS = int(os.environ.get("LOAD_MERCHANTS", "1000"))
ROUNDS, GENERATORS = int(os.environ.get("LOAD_ROUNDS", "4")), 4
PARTS = ("superlink", "gateway", "coordinator")
pytestmark = pytest.mark.slow


def test_a_thousand_merchants_answer_every_round(tmp_path: Path) -> None:
    coordinator = make_coordinator(tmp_path)
    names = [f"merchant-{number:04d}" for number in range(MERCHANTS)]
    began = time.monotonic()
    for name in names:
        enroll(coordinator.home, coordinator.port, name)
    print(f"\n{MERCHANTS} merchants let in, {time.monotonic() - began:.0f} s")  # noqa: T201
    folder = coordinator.home.folder / "merchants"
    with coordinator.running(knocker_of(folder / names[0], coordinator.port), seconds=600):
        processes = {part: process_id(tmp_path, f"server.process\0{part}") for part in PARTS}
        with generating(coordinator, names) as generators:
            await_everybody(coordinator, processes)
            with measuring("idle for 20 s", processes, generators, per=1):
                time.sleep(20)
            with measuring("the launch", processes, generators, per=ROUNDS * MERCHANTS):
                launch(coordinator)
            with measuring("the release", processes, generators, per=MERCHANTS):
                await_receipts(coordinator)
    lines = [line for line in Journal(coordinator.home.launch(1) / "journal.jsonl").read() if "round" in line]
    rounds = [line for line in lines if line["event"] in ("round", "missed")]
    print(f"rounds of {[line['seconds'] for line in rounds]} s, load {os.getloadavg()[0]:.1f}")  # noqa: T201
    assert [line["round"] for line in rounds] == list(range(1, ROUNDS + 1))
    assert all(line["answered"] == names for line in rounds)
    released = load_file(next(iter(coordinator.home.models.glob("*.safetensors"))))["parameters"]
    torch.testing.assert_close(released, replay(rounds), rtol=0, atol=1e-6)
    assert statistics.median(line["seconds"] for line in rounds) < 60


def replay(rounds: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """Say what the model is after these rounds, from who answered them."""
    plan = parse_plan(plan_text("many", rounds=ROUNDS))
    state = start_state(start_vector(plan, private=False))
    for line in rounds:
        names = line["answered"]
        cohort = {number: Terms(SIZE_CLASS, Mechanism(None, 0.0)) for number in range(len(names))}
        federation = Federation(plan, plan.federation.training, cohort, quorum=1, timeout_seconds=1.0)
        totals = {place: total_of(name, line["round"], len(state.parameters)) for place, name in enumerate(names)}
        state = take_step(state, combine(totals, cohort, cap=plan.federation.weight_cap), federation)
    return state.average.to(torch.float32)


@contextmanager
def generating(coordinator: Coordinator, names: Sequence[str]) -> Iterator[list[int]]:
    """Have merchants speak from a few processes, until the block ends."""
    folder = coordinator.home.folder / "merchants"
    command = [sys.executable, str(Path(__file__).with_name("load.py")), str(coordinator.port), str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    parts = [names[first::GENERATORS] for first in range(min(GENERATORS, len(names)))]
    generators = [subprocess.Popen([*command, *part], env=environment) for part in parts]
    try:
        yield [generator.pid for generator in generators]
        assert all(generator.poll() is None for generator in generators)
    finally:
        for generator in generators:
            generator.terminate()
        for generator in generators:
            generator.wait(60)


def await_everybody(coordinator: Coordinator, processes: Mapping[str, int]) -> None:
    """Wait until the gateway has let everybody in and nothing more is asked of anybody."""
    began, before = time.monotonic(), cpu_seconds(processes["superlink"])
    with closing(Registry(coordinator.home.registry)) as registry:

        def all_known() -> bool:
            return sum(member.protocol > 1 for member in registry.members()) == MERCHANTS

        await_true(all_known, seconds=600, say=lambda: (coordinator.home.logs / "gateway.log").read_text()[-3000:])
    cpu = cpu_seconds(processes["superlink"]) - before
    print(f"all there after {time.monotonic() - began:.0f} s, SuperLink {cpu:.0f} s of CPU")  # noqa: T201
    time.sleep(10)


def launch(coordinator: Coordinator) -> None:
    home = coordinator.home
    (home.folder / "plan.toml").write_text(plan_text("many", rounds=ROUNDS))
    words = ("--quorum", str(MERCHANTS), "--round-seconds", "300", "--without-noise", "--folder", str(home.folder))
    run_cli("launch", str(home.folder / "plan.toml"), *words)
    with closing(Registry(home.registry)) as registry:
        await_true(
            lambda: registry.launch(1).state == State.FINISHED,
            seconds=1800,
            say=lambda: (home.logs / "coordinator.log").read_text()[-3000:] + registry.launch(1).reason,
        )


def await_receipts(coordinator: Coordinator) -> None:
    with closing(Registry(coordinator.home.registry)) as registry:
        (model,) = registry.models()
        await_true(lambda: len(registry.receipts(model.model_hash)) == MERCHANTS, seconds=600, say=str)


@contextmanager
def measuring(what: str, processes: Mapping[str, int], generators: Sequence[int], *, per: int) -> Iterator[None]:
    """Print what each part computed in a block and the most memory that it held."""
    before, began, highest = {part: cpu_seconds(processes[part]) for part in PARTS}, time.monotonic(), dict[str, int]()
    made, over = sum(map(cpu_seconds, generators)), threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            for part, process in processes.items():
                pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
                highest[part] = max(highest.get(part, 0), pages * os.sysconf("SC_PAGE_SIZE") >> 20)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    seconds = time.monotonic() - began
    used = {part: cpu_seconds(processes[part]) - before[part] for part in PARTS}
    said = [
        f"{part} {used[part]:.1f} s ({1000 * used[part] / per:.1f} ms each), {highest.get(part, 0)} MB"
        for part in PARTS
    ]
    generated = sum(map(cpu_seconds, generators)) - made
    print(f"{what}: {seconds:.1f} s; CPU of {'; '.join(said)}; generators {generated:.1f} s")  # noqa: T201
