"""The coordinator's loop in one process: the real loop, real merchants, and Flower's messages without a network.

The only stand-ins are at Flower's border: a SuperLink that knows its nodes beforehand, and grids that fail as a
network fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import ConfigRecord, Context, Error, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from rich.console import Console

from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import make_request
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.daemon.handlers import Handlers, make_handler_app
from common.errors import HansaError
from common.message import proposal
from common.message.proposal import PROPOSAL, Proposal
from common.message.receipt import RELEASE
from common.message.signature import sign
from common.plan.schema import Plan
from fleet.full_disk import mounted
from fleet.known_nodes import KnownNodes
from fleet.merchant import SIZE_CLASS, open_merchant
from server.coordinator import invitation, loop, member, session
from server.coordinator.delivery import read_parameters
from server.coordinator.journal import Journal
from server.coordinator.loop import Coordinator
from server.folder import CoordinatorFolder
from server.page.status import draw_status, gather_status
from server.registry.registry import Registry, State
from server.round.checkpoint import save_checkpoint
from server.round.optimizer import start_state
from server.round.start import start_vector
from simulation.engine.grid import InProcessGrid, make_context

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NODES = {"alice": 10, "bob": 11, "carol": 12}
ROUNDS = 3
CANARY = "canary-7391"


class Network(InProcessGrid):
    """A network that counts what is sent, and fails for some nodes as a test has it."""

    def __init__(self, merchants: dict[str, tuple[ClientApp, Context]]) -> None:
        super().__init__(merchants)
        self.sent: list[tuple[int, str]] = []
        self.torn: set[int] = set()  # whose bytes Flower cannot read
        self.away: set[int] = set()
        self.mute: set[int] = set()  # who says nothing in rounds
        self.watch: Callable[[], object] = lambda: None  # when rounds are asked for

    def get_node_ids(self) -> list[int]:
        return [node for node in super().get_node_ids() if node not in self.away]

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        messages = list(messages)
        if any(is_round(message) for message in messages):
            self.watch()
        self.sent += [(message.metadata.dst_node_id, message.metadata.message_type) for message in messages]
        return super().push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        (message_id,) = message_ids
        waiting = self._waiting.get(message_id)
        if waiting is not None and waiting.metadata.dst_node_id in self.torn:
            raise KeyError(CANARY)
        if waiting is not None and waiting.metadata.dst_node_id in self.away:
            return [Message(Error(ErrorCode.NODE_UNAVAILABLE), reply_to=self._waiting.pop(message_id))]
        if waiting is not None and waiting.metadata.dst_node_id in self.mute and is_round(waiting):
            return []
        return super().pull_messages([message_id])

    def asked(self, node: int, message_type: str) -> int:
        return self.sent.count((node, message_type))


def is_round(message: Message) -> bool:
    return message.metadata.message_type == MessageType.TRAIN


@dataclass
class Town:
    """A coordinator and three merchants in one process."""

    folder: Path
    home: CoordinatorFolder
    registry: Registry
    superlink: KnownNodes
    handlers: dict[str, Handlers]
    apps: dict[str, ClientApp]

    def __post_init__(self) -> None:
        self.connect()

    def connect(self, **other: ClientApp) -> None:
        """Start the coordinator's process anew, with other apps in the place of some merchants'."""
        apps = self.apps | other
        self.grid = Network({name: (apps[name], make_context(node)) for name, node in NODES.items()})
        self.coordinator = Coordinator(
            self.home, registry=self.registry, superlink=self.superlink, grid=self.grid, key=KEY
        )

    def launch(self, plan: Plan, *, quorum: int = 2, round_seconds: float = 30.0) -> int:
        """Note a launch as `hansa-server launch` does, without what that looks at beforehand."""
        proposed = Proposal(plan=plan, private=True, cohort_size=3)
        return self.registry.add_launch(
            sign(proposed.to_bytes(), KEY, purpose=proposal.PURPOSE),
            run_hash=proposed.run_hash,
            plan=plan.name,
            num_rounds=ROUNDS,
            quorum=quorum,
            round_seconds=round_seconds,
        )

    def go(self, *, until: Callable[[], bool] = lambda: False, turns: int = 400, seconds: float = 60.0) -> list[float]:
        """Take turns, with short pauses; return the pauses that the coordinator would have made."""
        deadline, pauses = time.monotonic() + seconds, []
        while len(pauses) < turns and time.monotonic() < deadline and not until():
            pauses.append(self.coordinator.turn())
            time.sleep(min(pauses[-1], 0.01))
        return pauses

    def is_over(self, number: int) -> bool:
        return self.registry.launch(number).state != State.RUNNING

    def finish(self, number: int) -> None:
        self.go(until=lambda: self.is_over(number), turns=10**6)
        assert self.registry.launch(number).state == State.FINISHED, self.registry.launch(number)

    def journal(self, number: int) -> list[dict[str, Any]]:
        return Journal(self.home.launch(number) / "journal.jsonl").read()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterable[Path]:
    """A disk of two megabytes under the coordinator's folder, really full where a test fills it."""
    with mounted(tmp_path / "coordinator", megabytes=2) as place:
        yield place


