"""Many merchants sum securely over processes and TLS, and die at random in every phase; what that costs a round.

Run with: make test-sum
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from common.message.sum_agree import AGREE
from common.message.sum_reveal import REVEAL
from common.secure_sum.roster import usual_terms
from fleet.typed import TypedFederation
from network.federation import await_launch, journal, kill, launch, plan_text, redirect, released_model
from network.reaper import Door, Moment, Reaper
from network.recorder import second_door
from network.sum_federation import await_peers, let_members_in, replay, sealed_total, sum_plan_text
from server.folder import CoordinatorFolder
from simulation.localhost.processes import free_port

MERCHANTS = int(os.environ.get("SUM_MERCHANTS", "20"))
DEATHS = MERCHANTS - usual_terms(MERCHANTS)[0]  # in each phase, over all rounds: 6 of 20
ROUNDS, PLAIN_ROUNDS = 30, 10
pytestmark = pytest.mark.slow


def test_many_die_at_random_in_every_phase_and_the_model_is_that_of_the_same_rounds(tmp_path: Path) -> None:
    threshold, colluders = usual_terms(MERCHANTS)
    text = sum_plan_text("many", rounds=ROUNDS, threshold=threshold, colluders=colluders)
    with TypedFederation(tmp_path, free_port()) as network:
        names = let_members_in(network, MERCHANTS)
        network.start_coordinator()
        reaper = Reaper(network.folder, names, moments=choose_deaths(), kill=lambda name: kill(network, name))
        with second_door(
            CoordinatorFolder(network.coordinator), network.port + 3, lambda app: Door(app, reaper)
        ) as door:
            for name in names:
                redirect(network, name, network.port + 3)
                network.start_merchant(name)
            await_peers(network, names, seconds=900)
            number = launch(network, text, "--without-noise", "--round-seconds", "40")
            back = 0
            while not is_over(network, number):
                while back < len(reaper.died):
                    network.start_merchant(reaper.died[back].merchant)
                    back += 1
                time.sleep(0.5)
            memory = [resident_bytes(network.processes[name].pid) for name in names]
            summed_bytes = sum(door.bodies.values())
            await_launch(network, number, received_by=names, seconds=600)
            before = dict(door.bodies)
            plain = launch(
                network, plan_text("plain", rounds=PLAIN_ROUNDS), "--without-noise", "--quorum", str(MERCHANTS)
            )
            await_launch(network, plain, received_by=names, seconds=900)
            plain_bytes = sum(door.bodies.values()) - sum(before.values())
            for name in names:
                network.stop(name)
        network.stop("coordinator")
        lines = [line for line in journal(network, number) if line["event"] in ("round", "skipped")]
        say(lines, [line for line in journal(network, plain) if line["event"] == "round"], reaper)
        print(f"bytes a round {summed_bytes / ROUNDS:.0f} and {plain_bytes / PLAIN_ROUNDS:.0f}; "  # noqa: T201
              f"memory of a daemon {statistics.median(memory) / 2**20:.0f} MiB")  # fmt: skip
        assert [line["round"] for line in lines] == list(range(1, ROUNDS + 1))
        assert len(reaper.died) == 3 * DEATHS, reaper.moments
        expected = replay(network.folder, text, lines).average.to(torch.float32)
        torch.testing.assert_close(released_model(network, number), expected, rtol=0, atol=1e-6)
        seen = bytes(door.seen)
        assert all(sealed_total(network.folder / name).numpy().astype("<i8").tobytes() in seen for name in names)


def choose_deaths() -> dict[Moment, int]:
    """Choose who dies when: in each phase six, one in a round, at a reply that is sure to come."""
    chosen = random.Random(11)  # noqa: S311  who dies is no secret
    rounds = chosen.sample(range(2, ROUNDS), 3 * DEATHS)
    kinds = ["train"] * DEATHS + [AGREE] * DEATHS + [REVEAL] * DEATHS
    most = usual_terms(MERCHANTS)[0] - 1
    return {Moment(number, kind): chosen.randint(1, most) for number, kind in zip(rounds, kinds, strict=True)}


def is_over(network: TypedFederation, number: int) -> bool:
    found = next(found for found in network.status()["launches"] if found["number"] == number)
    return bool(found["state"] != "running")


def resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


def say(summed: list[dict[str, Any]], plain: list[dict[str, Any]], reaper: Reaper) -> None:
    """Print what was seen, under -s."""
    quiet = [line for line in summed if line["event"] == "round" and not line["refused"] and line["round"] > 1]
    trips = {trip: middle(line["trips"].get(trip, 0.0) for line in quiet) for trip in ("masked", "agree", "reveal")}
    skipped = sum(line["event"] == "skipped" for line in summed)
    print(f"\n{MERCHANTS} merchants, {len(summed)} rounds, {skipped} skipped, {len(reaper.died)} died")  # noqa: T201
    for name, lines in (("quiet sums", quiet), ("without sums", plain[1:])):
        seconds = middle(line["seconds"] for line in lines)
        contents = middle(line["sent_bytes"] + line["received_bytes"] for line in lines)
        print(f"{name}: {len(lines)} rounds, {seconds:.2f} seconds, contents {contents:.0f} bytes")  # noqa: T201
    print(trips)  # noqa: T201


def middle(values: Iterable[float]) -> float:
    found = list(values)
    return statistics.median(found) if found else float("nan")
