"""Five merchants sum securely over processes and TLS; one of them dies after its masked sum has left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from common.message.sum_agree import AGREE
from fleet.typed import TypedFederation
from network.federation import await_launch, journal, kill, launch, redirect, released_model, report
from network.reaper import Door, Reaper, Step
from network.recorder import second_door
from network.sum_federation import await_peers, let_members_in, replay, sum_plan_text
from server.folder import CoordinatorFolder
from simulation.localhost.processes import Processes, free_port

MERCHANTS, ROUNDS = 5, 3
TEXT = sum_plan_text("sum", rounds=ROUNDS, threshold=4, colluders=1)


@dataclass(frozen=True)
class PastFederation:
    """What is left when everything has stopped."""

    network: Processes
    names: list[str]
    number: int
    reaper: Reaper
    door: Door
    ledgers: dict[str, Any]
    told: list[dict[str, Any]]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PastFederation]:
    with TypedFederation(tmp_path_factory.mktemp("sum"), free_port()) as network:
        names = let_members_in(network, MERCHANTS)
        network.start_coordinator()
        reaper = Reaper(network.folder, names, deaths={Step(names[1], 2, AGREE)}, kill=lambda name: kill(network, name))
        home = CoordinatorFolder(network.coordinator)
        with second_door(home, network.port + 3, lambda app: Door(app, reaper)) as door:
            for name in names:
                redirect(network, name, network.port + 3)
                network.start_merchant(name)
            await_peers(network, names)
            number = launch(network, TEXT, "--without-noise", "--round-seconds", "10")
            await_launch(network, number, received_by=[names[0], *names[2:]])
            ledgers = {name: network.client(name, "ledger", "show") for name in names}
            told = network.client(names[2], "tap")
            yield PastFederation(network, names, number, reaper, door, ledgers, told)


def test_every_round_has_its_sum_and_one_died_after_its_masked_sum_had_left(federation: PastFederation) -> None:
    lines = [line for line in journal(federation.network, federation.number) if "round" in line and "answered" in line]
    assert [(line["event"], line["round"]) for line in lines] == [("round", number) for number in (1, 2, 3)]
    assert federation.reaper.died == [Step(federation.names[1], 2, AGREE)]
    assert [len(line["answered"]) for line in lines] == [5, 5, 4], report(federation.network)


def test_the_model_is_that_of_the_same_rounds_without_masks(federation: PastFederation) -> None:
    lines = [line for line in journal(federation.network, federation.number) if line["event"] in ("round", "skipped")]
    expected = replay(federation.network.folder, TEXT, lines).average.to(torch.float32)
    torch.testing.assert_close(released_model(federation.network, federation.number), expected, rtol=0, atol=1e-6)