def fill(disk: Path, *, but: int) -> None:
    """Fill a disk up to the last byte, and give so many back."""
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1):
            with suppress(OSError):
                while ballast.write(bytes(size)):
                    pass
        ballast.truncate(max(0, ballast.tell() - but))


@pytest.fixture
def town(tmp_path: Path) -> Iterable[Town]:
    home = CoordinatorFolder(tmp_path / "coordinator")
    home.folder.mkdir(exist_ok=True)
    home.settings_file.write_text('name = "hanse"\nhosts = ["localhost"]\n')
    registry, nodes = Registry(home.registry), {}
    with ExitStack() as stack:
        handlers = {}
        for name, node in NODES.items():
            handlers[name] = stack.enter_context(open_merchant(tmp_path / name, name, key=KEY, seed=node))
            tls_key = read_or_make_curve_key(tmp_path / name / "tls.key", TLS_CURVE)
            node_key = read_or_make_curve_key(tmp_path / name / "node.key", NODE_CURVE)
            request = make_request(name, SIZE_CLASS, tls_key=tls_key, node_key=node_key)
            registry.enroll(request, certificate=name)
            nodes[request.node_key] = node
        apps = {name: make_handler_app(found) for name, found in handlers.items()}
        stack.enter_context(closing(registry))
        yield Town(tmp_path, home, registry, KnownNodes("", b"", b"", nodes), handlers, apps)


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"unit": "customer", "training": {"num_rounds": ROUNDS}})


def garbage_app() -> ClientApp:
    """Answer everything with a record that none of ours is."""
    app = ClientApp()

    def answer(message: Message, context: Context) -> Message:
        return Message(RecordDict({CANARY: ConfigRecord({"loss": 0.1})}), reply_to=message)

    app.train()(answer)
    app.query("proposal")(answer)
    app.query("release")(answer)
    return app


def test_a_launch_is_proposed_run_released_and_delivered(town: Town, plan: Plan) -> None:
    number = town.launch(plan, quorum=3)
    town.finish(number)
    (model,) = town.registry.models()
    town.go(until=lambda: set(town.registry.receipts(model.model_hash)) == set(NODES))
    assert set(town.registry.receipts(model.model_hash)) == set(NODES)
    events = [line["event"] for line in town.journal(number)]
    assert events == ["begun", *["accepted"] * 3, *["round"] * ROUNDS, "finished"]
    assert all(line["answered"] == sorted(NODES) for line in town.journal(number) if line["event"] == "round")
    assert [town.registry.launch(number).round_number, model.round_number] == [ROUNDS, ROUNDS]


