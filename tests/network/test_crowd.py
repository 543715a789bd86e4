"""Members go on beside those who would shut the gateway: a few for seconds, and a hundred before a real SuperLink."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flwr.proto.fleet_pb2 import ActivateNodeRequest, ActivateNodeResponse
from flwr.proto.heartbeat_pb2 import SendNodeHeartbeatRequest
from flwr.proto.node_pb2 import Node

from certs.request import public_pem
from network.coordinator import Coordinator, Knocker, await_gateway, make_coordinator
from network.crowd import ATTACKS, attacking, go_on
from network.doorway import HEARTBEAT, Doorway, enroll, serving_doorway

MEMBERS, SECONDS, PAUSE = 100, 20.0, 5.0
MOST_FAILURES = 0.05  # a daemon asks again; here attack and members share an address and two cores
MOST_MEGABYTES = 700  # of the gateway: 512 for bodies, and itself
MORE = b"\x7a" + b"\x80\x80\x0c" + b"x" * (12 << 14)  # field 15 of 192 KiB, which Flower does not know: a larger body


@pytest.fixture(scope="module")
def doorway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with serving_doorway(tmp_path_factory.mktemp("crowd"), unshaken_per_address=64) as made:
        yield made


@pytest.mark.parametrize(("kind", "amount"), [("silent", 150), ("half", 30)])
def test_a_few_members_go_on_beside_an_attack(doorway: Doorway, tmp_path: Path, kind: str, amount: int) -> None:
    honest = [doorway.member(f"{kind}-{number}") for number in range(4)]
    attacker = doorway.member(f"{kind}-attacker")
    with attacking(kind, attacker, tmp_path, amount=amount):
        figures = go_on(honest, [b"x" * (1 << 17)] * 4, HEARTBEAT, seconds=1.5, pause=0.1, welcome={200})
    assert len(figures.answered) == 4
    assert len(figures.failures) <= 1 + MOST_FAILURES * len(figures.waits)  # a slow machine leaves few to count among


@pytest.mark.slow
def test_a_hundred_members_go_on_beside_every_attack(tmp_path: Path) -> None:
    coordinator = make_coordinator(tmp_path)
    members = [enroll(coordinator.home, coordinator.port, f"member-{number}") for number in range(MEMBERS)]
    attacker = enroll(coordinator.home, coordinator.port, "mallory")
    with coordinator.running(members[0]):
        await_gateway(coordinator, members[0])
        bodies = [activate(member) for member in members]
        said = []
        for kind, amount in ({"nobody": 0} | ATTACKS).items():
            with watching(gateway_process(coordinator)) as highest:
                if amount:
                    with attacking(kind, attacker, tmp_path, amount=amount):
                        figures = go_on(members, bodies, HEARTBEAT, seconds=SECONDS, pause=PAUSE, welcome={200})
                else:
                    figures = go_on(members, bodies, HEARTBEAT, seconds=SECONDS, pause=PAUSE, welcome={200})
            said.append((kind, figures, highest[0]))
            print(f"\n{kind:>9} x {amount:4d}: {figures}; the gateway held {highest[0]} MB")  # noqa: T201
    for kind, figures, megabytes in said:
        assert len(figures.answered) == MEMBERS, kind
        assert len(figures.failures) <= MOST_FAILURES * len(figures.waits), kind
        assert megabytes < MOST_MEGABYTES, kind


def activate(member: Knocker) -> bytes:
    """Wait until Flower knows a member, and return its heartbeat, made large."""
    key = public_pem(member.node_key.public_key())
    asked = ActivateNodeRequest(public_key=key, heartbeat_interval=30).SerializeToString()
    deadline = time.monotonic() + 120
    while (answer := member.ask("/v1/fleet/activate-node", asked)).status_code != 200:
        assert time.monotonic() < deadline, "the coordinator did not make it known"
        time.sleep(0.5)
    node_id = ActivateNodeResponse.FromString(answer.content).node_id
    return SendNodeHeartbeatRequest(node=Node(node_id=node_id), heartbeat_interval=30).SerializeToString() + MORE


def gateway_process(coordinator: Coordinator) -> int:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        line = file.read_bytes().decode(errors="replace")
        if "server.process\0gateway" in line and str(coordinator.home.folder) in line:
            return int(file.parent.name)
    raise AssertionError("no gateway runs")


@contextmanager
def watching(process: int) -> Iterator[list[int]]:
    """Note the most memory, in megabytes, that a process holds until the block ends."""
    highest, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            highest[0] = max(highest[0], pages * os.sysconf("SC_PAGE_SIZE") >> 20)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield highest
    finally:
        over.set()
        watcher.join()
