"""60 disturbances at random moments: kills, full disks, clocks set wrong, members revoked and let in again.

Nothing is lost, no round is applied twice, every ledger holds what left, and whatever is said is one sentence.

Run with: make test-network
"""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from client.account.ledger.entry import Seal, Spend
from client.account.ledger.ledger import Ledger
from client.data.rows import read_series
from client.round.answers import Answers, Merchant, make_client_app
from common.errors import HansaError
from common.plan.reading import parse_plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from network.clock import Clocks
from network.disk import fill, make_room, mounted
from network.federation import (
    READABLE,
    SIZE_CLASS,
    await_true,
    journal,
    launch,
    name_of,
    plan_text,
    released_model,
    report,
    write_sales,
)
from network.test_kill import is_over, kill_something, rounds_of, start_again
from server.round.aggregation import Terms
from server.round.federation import Federation, hold_round
from server.round.optimizer import start_state
from server.round.start import start_vector
from simulation.engine.grid import InProcessGrid, make_context
from simulation.localhost.processes import Processes, free_port

DISTURBANCES, ROUNDS, MERCHANTS, QUORUM = 60, 110, 3, 2
CLOCK_SECONDS = (-86400, -3600, -30, 30, 3600, 86400)
KINDS = ["kill"] * 5 + ["full disk"] * 2 + ["clock"] * 2 + ["revoke"]
KEPT = ("*.log*", "*.jsonl", "ledger*", "registry*")
LINE = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* (info|warning|error|INFO|WARNING|ERROR) \S"
    r"|hansa-(client|server): \S|The page is at |Merchants reach |Everything has stopped"
)
pytestmark = pytest.mark.slow


@dataclass
class DisturbedProcesses(Processes):
    """Processes that live by clocks of their own."""

    clocks: Clocks | None = None
    setting: dict[str, str] = field(default_factory=dict)

    def _start(self, name: str, words: Sequence[str], folder: Path) -> None:
        assert self.clocks is not None
        before = os.environ.copy()
        os.environ.update(self.clocks.environment(name))  # what is started here, and nothing else, takes it over
        try:
            super()._start(name, words, folder)
        finally:
            os.environ.clear()
            os.environ.update(before)


def test_60_disturbances_change_nothing_but_the_time(tmp_path: Path) -> None:
    chosen = random.Random(int(os.environ.get("DISTURBED_SEED", "14")))  # noqa: S311  whom to disturb is no secret
    done: list[str] = []
    text = plan_text("disturbed", rounds=ROUNDS)
    with disturbed_network(tmp_path) as (network, names):
        number = launch(network, text, "--quorum", str(QUORUM), "--round-seconds", "20", "--without-noise")
        await_true(lambda: bool(rounds_of(network, number)), seconds=180, say=lambda: report(network))
        while len(done) < DISTURBANCES:
            done.append(disturb(network, names, chosen))
            print(f"{time.strftime('%H:%M:%S')} {done[-1]}", flush=True)  # noqa: T201  what was seen, under -s
            time.sleep(chosen.uniform(0.5, 5.0))
        await_true(lambda: is_over(network, number, names), seconds=1200, say=lambda: report(network))
        kinds = Counter(word.partition(" ")[0] if "full" not in word else word.rpartition(" ")[0] for word in done)
        print(f"{len(done)} disturbances: {dict(kinds)}")  # noqa: T201
        for name in names:
            network.stop(name)
        lines = journal(network, number)
        for name in names:
            check_ledger(network.home(name) / "ledger.sqlite", name, lines)
        check_model(network, number, names, text, lines)
        check_words(network)


@contextmanager
def disturbed_network(folder: Path) -> Iterator[tuple[DisturbedProcesses, list[str]]]:
    """A coordinator and three merchants, each with a disk and a clock of its own."""
    names = [name_of(merchant) for merchant in range(MERCHANTS)]
    clocks = Clocks(folder)
    with ExitStack() as stack:
        for name in ["coordinator", *names]:
            stack.enter_context(mounted(folder / name, megabytes=256))
        stack.callback(keep, folder, ["coordinator", *names])
        network = stack.enter_context(DisturbedProcesses(folder, free_port(), clocks=clocks))
        for merchant, name in enumerate(names):
            write_sales(network.folder / name, merchant)
            network.let_in(name, unit="product", size_class=SIZE_CLASS, epsilon=8.0, data=READABLE, without_noise=True)
        network.start_coordinator()
        for name in names:
            network.start_merchant(name)
        yield network, names


def keep(folder: Path, names: list[str]) -> None:
    """Copy what was said and counted from disks that are about to vanish, for whoever reads a test that failed."""
    for name in names:
        for pattern in KEPT:
            for file in (folder / name).rglob(pattern):
                copy = folder / "kept" / file.relative_to(folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)


def disturb(network: DisturbedProcesses, names: list[str], chosen: random.Random) -> str:
    """Do one thing to somebody, and put right again what nobody else would."""
    kind = chosen.choice(KINDS)
    if kind == "kill":
        return f"kill {kill_something(network, names, chosen)}"
    if kind == "revoke":
        who = chosen.choice(names)
        revoke_and_let_in(network, who, is_running=chosen.random() < 0.5)
        return f"revoke {who}"
    who = chosen.choice(["coordinator", *names])
    if kind == "full disk":
        folder = network.folder / who
        fill(folder)
        time.sleep(chosen.uniform(0.5, 4.0))
        if chosen.random() < 0.5:  # and whatever lies on it dies, and comes back to a full disk
            network.stop(who, signal.SIGKILL)
            come_back_to_a_full_disk(network, who, chosen)
            return f"full disk and kill {who}"
        make_room(folder)
        return f"full disk {who}"
    assert network.clocks is not None
    seconds = chosen.choice(CLOCK_SECONDS)
    network.clocks.set(who, seconds)
    time.sleep(chosen.uniform(0.5, 6.0))
    network.clocks.set(who, 0)
    return f"clock {seconds:+d} s {who}"