def test_a_restart_goes_on_where_it_was_and_ends_in_the_same_model(town: Town, plan: Plan) -> None:
    number = town.launch(plan, quorum=3)
    town.go(until=lambda: town.registry.launch(number).round_number == 2)
    town.connect()
    town.finish(number)
    rounds = [line["round"] for line in town.journal(number) if line["event"] == "round"]
    assert rounds == [1, 2, 3]
    assert [line["event"] for line in town.journal(number)].count("resumed") == 1
    assert {terms.num_rounds for terms in town.registry.terms(number)} == {ROUNDS}


def test_a_disk_that_is_full_is_said_in_one_sentence_and_with_room_it_goes_on(
    small_disk: Path, town: Town, plan: Plan
) -> None:
    """Filled before every step, to another byte each time: what is half written never counts."""
    number, said = town.launch(plan, quorum=3), list[str]()
    for spare in (0, 1 << 12, 1 << 13, 3 << 12, 1 << 14, 5 << 12, 1 << 15, 3 << 14, 1 << 16, 3 << 15, 1 << 17):
        fill(small_disk, but=spare)
        try:
            town.go(turns=30)
        except HansaError as error:
            said.append(str(error))
        except OSError as error:
            said.append(str(loop.cannot_go_on(town.home, error)))
        before = town.registry.launch(number).round_number
        (small_disk / "ballast").unlink()
        town.go(until=lambda: town.registry.launch(number).round_number > before or town.is_over(number))  # noqa: B023
        town.registry.close()  # as a process that ends, and is started again
        town.registry = Registry(town.home.registry)
        town.connect()
    town.finish(number)
    assert said
    assert all("make room" in sentence and "\n" not in sentence for sentence in said), said
    rounds = [line["round"] for line in town.journal(number) if line["event"] == "round"]
    assert rounds == sorted(set(rounds))
    assert {terms.num_rounds for terms in town.registry.terms(number)} == {ROUNDS}
    for name in NODES:
        with closing(Ledger(town.folder / name / "ledger.sqlite")) as ledger:
            charged = [entry for entry in ledger.entries if isinstance(entry, Spend)]
        assert [spend.round_number for spend in charged] == [1, 2, 3]  # one for each, whatever was asked again
    (model,) = town.registry.models()
    assert read_parameters(town.home, model).isfinite().all()


