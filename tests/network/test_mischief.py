"""One merchant of three does in every round what it should not: it is refused with a reason, and the round goes on."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, RecordDict

from common.message.record import VALUES, VECTOR
from common.message.round import RoundReply, encode_reply
from network.coordinator import Coordinator, make_coordinator, run_cli
from network.federation import await_true, plan_text
from network.scripted import Script, ScriptedMerchant, answer_with_zeros
from server.coordinator.journal import Journal
from server.registry.registry import Registry, State

ROUNDS, SLOWEST_POLL_SECONDS = 10, 0.4
ROUND_SECONDS = 15  # the second round waits for this; every other is over before, on a slow machine too


@dataclass
class Federation:
    coordinator: Coordinator
    merchants: list[ScriptedMerchant]
    rounds: dict[int, dict[str, Any]]


def misbehave(merchant: ScriptedMerchant, message: Message, sound: RoundReply) -> Message | None:
    """Hang, come late, replay, and so on, by the round's number."""
    number, size = sound.round_number, len(sound.total)
    content = encode_reply(sound)
    if number == 2:
        return None  # hangs; the round has to wait for its deadline
    if number == 3:
        merchant.gateway.push(Message(encode_reply(sound), reply_to=merchant.kept[2]))  # much too late
        earlier = RoundReply(sound.plan_hash, 1, sound.total)
        return Message(encode_reply(earlier), reply_to=message)  # a replay of round 1
    if number == 4:
        return Message(encode_reply(RoundReply(sound.plan_hash, number, sound.total[:-1])), reply_to=message)
    if number == 5:
        content[VECTOR] = ArrayRecord({VALUES: Array(np.full(size, np.nan))})
    if number == 6:
        huge = torch.full((size,), 2**60, dtype=torch.int64)
        return Message(encode_reply(RoundReply(sound.plan_hash, number, huge)), reply_to=message)
    if number == 7:
        content[VECTOR] = ArrayRecord({VALUES: Array("int64", (size,), "numpy.ndarray", b"\x80\x04garbage")})
    if number == 8:
        content = RecordDict(
            {"about": ConfigRecord({"plan_hash": "f" * 64, "round_number": number}), VECTOR: content[VECTOR]}
        )
    if number == 9:
        content["more"] = ConfigRecord({"loss": 0.1})
    if number == 10:
        return Message(Error(2, "the books of merchant-2"), reply_to=message)
    return Message(content, reply_to=message)


def after(other: ScriptedMerchant) -> Script:
    """Answer soundly once another merchant is done with the round, which would be over without it otherwise."""

    def answer(merchant: ScriptedMerchant, message: Message, sound: RoundReply) -> Message | None:
        await_true(lambda: sound.round_number in other.over_with, seconds=60)
        return answer_with_zeros(merchant, message, sound)

    return answer


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Federation:
    coordinator = make_coordinator(tmp_path_factory.mktemp("mischief"))
    alice, bob, mallory = (coordinator.join(name) for name in ("alice", "bob", "mallory"))
    mischief = ScriptedMerchant(mallory, script=misbehave, slowest_poll_seconds=SLOWEST_POLL_SECONDS)
    others = [
        ScriptedMerchant(knocker, script=after(mischief), slowest_poll_seconds=SLOWEST_POLL_SECONDS)
        for knocker in (alice, bob)
    ]
    merchants = [*others, mischief]
    with coordinator.running(alice):
        for merchant in merchants:
            merchant.start()
        # Whoever connects after the launch is first asked in a later round than the script counts on.
        assert all(merchant.connected.wait(60) for merchant in merchants)
        await_seen(coordinator, ("alice", "bob", "mallory"))
        run_plan(coordinator, merchants)
        for merchant in merchants:
            merchant.stop()
    lines = Journal(coordinator.home.launch(1) / "journal.jsonl").read()
    return Federation(coordinator, merchants, {line["round"]: line for line in lines if line["event"] == "round"})


def await_seen(coordinator: Coordinator, names: tuple[str, ...]) -> None:
    """Wait until the coordinator knows who is connected, which it is at most two seconds late with: it asks them."""
    log = coordinator.home.logs / "coordinator.log"
    await_true(lambda: all(f"{name} has shown no peer key" in log.read_text() for name in names), seconds=60)


def run_plan(coordinator: Coordinator, merchants: list[ScriptedMerchant]) -> None:
    home = coordinator.home
    (home.folder / "plan.toml").write_text(plan_text("mischief", rounds=ROUNDS))
    words = ("--quorum", "2", "--round-seconds", str(ROUND_SECONDS), "--without-noise", "--folder", str(home.folder))
    run_cli("launch", str(home.folder / "plan.toml"), *words)
    with closing(Registry(home.registry)) as registry:
        await_true(
            lambda: registry.launch(1).state == State.FINISHED and all(merchant.models for merchant in merchants),
            seconds=180,
            say=lambda: (home.logs / "coordinator.log").read_text()[-3000:] + str(registry.launch(1)),
        )


def test_every_round_was_held_once(federation: Federation) -> None:
    assert list(federation.rounds) == list(range(1, ROUNDS + 1))
    for merchant in federation.merchants[:2]:
        assert merchant.rounds == list(range(1, ROUNDS + 1))


def test_the_first_round_counts_all_three(federation: Federation) -> None:
    assert federation.rounds[1]["answered"] == ["alice", "bob", "mallory"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (2, "no answer before the deadline"),
        (3, "another plan or round"),
        (4, "could not be read"),
        (5, "could not be read"),
        (6, "larger than"),
        (7, "could not be read"),
        (8, "another plan or round"),
        (9, "could not be read"),
        (10, "reported an error"),
    ],
)
def test_mischief_is_refused_with_its_reason_and_the_round_goes_on(
    federation: Federation, number: int, reason: str
) -> None:
    line = federation.rounds[number]
    assert line["answered"] == ["alice", "bob"]
    assert list(line["refused"]) == ["mallory"]
    assert reason in line["refused"]["mallory"]


def test_who_was_late_holds_nobody_up_in_the_next_round(federation: Federation) -> None:
    assert federation.rounds[2]["seconds"] >= ROUND_SECONDS
    assert federation.rounds[3]["seconds"] < ROUND_SECONDS


def test_nothing_that_a_merchant_wrote_is_in_a_log(federation: Federation) -> None:
    for file in [*federation.coordinator.home.logs.iterdir(), *federation.coordinator.home.folder.rglob("*.jsonl")]:
        assert "the books of" not in file.read_text()


def test_zeros_move_nothing(federation: Federation) -> None:
    assert len({model for merchant in federation.merchants for model in merchant.models}) == 1
