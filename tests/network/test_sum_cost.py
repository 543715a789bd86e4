"""What a round costs over processes and TLS, with a secure sum and without: seconds, traffic, CPU of each process.

Run with: make test-sum-cost; SUM_MERCHANTS says how many daemons, each of half a GB.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from common.secure_sum.roster import usual_terms
from fleet.typed import TypedFederation
from network.federation import await_launch, journal, launch, plan_text, redirect
from network.recorder import second_door
from network.sum_federation import await_peers, let_members_in, sum_plan_text
from network.test_many import cpu_seconds, process_id
from server.folder import CoordinatorFolder
from simulation.localhost.processes import free_port

MERCHANTS = int(os.environ.get("SUM_MERCHANTS", "5"))
ROUNDS = 12
pytestmark = pytest.mark.slow


class Meter:
    """The gateway's own application; what passes is counted, heads included."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.requests = self.num_bytes = 0

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            self.requests += 1
            self.num_bytes += len(scope["path"]) + sum(len(name) + len(value) + 4 for name, value in scope["headers"])

        async def hear() -> Any:
            message = await receive()
            self.num_bytes += len(message.get("body", b""))
            return message

        async def say(message: Any) -> None:
            self.num_bytes += len(message.get("body", b""))
            self.num_bytes += sum(len(name) + len(value) + 4 for name, value in message.get("headers", ()))
            await send(message)

        await self._app(scope, hear, say)


def test_a_round_with_a_secure_sum_beside_one_without(tmp_path: Path) -> None:
    threshold, colluders = usual_terms(MERCHANTS)
    with TypedFederation(tmp_path, free_port()) as network:
        names = let_members_in(network, MERCHANTS)
        network.start_coordinator()
        with second_door(CoordinatorFolder(network.coordinator), network.port + 3, Meter) as meter:
            for name in names:
                redirect(network, name, network.port + 3)
                network.start_merchant(name)
            await_peers(network, names, seconds=600)
            words = ("--without-noise", "--round-seconds", "60")
            for kind in ("plain", "sum"):
                terms = {"rounds": ROUNDS, "threshold": threshold, "colluders": colluders}
                text = sum_plan_text(kind, **terms) if kind == "sum" else plan_text(kind, rounds=ROUNDS)
                text = text.replace("0.02", "0.03") if kind == "sum" else text  # else the two models are the very same
                quorum = () if kind == "sum" else ("--quorum", str(MERCHANTS))
                with measured(network, names, meter, kind):
                    number = launch(network, text, *words, *quorum)
                    await_launch(network, number, received_by=names, seconds=600)
                lines = [line for line in journal(network, number) if line["event"] == "round"]
                assert [line["round"] for line in lines] == list(range(1, ROUNDS + 1))
                say(kind, lines[1:])
            for name in names:
                network.stop(name)
        network.stop("coordinator")


@contextmanager
def measured(network: TypedFederation, names: list[str], meter: Meter, kind: str) -> Iterator[None]:
    """Print what each process computed in a launch, for each answer of a round, and what passed the gateway."""
    superlink = process_id(network.folder, "server.process\0superlink")
    coordinator = process_id(network.folder, "server.process\0coordinator")
    daemons = [network.processes[name].pid for name in names]

    def now() -> list[float]:
        daemon = sum(map(cpu_seconds, daemons))
        gateway = cpu_seconds(os.getpid())
        return [cpu_seconds(superlink), gateway, cpu_seconds(coordinator), daemon, meter.requests, meter.num_bytes]

    before = now()
    yield
    used = [(after - start) / ROUNDS / MERCHANTS for start, after in zip(before, now(), strict=True)]
    milliseconds = [round(1000 * one) for one in used[:4]]
    print(  # noqa: T201
        f"\n{kind}: for each merchant and round, CPU of SuperLink {milliseconds[0]} ms, gateway {milliseconds[1]}, "
        f"coordinator {milliseconds[2]}, daemon {milliseconds[3]}; {used[4]:.1f} requests, {used[5]:.0f} bytes"
    )


def say(kind: str, lines: list[dict[str, Any]]) -> None:
    """Print the seconds of a round, and of its trips where it has some."""
    seconds = sorted(line["seconds"] for line in lines)
    contents = statistics.median(line["sent_bytes"] + line["received_bytes"] for line in lines)
    trips = {
        trip: round(statistics.median(line["trips"].get(trip, 0.0) for line in lines), 2)
        for trip in ("masked", "agree", "reveal")
        if "trips" in lines[0]
    }
    print(  # noqa: T201
        f"{kind}: {MERCHANTS} merchants, {seconds[len(seconds) // 2]:.2f} s a round (median; {seconds[0]:.2f} to "
        f"{seconds[-1]:.2f}), contents {contents:.0f} bytes, load {os.getloadavg()[0]:.1f} {trips or ''}"
    )
