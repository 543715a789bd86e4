"""A coordinator of processes that meets everything at once, and goes on: nonsense, a refusal, a plan that cannot run,
an absence, and names as long as they may be.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from flwr.app import ConfigRecord, Message, RecordDict

from certs.key import read_or_make_signing_key
from common.message.decline import decline
from common.message.proposal import PROPOSAL, PURPOSE, Proposal
from common.message.signature import sign
from common.plan.reading import parse_plan
from network.coordinator import make_coordinator, run_cli
from network.federation import await_true, plan_text
from network.scripted import ScriptedMerchant
from server.coordinator.journal import Journal
from server.folder import CoordinatorFolder
from server.registry.registry import Registry, State

pytestmark = pytest.mark.slow
ROUNDS = 4
ALICE, BOB = "alice-" + "a" * 54, "bob-" + "b" * 56  # 60 characters


class Nonsense(ScriptedMerchant):
    """Answer everything with a record that none of ours is."""

    def _reply(self, message: Message) -> Message | None:
        return Message(RecordDict({"nothing": ConfigRecord({"of": "ours"})}), reply_to=message)


class Decliner(ScriptedMerchant):
    """Decline everything, and count what was asked."""

    def _reply(self, message: Message) -> Message | None:
        self.errors.append(message.metadata.message_type)
        return decline(message)


class Leaver(ScriptedMerchant):
    """Answer the first round, and leave when the second is asked for."""

    def _reply(self, message: Message) -> Message | None:
        reply = super()._reply(message)
        if len(self.rounds) < 2:
            return reply
        self.gateway.deactivate()
        self._over.set()
        return None


def test_a_coordinator_goes_on_whatever_one_member_or_one_plan_does(tmp_path: Path) -> None:
    coordinator = make_coordinator(tmp_path)
    home = coordinator.home
    kinds = {ALICE: ScriptedMerchant, BOB: ScriptedMerchant, "carol": Nonsense, "dave": Decliner, "erin": Leaver}
    knockers = {name: coordinator.join(name) for name in kinds}
    merchants = {name: kind(knockers[name], delay_seconds=0.2) for name, kind in kinds.items()}
    (tmp_path / "plan.toml").write_text(plan_text("sound", rounds=ROUNDS))
    words = ("--quorum", "2", "--round-seconds", "30", "--without-noise", "--folder", str(tmp_path))
    with closing(Registry(home.registry)) as registry, coordinator.running(knockers[ALICE]):
        for merchant in merchants.values():
            merchant.start()
        assert all(merchant.connected.wait(60) for merchant in merchants.values())
        broken = launch_unchecked(
            home, plan_text("broken").replace("decoder_size = 8", "decoder_size = 8\nrhythm = true")
        )
        run_cli("launch", str(tmp_path / "plan.toml"), *words)
        await_true(
            lambda: registry.launch(2).state == State.FINISHED and all(merchants[name].models for name in (ALICE, BOB)),
            seconds=300,
            say=lambda: (home.logs / "coordinator.log").read_text()[-3000:] + str(registry.launches()),
        )
        failed = registry.launch(broken)
        for merchant in merchants.values():
            merchant.stop()
    assert failed.state == State.FAILED
    assert "There is no warm model" in failed.reason
    lines = Journal(home.launch(2) / "journal.jsonl").read()
    said = {line["member"]: line for line in lines if "member" in line}
    assert said["carol"]["reason"].startswith("the answer could not be read")
    assert said["dave"]["event"] == "declined"
    assert merchants["dave"].errors.count(PROPOSAL) == 1
    rounds = [line for line in lines if line["event"] == "round"]
    assert [line["round"] for line in rounds] == list(range(1, ROUNDS + 1))
    assert rounds[0]["answered"] == [ALICE, BOB, "erin"], rounds[0]
    assert all(line["answered"] == [ALICE, BOB] for line in rounds[1:])
    assert {line["refused"]["erin"] for line in rounds[1:]} == {"the merchant is not connected (Flower error 5)"}
    assert "ended with" not in (tmp_path / "up.log").read_text(), "no process had to be started again"


def launch_unchecked(home: CoordinatorFolder, text: str) -> int:
    """Launch a plan as a coordinator of another version might have: this one would refuse it at once."""
    proposal = Proposal(
        plan=parse_plan(text.replace("[privacy]", '[privacy]\nstart = "warm"')), private=True, cohort_size=5
    )
    signed = sign(proposal.to_bytes(), read_or_make_signing_key(home.signing_key), purpose=PURPOSE)
    with closing(Registry(home.registry)) as registry:
        return registry.add_launch(
            signed, run_hash=proposal.run_hash, plan="broken", num_rounds=3, quorum=2, round_seconds=30.0
        )