def test_bytes_that_flower_cannot_read_cost_only_their_own_member(
    town: Town, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a proposal, in a round, and to a model."""
    monkeypatch.setattr(invitation, "INVITE_SECONDS", 8.0)
    town.grid.torn = {NODES["carol"]}
    number = town.launch(plan)
    town.finish(number)
    (model,) = town.registry.models()
    town.go(until=lambda: len(town.registry.receipts(model.model_hash)) == 2)
    assert set(town.registry.receipts(model.model_hash)) == {"alice", "bob"}
    (line,) = [line for line in town.journal(number) if line["event"] == "no terms"]
    assert (line["member"], line["reason"]) == ("carol", "the answer could not be read")
    town.grid.torn = set()
    later = town.launch(plan.model_copy(update={"name": "later"}), round_seconds=1.0)
    town.go(until=lambda: len(town.registry.terms(later)) == 3)
    town.grid.torn = {NODES["carol"]}
    town.finish(later)
    refused = [line["refused"] for line in town.journal(later) if line["event"] == "round"]
    assert refused[-1] == {"carol": "the answer could not be read (KeyError)"}
    assert CANARY not in str(town.journal(number)) + str(town.journal(later))


def test_a_member_that_answers_nonsense_is_left_out_and_nothing_ends(town: Town, plan: Plan) -> None:
    town.connect(carol=garbage_app())
    number = town.launch(plan)
    town.finish(number)
    town.go(turns=20)
    (line,) = [line for line in town.journal(number) if line["event"] == "no terms"]
    assert line["member"] == "carol"
    assert line["reason"].startswith("the answer could not be read")
    assert CANARY not in str(town.journal(number))
    assert town.grid.asked(NODES["carol"], RELEASE) == 1
    assert set(town.registry.receipts(town.registry.models()[0].model_hash)) == {"alice", "bob"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"federation": {"start": "warm"}}, "There is no warm model"),
        ({"model": {"hidden_size": 1024, "decoder_size": 1024}}, "is proven for up to"),
    ],
)
def test_a_plan_that_cannot_start_is_marked_as_failed_and_the_next_one_runs(
    town: Town, plan: Plan, make_plan: Callable[..., Plan], change: dict[str, Any], reason: str
) -> None:
    broken = town.launch(make_plan(name="broken", privacy={"unit": "customer"}, **change))
    sound = town.launch(plan)
    town.finish(sound)
    found = town.registry.launch(broken)
    assert found.state == State.FAILED
    assert reason in found.reason
    shown = gather_status(town.home, town.registry)["launches"][0]
    assert (shown["state"], shown["reason"]) == ("failed", found.reason)


def test_a_checkpoint_that_is_damaged_fails_its_launch_and_a_good_copy_lets_it_go_on(town: Town, plan: Plan) -> None:
    number = town.launch(plan)
    path = town.home.launch(number) / "checkpoint.safetensors"
    town.go(until=lambda: town.registry.launch(number).round_number == 2)
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    town.connect()
    town.go(until=lambda: town.is_over(number))
    assert town.registry.launch(number).state == State.FAILED
    assert "damaged" in town.registry.launch(number).reason
    path.write_bytes(good)
    town.registry.note_launch(number, state=State.RUNNING)  # hansa-server resume
    town.finish(number)


def test_a_model_that_has_run_away_fails_its_launch_and_the_next_one_runs(
    town: Town, plan: Plan, make_plan: Callable[..., Plan]
) -> None:
    wild = plan.model_copy(update={"name": "wild"})
    number = town.launch(wild)
    state = start_state(start_vector(wild, private=True))
    town.home.launch(number).mkdir(parents=True)
    save_checkpoint(
        replace(state, round_number=1, parameters=torch.full_like(state.parameters, torch.inf)),
        town.home.launch(number) / "checkpoint.safetensors",
        plan_hash=wild.run_hash(private=True),
    )
    town.finish(town.launch(plan))
    assert town.registry.launch(number).state == State.FAILED
    assert "not finite" in town.registry.launch(number).reason


def test_whoever_declines_is_asked_once_shown_and_stands_in_nobodys_way(town: Town, plan: Plan) -> None:
    policy = town.folder / "carol" / "policy.toml"
    policy.write_text(policy.read_text().replace('unit = "customer"', 'unit = "product"'))
    number = town.launch(plan)
    town.finish(number)
    town.go(turns=50)
    assert town.grid.asked(NODES["carol"], PROPOSAL) == 1
    status = gather_status(town.home, town.registry)
    assert status["launches"][0]["declined"] == ["carol"]
    console = Console(width=200, record=True, file=StringIO())
    console.print(draw_status(status))
    assert "declined: carol" in console.export_text()
    assert [line["event"] for line in town.journal(number) if line.get("member") == "carol"] == ["declined"]


def test_a_restart_does_not_ask_a_decliner_again_at_once(town: Town, plan: Plan) -> None:
    policy = town.folder / "carol" / "policy.toml"
    policy.write_text(policy.read_text().replace('unit = "customer"', 'unit = "product"'))
    number = town.launch(plan, quorum=3)
    for _ in range(5):
        town.go(turns=10)
        assert "declined: carol" in town.registry.launch(number).reason
        asked = town.grid.asked(NODES["carol"], PROPOSAL)
        town.connect()
    assert asked == 0


def test_a_launch_that_waits_for_members_lets_the_next_one_go_on(
    town: Town, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "ONLINE_SECONDS", 0.0)
    town.grid.away = {NODES["carol"]}
    waiting = town.launch(plan, quorum=3)
    runs = town.launch(plan.model_copy(update={"name": "runs"}), quorum=2)
    town.finish(runs)
    assert town.registry.launch(waiting).state == State.RUNNING
    assert "waits for members: 2 of the 3" in town.registry.launch(waiting).reason
    town.grid.away = set()
    town.finish(waiting)


def test_absence_silence_and_refusal_are_told_apart_in_the_journal(town: Town, plan: Plan) -> None:
    number = town.launch(plan, quorum=1)
    town.go(until=lambda: town.registry.launch(number).round_number == 1)
    town.grid.away = {NODES["alice"]}
    town.handlers["bob"]._home.policy.unlink()  # its policy allows nothing any more, so it declines
    town.finish(number)
    refused = [line["refused"] for line in town.journal(number) if line["event"] == "round"]
    assert refused[0] == {}
    assert refused[1] == {"alice": "the merchant is not connected (Flower error 5)", "bob": "the merchant declined"}


def failing_app() -> ClientApp:
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        raise RuntimeError(CANARY)

    return app


def refused_in_missed(town: Town, number: int) -> list[dict[str, str]]:
    return [line["refused"] for line in town.journal(number) if line["event"] == "missed"]


def test_silence_absence_refusal_and_failure_are_four_things_in_the_journal(town: Town, plan: Plan) -> None:
    number = town.launch(plan, quorum=1, round_seconds=1.0)
    town.go(until=lambda: town.registry.launch(number).round_number == 1)
    town.connect(carol=failing_app())
    town.grid.away, town.grid.mute = {NODES["alice"]}, {NODES["bob"]}
    town.go(until=lambda: "has 0 of 1 answers" in town.registry.launch(number).reason)
    town.connect()
    town.grid.away = {NODES["alice"], NODES["bob"]}
    town.handlers["carol"]._home.policy.unlink()  # its policy allows nothing any more, so it declines
    town.go(until=lambda: len(refused_in_missed(town, number)) == 2)
    first, second = refused_in_missed(town, number)
    offline, failed = "the merchant is not connected (Flower error 5)", first["carol"]
    assert failed.startswith("the merchant reported an error")
    assert CANARY not in failed
    assert first == {"alice": offline, "bob": "no answer before the deadline", "carol": failed}
    assert second == {"alice": offline, "bob": offline, "carol": "the merchant declined"}


def enroll_again(town: Town, name: str, *, size_class: int = SIZE_CLASS) -> None:
    keys = [
        read_or_make_curve_key(town.folder / name / f"{kind}.key", curve)
        for kind, curve in (("tls", TLS_CURVE), ("node", NODE_CURVE))
    ]
    request = make_request(name, size_class, tls_key=keys[0], node_key=keys[1])
    town.registry.enroll(request, certificate=f"{name} {request.made_at}")


def test_what_a_member_answers_does_not_count_once_it_is_revoked_and_the_journal_says_so(
    town: Town, plan: Plan
) -> None:
    """It answers a round while it is revoked; enrolled again, it is asked for terms anew and takes part again."""
    number = town.launch(plan, quorum=2)
    town.go(until=lambda: town.registry.launch(number).round_number == 1)
    town.grid.watch = lambda: town.registry.revoke("alice")
    town.go(until=lambda: town.registry.launch(number).round_number == 2)
    town.grid.watch = lambda: None
    enroll_again(town, "alice")
    town.finish(number)
    rounds = [line for line in town.journal(number) if line["event"] == "round"]
    assert [line["refused"] for line in rounds] == [{}, {"alice": "the merchant was revoked"}, {}]
    assert [line["answered"] for line in rounds] == [sorted(NODES), ["bob", "carol"], sorted(NODES)]
    assert [terms.num_rounds for terms in town.registry.terms(number)] == [2, 3, 3]
    accepted = [line["member"] for line in town.journal(number) if line["event"] == "accepted"]
    assert sorted(accepted) == ["alice", "alice", "bob", "carol"]


def test_a_round_does_not_wait_for_who_is_revoked_in_the_middle_of_it(town: Town, plan: Plan) -> None:
    town.grid.mute = {NODES["carol"]}
    number = town.launch(plan, quorum=2, round_seconds=600.0)
    town.grid.watch = lambda: town.registry.revoke("carol")
    town.go(until=lambda: town.registry.launch(number).round_number == 1)
    (line,) = [line for line in town.journal(number) if line["event"] == "round"]
    assert line["refused"] == {"carol": "the merchant was revoked"}
    assert line["seconds"] < 300
    assert town.registry.left() == {}, "it is shut out at once, and not after the round"


def test_who_is_revoked_while_no_coordinator_runs_is_shut_out_when_one_starts(town: Town) -> None:
    town.coordinator.turn()
    town.registry.revoke("alice")
    town.registry.revoke("bob")
    enroll_again(town, "bob")
    town.connect()
    town.coordinator.turn()
    assert set(town.superlink.out) == {NODES["alice"], NODES["bob"]}
    members = {member.name: member.node_id for member in town.registry.members()}
    assert members == {"alice": None, "bob": NODES["bob"], "carol": NODES["carol"]}


def test_terms_of_another_size_class_than_the_enrolled_one_are_asked_for_again(town: Town, plan: Plan) -> None:
    number = town.launch(plan, quorum=2)
    town.go(until=lambda: town.registry.launch(number).round_number == 1)
    enroll_again(town, "alice", size_class=2 * SIZE_CLASS)
    town.finish(number)
    rounds = [line for line in town.journal(number) if line["event"] == "round"]
    assert [line["answered"] for line in rounds] == [sorted(NODES), ["bob", "carol"], ["bob", "carol"]]


def test_an_idle_coordinator_turns_once_a_second(town: Town, plan: Plan) -> None:
    nothing = town.go(turns=20)
    town.grid.away = set(NODES.values())
    town.launch(plan)
    waiting = town.go(turns=20)
    for pauses in (nothing, waiting):
        assert pauses[-1] == loop.IDLE_SECONDS
        assert sum(pause < loop.IDLE_SECONDS for pause in pauses) <= 10


def test_rounds_without_a_quorum_are_asked_ever_more_seldom_for_as_long_as_it_takes(
    town: Town, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six hours in which nobody is there, by a clock that is put forward."""
    number = town.launch(plan)
    town.go(until=lambda: town.registry.launch(number).round_number == 1)
    town.grid.away = set(NODES.values())
    real, ahead = time.monotonic, 0.0
    monkeypatch.setattr(session.time, "monotonic", lambda: real() + ahead)
    for _ in range(550):
        town.coordinator.turn()
        ahead += 40.0
    missed = [line for line in town.journal(number) if line["event"] == "missed"]
    assert 255 <= len(missed) <= 285
    assert "has 0 of 2 answers" in town.registry.launch(number).reason


def test_a_merchant_that_reads_its_data_for_long_has_longer_in_its_first_round_and_that_is_shown(
    town: Town, plan: Plan
) -> None:
    number = town.launch(plan, quorum=3, round_seconds=1.0)
    reasons = []
    town.grid.watch = lambda: reasons.append(town.registry.launch(number).reason)
    town.finish(number)
    waits = [reason for reason in reasons if "may be reading" in reason]
    assert waits == ["round 1 waits up to 601 seconds: alice, bob, carol may be reading the data"]


def test_a_merchant_that_never_answers_is_waited_for_at_length_once(
    town: Town, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "READING_SECONDS", 3.0)
    town.grid.mute = {NODES["carol"]}
    number = town.launch(plan, round_seconds=1.0)
    town.finish(number)
    rounds = [line for line in town.journal(number) if line["event"] == "round"]
    assert [line["refused"] for line in rounds] == [{"carol": "no answer before the deadline"}] * ROUNDS
    waited = [line["seconds"] for line in rounds]
    assert waited[0] >= 4.0
    assert 1.0 <= waited[2] < 4.0, "awaited again, and no longer than anybody"