def come_back_to_a_full_disk(network: DisturbedProcesses, who: str, chosen: random.Random) -> None:
    """Start somebody, make room after a while, and start it again where it has ended, as a service manager would."""
    start = start_again if who == "coordinator" else DisturbedProcesses.start_merchant
    words = (network,) if who == "coordinator" else (network, who)
    with suppress(HansaError):  # the coordinator has ended, with a sentence in its log
        start(*words)
        time.sleep(chosen.uniform(1.0, 8.0))
    make_room(network.folder / who)
    with suppress(subprocess.TimeoutExpired):
        network.processes[who].wait(2.0)
        network.stop(who)
        start(*words)


def revoke_and_let_in(network: DisturbedProcesses, name: str, *, is_running: bool) -> None:
    """Throw a member out, and let it in again as a merchant and a coordinator would, by hand."""
    home = network.home(name)
    network.server("revoke", name)
    time.sleep(1.0)
    request, welcome = home / f"{name}.request.json", home / f"{name}.welcome.json"
    if not is_running:
        network.stop(name)
    network.client(name, "join", name)
    network.server("enroll", str(request), "--out", str(welcome))
    network.client(name, "join", "--welcome", str(welcome))
    if is_running:
        network.stop(name, signal.SIGKILL)
    network.start_merchant(name)


def check_ledger(path: Path, name: str, lines: list[dict[str, Any]]) -> None:
    """Every answer that counted was charged and sealed, once."""
    with closing(Ledger(path)) as ledger:
        entries = ledger.entries
        spends = {number: entry for number, entry in enumerate(entries, start=1) if isinstance(entry, Spend)}
        seals = [entry.spend for entry in entries if isinstance(entry, Seal)]
        rounds = [entry.round_number for entry in spends.values()]
        assert rounds == sorted(set(rounds))
        assert len(seals) == len(set(seals))
        assert set(seals) <= set(spends)
        sealed = {spends[spend].round_number for spend in seals}
        answered = {line["round"] for line in lines if line["event"] == "round" and name in line["answered"]}
        assert answered <= sealed
        for spend in seals:
            assert ledger.message(spend)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def check_model(network: Processes, number: int, names: list[str], text: str, lines: list[dict[str, Any]]) -> None:
    """The released model is what the same answers give in one process."""
    told = {line["round"]: tuple(line["answered"]) for line in lines if line["event"] == "round"}
    rounds = [line["round"] for line in lines if line["event"] == "round"]
    assert len(rounds) == len(set(rounds))
    untold = [number for number in range(1, ROUNDS + 1) if number not in told]
    assert len(untold) <= 3, f"the journal lacks the rounds {untold}"
    some = [who for size in range(QUORUM, len(names) + 1) for who in itertools.combinations(sorted(names), size)]
    released = released_model(network, number)
    for guess in itertools.product(some, repeat=len(untold)):
        cohorts = told | dict(zip(untold, guess, strict=True))
        found = replay(network.folder, names, text, [cohorts[number] for number in range(1, ROUNDS + 1)])
        if torch.allclose(found, released, rtol=0, atol=1e-6):
            return
    raise AssertionError("the released model does not follow from the answers that the journal names")


def replay(folder: Path, names: list[str], text: str, cohorts: list[tuple[str, ...]]) -> torch.Tensor:
    """Hold the same rounds in one process, each with the answers that counted in it."""
    plan = parse_plan(text)
    mechanism = Mechanism(None, 0.0)
    apps = {}
    for place, name in enumerate(names):
        series = read_series(plan, folder / name)
        merchant = Merchant(plan, ROUNDS, series, mechanism, SecureNoise(), torch.device("cpu"))
        apps[name] = (make_client_app(Answers(merchant).answer), make_context(2 + place))
    grid = InProcessGrid(apps)
    state = start_state(start_vector(plan, private=False))
    for cohort in cohorts:
        federation = Federation(
            plan=plan,
            training=plan.federation.training,
            cohort={grid.node_ids[name]: Terms(SIZE_CLASS, mechanism) for name in cohort},
            quorum=len(cohort),
            timeout_seconds=600.0,
        )
        held = hold_round(grid, federation, state)
        assert held.state is not None
        state = held.state
    return state.average.to(torch.float32)


def check_words(network: Processes) -> None:
    """Everything of ours is said in one line, and nothing is a traceback; Flower's own log is its own."""
    merchants = sorted(network.folder.glob("*/process.log"))
    logs = [log for log in [*merchants, *network.coordinator.glob("logs/*.log*")] if "superlink" not in log.name]
    assert len(logs) > MERCHANTS
    for log in logs:
        text = log.read_text(errors="replace")
        for word in ("Traceback", 'File "/', "A fault of hansa's own", "--- Logging error ---"):
            assert word not in text, (log, word, text[max(0, text.find(word) - 500) :][:3000])
    for log in merchants:
        odd = [line for line in log.read_text(errors="replace").splitlines() if not LINE.match(line)]
        assert not odd, (log, odd)
    assert "ended with 0 " not in (network.coordinator / "process.log").read_text(), "what was set down is no failure"
