"""Four merchants sum securely over processes and TLS; one of them dies after its masked sum has left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from common.message.sum_agree import AGREE
from fleet.typed import TypedFederation
from network.federation import await_launch, await_true, journal, kill, launch, redirect, released_model, report
from network.reaper import Door, Moment, Reaper
from network.recorder import second_door
from network.sum_federation import await_peers, first_total, let_members_in, replay, sealed_total, sum_plan_text
from server.folder import CoordinatorFolder
from simulation.localhost.processes import Processes, free_port

MERCHANTS, ROUNDS = 4, 2
TEXT = sum_plan_text("sum", rounds=ROUNDS, threshold=3, colluders=1)


@dataclass(frozen=True)
class PastFederation:
    """What is left when everything has stopped."""

    network: Processes
    names: list[str]
    number: int
    reaper: Reaper
    door: Door

    @property
    def rounds(self) -> list[dict[str, Any]]:
        return [line for line in journal(self.network, self.number) if line["event"] in ("round", "skipped", "missed")]


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PastFederation]:
    with TypedFederation(tmp_path_factory.mktemp("sum"), free_port()) as network:
        names = let_members_in(network, MERCHANTS)
        network.start_coordinator()
        second = {Moment(1, AGREE): 2}  # of three who are asked; who that is nobody knows before
        reaper = Reaper(network.folder, names, moments=second, kill=lambda name: kill(network, name))
        home = CoordinatorFolder(network.coordinator)
        with second_door(home, network.port + 3, lambda app: Door(app, reaper)) as door:
            for name in names:
                redirect(network, name, network.port + 3)
                network.start_merchant(name)
            await_peers(network, names)
            number = launch(network, TEXT, "--without-noise", "--round-seconds", "8")
            await_true(lambda: bool(reaper.died), seconds=120, say=lambda: report(network))
            alive = [name for name in names if name != reaper.died[0].merchant]
            await_launch(network, number, received_by=alive)
            for name in alive:
                network.stop(name)
        network.stop("coordinator")
        yield PastFederation(network, names, number, reaper, door)


def test_every_round_has_its_sum_and_one_died_after_its_masked_sum_had_left(federation: PastFederation) -> None:
    assert [died[1:] for died in federation.reaper.died] == [(1, AGREE)]
    assert [(line["event"], line["round"]) for line in federation.rounds] == [("round", 1), ("round", 2)]
    assert [len(line["answered"]) for line in federation.rounds] == [4, 3], report(federation.network)


def test_the_model_is_that_of_the_same_rounds_without_masks(federation: PastFederation) -> None:
    expected = replay(federation.network.folder, TEXT, federation.rounds).average.to(torch.float32)
    torch.testing.assert_close(released_model(federation.network, federation.number), expected, rtol=0, atol=1e-6)


def test_no_merchants_sum_passes_the_gateway_without_its_masks(federation: PastFederation) -> None:
    """The numbers of round 1 that a merchant would have sent without masks are looked for, and those that it did."""
    folder, seen = federation.network.folder, bytes(federation.door.seen)
    for name in federation.names:
        plain = first_total(folder / name, TEXT).numpy().astype("<i8").tobytes()
        masked = sealed_total(folder / name).numpy().astype("<i8").tobytes()
        assert masked in seen
        assert plain not in seen
        assert plain[:4096] not in seen


def test_a_merchant_is_told_of_all_that_left(federation: PastFederation) -> None:
    alive = next(name for name in federation.names if name != federation.reaper.died[0].merchant)
    told = federation.network.client(alive, "tap")
    kinds = {said["kind"] for said in told}
    assert kinds >= {"peer key", "terms", "one-time keys", "shares", "sum", "agreement", "reveal", "receipt"}
