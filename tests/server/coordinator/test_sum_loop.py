"""Secure sums through the real loop and real merchants' ends, killed anywhere: one sum a round or none, never two."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import make_request
from client.account.ledger.entry import Agreed, Spend
from client.account.ledger.ledger import Ledger
from client.daemon.handlers import make_handler_app
from client.data.rows import read_series
from client.round.training import train_round
from common.errors import ConfigError, MessageError
from common.message import proposal, sum_agree, sum_keys, sum_reveal, sum_shares
from common.message.decline import DECLINED
from common.message.proposal import PROPOSAL, Proposal, parse_proposal
from common.message.round import RoundRequest, encode_request
from common.message.signature import sign
from common.message.sum_agree import AGREE
from common.message.sum_keys import KEYS
from common.message.sum_place import Place
from common.message.sum_reveal import REVEAL
from common.message.sum_shares import SHARES
from common.message.vector import hash_vector
from common.model.warm.start import start_without_data
from common.plan.schema import Plan
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from common.secure_sum.roster import Session
from fleet.known_nodes import KnownNodes
from fleet.merchant import SIZE_CLASS, open_again, open_merchant
from server.coordinator.journal import Journal
from server.coordinator.loop import Coordinator
from server.folder import CoordinatorFolder
from server.registry.registry import Registry, State
from server.roster import choose_quorum, make_roster, require_noise
from server.round.aggregation import Terms
from server.round.federation import Federation, take_step
from server.round.optimizer import ServerState, start_state
from server.round.start import start_vector
from server.round.sum_federation import mean_of, skip
from simulation.engine.grid import InProcessGrid, make_context

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NODES = {name: 10 + place for place, name in enumerate(("alice", "bob", "carol", "dave", "erin"))}
ROUNDS, THRESHOLD, COLLUDERS = 3, 4, 1
LIMITS = """
[sum]
smallest_cohort = 5
verified_peers = 0
colluders = 1
epsilon_if_all_collude = 36.0
"""
Step = tuple[str, int, str]  # of whom, in which round, of what type
TRAIN = "train"


class Killed(BaseException):
    """The coordinator's process is killed."""


class Network(InProcessGrid):
    """A network on which the coordinator is killed before it sends, or after."""

    def __init__(self, merchants: dict[str, tuple[ClientApp, Context]]) -> None:
        super().__init__(merchants)
        self.pushes, self.killed_at, self.sent = 0, -1, list[tuple[int, int, str]]()

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        messages = list(messages)
        self.sent += [
            (about.dst_node_id, int(about.group_id) if about.group_id.isdecimal() else 0, about.message_type)
            for about in (message.metadata for message in messages)
        ]
        self.pushes += 1
        if self.pushes == self.killed_at:
            raise Killed
        return super().push_messages(messages)


@dataclass
class Town:
    """A coordinator and five merchants in one process; each can be killed before a step, or after."""

    folder: Path
    home: CoordinatorFolder
    registry: Registry
    superlink: KnownNodes
    stack: ExitStack
    nodes: Mapping[str, int] = field(default_factory=lambda: NODES)
    apps: dict[str, ClientApp] = field(default_factory=dict)
    dies_before: set[Step] = field(default_factory=set)
    dies_after: set[Step] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    spoil: dict[tuple[str, str], Callable[[RecordDict], RecordDict]] = field(default_factory=dict)  # of whom, and type

    def open(self, name: str) -> None:
        """Start a merchant's daemon, perhaps again, on its folder as it is."""
        handlers = self.stack.enter_context(open_again(self.folder / name, name, key=KEY))
        self.apps[name] = make_handler_app(handlers)

    def connect(self) -> None:
        """Start the coordinator's process, perhaps again."""
        self.grid = Network({name: (Dying(self, name), make_context(node)) for name, node in self.nodes.items()})
        self.coordinator = Coordinator(
            self.home, registry=self.registry, superlink=self.superlink, grid=self.grid, key=KEY
        )

    def launch(self, plan: Plan, *, private: bool = False) -> int:
        require_noise(plan, private=private)
        members = self.registry.members()
        roster = make_roster(plan, members, self.registry.peer_keys())
        quorum = choose_quorum(plan, len(roster), None)
        proposed = Proposal(plan=plan, private=private, cohort_size=len(roster), quorum=quorum, roster=roster)
        return self.registry.add_launch(
            sign(proposed.to_bytes(), KEY, purpose=proposal.PURPOSE),
            run_hash=proposed.run_hash,
            plan=plan.name,
            num_rounds=plan.training(private=private).num_rounds,
            quorum=quorum,
            round_seconds=30.0,
        )

    def go(self, until: Callable[[], bool], turns: int = 2000) -> None:
        for _ in range(turns):
            if until():
                return
            time.sleep(min(self.coordinator.turn(), 0.01))
        raise AssertionError(self.registry.launches())

    def finish(self, number: int) -> None:
        self.go(lambda: self.registry.launch(number).state != State.RUNNING)
        assert self.registry.launch(number).state == State.FINISHED, self.registry.launch(number)

    def lines(self, number: int, *events: str) -> list[dict[str, Any]]:
        lines = Journal(self.home.launch(number) / "journal.jsonl").read()
        return [line for line in lines if line["event"] in (events or ("round", "missed", "skipped"))]

    def ledger(self, name: str) -> tuple[list[int], list[int]]:
        """Give for which rounds a merchant was charged, and of which it agreed to a set."""
        with closing(Ledger(self.folder / name / "ledger.sqlite")) as ledger:
            entries = ledger.entries
        charged = [entry.round_number for entry in entries if isinstance(entry, Spend)]
        return charged, [entry.round_number for entry in entries if isinstance(entry, Agreed)]

    def released(self, number: int) -> torch.Tensor:
        from server.coordinator.delivery import read_parameters

        return read_parameters(self.home, next(found for found in self.registry.models() if found.launch == number))


class Dying(ClientApp):
    """A merchant's daemon that is killed as a test has it, and started again at once."""

    def __init__(self, town: Town, name: str) -> None:
        super().__init__()
        self._town, self._name = town, name

    def __call__(self, message: Message, context: Context) -> Message:
        town, about = self._town, message.metadata
        step = (self._name, int(about.group_id) if about.group_id.isdecimal() else 0, about.message_type)
        if self._name in town.gone or step in town.dies_before:
            town.open(self._name)
            raise MessageError("gone")
        reply = town.apps[self._name](message, context)
        if step in town.dies_after:
            town.open(self._name)
            raise MessageError("gone")
        spoil = town.spoil.get((self._name, about.message_type))
        if spoil is not None and reply.has_content():
            reply.content = spoil(reply.content)
        return reply


@contextmanager
def make_town(folder: Path, nodes: Mapping[str, int], limits: str) -> Iterator[Town]:
    home = CoordinatorFolder(folder / "coordinator")
    home.folder.mkdir()
    home.settings_file.write_text('name = "hanse"\nhosts = ["localhost"]\n')
    registry, known = Registry(home.registry), {}
    with ExitStack() as stack:
        stack.enter_context(closing(registry))
        for name, node in nodes.items():
            with open_merchant(folder / name, name, key=KEY, seed=node):
                policy = folder / name / "policy.toml"
                policy.write_text(policy.read_text() + limits)
            tls_key = read_or_make_curve_key(folder / name / "tls.key", TLS_CURVE)
            node_key = read_or_make_curve_key(folder / name / "node.key", NODE_CURVE)
            request = make_request(name, SIZE_CLASS, tls_key=tls_key, node_key=node_key)
            registry.enroll(request, certificate=name)
            registry.note_protocol(name, 3)
            known[request.node_key] = node
        made = Town(folder, home, registry, KnownNodes("", b"", b"", known), stack, nodes)
        for name in nodes:
            made.open(name)
        made.connect()
        made.go(lambda: set(registry.peer_keys()) == set(nodes))
        yield made


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with make_town(tmp_path, NODES, LIMITS) as made:
        yield made


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    terms = {"threshold": THRESHOLD, "colluders": COLLUDERS, "noise_multiplier": 2.0}
    training = {"num_rounds": ROUNDS}
    privacy = {"unit": "customer", "training": training, "trust": "sum", "sum": terms}
    return make_plan(privacy=privacy, federation={"training": training})


def replay(town: Town, plan: Plan, number: int) -> torch.Tensor:
    """Do the rounds that the journal tells of without any masks."""
    mechanism, cpu = Mechanism(None, 0.0), torch.device("cpu")
    state: ServerState = start_state(start_vector(plan, private=False))
    model = start_without_data(plan, private=False)
    federation = Federation(plan, plan.federation.training, {1: Terms(SIZE_CLASS, mechanism)}, 1, 1.0)
    for line in town.lines(number, "round", "skipped"):
        if line["event"] == "skipped":
            state = skip(state, federation)
            continue
        total = torch.zeros(len(state.parameters), dtype=torch.int64)
        for name in line["answered"]:
            total += train_round(
                model,
                read_series(plan, town.folder / name),
                state.parameters.to(torch.float32),
                round_number=line["round"],
                mechanism=mechanism,
                noise=SecureNoise(),
                device=cpu,
            )
        gradient = mean_of(total, mechanism, size_class=SIZE_CLASS * len(line["answered"]))
        state = take_step(state, gradient, federation)
    return state.average.to(torch.float32)


@pytest.mark.parametrize(
    ("before", "after", "left_out"),
    [
        ({("alice", 1, SHARES), ("bob", 2, TRAIN), ("carol", 3, AGREE)}, set(), ["alice", "bob", ""]),
        # Whose keys were not there when those of the next round went out with this one, is back a round later.
        pytest.param({("dave", 1, KEYS)}, {("bob", 3, TRAIN)}, ["dave", "dave", "bob"], marks=pytest.mark.slow),
        pytest.param(
            set(),
            {("alice", 1, SHARES), ("bob", 2, AGREE), ("carol", 3, REVEAL)},
            ["alice", "", ""],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_whoever_dies_before_a_step_or_after_it_is_back_in_the_next_round(
    town: Town, plan: Plan, before: set[Step], after: set[Step], left_out: list[str]
) -> None:
    town.dies_before, town.dies_after = before, after
    number = town.launch(plan)
    town.finish(number)
    rounds = town.lines(number)
    assert [(line["event"], line["round"]) for line in rounds] == [("round", 1), ("round", 2), ("round", 3)]
    assert ["".join(set(NODES) - set(line["answered"])) for line in rounds] == left_out
    torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)
    for name in NODES:
        assert town.ledger(name)[0] == [line["round"] for line in rounds if (name, line["round"], TRAIN) not in before
                                        and (name == "bob" or name in line["answered"])]  # fmt: skip


def test_a_merchant_that_died_with_its_masked_sum_sealed_sends_the_same_when_the_round_is_asked_again(
    town: Town, plan: Plan
) -> None:
    town.dies_after = {("alice", 1, TRAIN), ("bob", 1, TRAIN)}
    number = town.launch(plan)
    town.go(lambda: bool(town.lines(number, "missed")))
    town.dies_after.clear()
    town.finish(number)
    assert [line["event"] for line in town.lines(number)][:2] == ["missed", "round"]
    assert town.lines(number, "round")[0]["answered"] == sorted(NODES)
    assert [town.ledger(name)[0] for name in NODES] == [[1, 2, 3]] * 5  # asked twice, charged once
    torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_round_whose_set_was_put_and_failed_is_spent_and_the_next_one_goes_on(town: Town, plan: Plan) -> None:
    town.dies_before = {("alice", 2, AGREE), ("bob", 2, REVEAL)}
    number = town.launch(plan)
    town.go(lambda: bool(town.lines(number)))
    town.dies_before.add(("carol", 2, REVEAL))
    town.finish(number)
    assert [line["event"] for line in town.lines(number)] == ["round", "skipped", "round"]
    assert "spent" in town.lines(number, "skipped")[0]["reason"]
    assert [town.ledger(name) for name in ("alice", "dave")] == [([1, 2, 3], [1, 3]), ([1, 2, 3], [1, 2, 3])]
    torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)


@pytest.mark.parametrize("killed_at", [5, *(pytest.param(k, marks=pytest.mark.slow) for k in range(2, 30) if k != 5)])
def test_a_coordinator_that_is_killed_anywhere_sums_no_round_twice(town: Town, plan: Plan, killed_at: int) -> None:
    number = town.launch(plan)
    town.grid.pushes, town.grid.killed_at = 0, killed_at
    try:
        town.finish(number)
    except Killed:
        town.connect()
    town.finish(number)
    lines = town.lines(number)
    assert [line["round"] for line in lines if line["event"] != "missed"] == [1, 2, 3]
    assert sum(line["event"] == "skipped" for line in lines) <= 1
    for name in NODES:
        charged, agreed = town.ledger(name)
        assert charged == [1, 2, 3]
        assert agreed == sorted(set(agreed))
    torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_merchant_that_lost_its_one_time_secrets_is_back_some_rounds_later(
    town: Town, make_plan: Callable[..., Plan]
) -> None:
    training = {"num_rounds": 6}
    terms = {"threshold": THRESHOLD, "colluders": COLLUDERS}
    privacy = {"unit": "customer", "training": training, "trust": "sum", "sum": terms}
    longer = make_plan(privacy=privacy, federation={"training": training})
    number = town.launch(longer)
    town.go(lambda: town.registry.launch(number).round_number == 1)
    for file in (town.folder / "alice").glob("sums.sqlite*"):  # what is committed may stand in the -wal file alone
        file.unlink()
    town.open("alice")
    town.finish(number)
    answered = ["alice" in line["answered"] for line in town.lines(number)]
    assert answered == [True, False, False, True, True, True]
    torch.testing.assert_close(town.released(number), replay(town, longer, number), rtol=0, atol=1e-6)


def test_under_noise_every_member_adds_its_share_though_one_reveals_wrong_shares(town: Town, plan: Plan) -> None:
    town.spoil["alice", REVEAL] = lie
    number = town.launch(plan, private=True)
    town.finish(number)
    (noise_multiplier,) = {terms.noise_multiplier for terms in town.registry.terms(number)}
    assert noise_multiplier == pytest.approx(2.0 / 3**0.5)
    assert [line["event"] for line in town.lines(number)] == ["round"] * 3
    assert [set(line["refused"]) for line in town.lines(number)] == [{"alice"}] * 3
    assert "told wrong shares of alice, bob" in town.lines(number)[0]["refused"]["alice"]


def lie(content: RecordDict) -> RecordDict:
    """Reveal other shares than were sealed for this member."""
    place, revealed = sum_reveal.decode_revealed(content)
    told = {name: bytes(32) + share[32:] for name, share in revealed.self_shares.items()}
    return sum_reveal.encode_revealed(place, sum_reveal.Revealed(told, revealed.key_shares))


def break_shares(content: RecordDict) -> RecordDict:
    """Seal nothing that anybody can open, for the first round."""
    place, shares = sum_shares.decode_shares(content)
    return sum_shares.encode_shares(place, {name: bytes(len(sealed)) for name, sealed in shares.items()})


@pytest.mark.slow
def test_who_reveals_wrong_shares_is_named_and_every_sum_comes_out_all_the_same(town: Town, plan: Plan) -> None:
    town.spoil["alice", REVEAL] = lie
    number = town.launch(plan)
    town.finish(number)
    rounds = town.lines(number)
    assert [line["event"] for line in rounds] == ["round"] * 3
    assert {name for line in rounds for name in line["refused"]} == {"alice"}
    assert "told wrong shares of alice, bob" in rounds[0]["refused"]["alice"]
    torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_who_seals_broken_shares_is_named_and_later_rounds_go_on_without_it(town: Town, plan: Plan) -> None:
    town.spoil["alice", SHARES] = break_shares
    number = town.launch(plan)
    town.finish(number)
    rounds = town.lines(number)
    assert [line["event"] for line in rounds] == ["skipped", "round", "round"]
    assert set(rounds[0]["refused"]) == {"alice"}
    assert ["alice" in line["answered"] for line in rounds] == [False] * 3
    torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_a_long_roster_sums_in_cohorts_and_one_without_enough_is_left_out(
    tmp_path: Path, make_plan: Callable[..., Plan]
) -> None:
    """Six in two sums of three: one is killed in the first round, and there is nobody to spare in its cohort."""
    nodes = {**NODES, "frank": 15}
    terms = {"threshold": 3, "colluders": 1, "cohort": 3}
    training = {"num_rounds": 2}
    privacy = {"unit": "customer", "training": training, "trust": "sum", "sum": terms}
    plan = make_plan(privacy=privacy, federation={"training": training})
    with make_town(tmp_path, nodes, LIMITS.replace("smallest_cohort = 5", "smallest_cohort = 3")) as town:
        number = town.launch(plan)
        sessions = parse_proposal(town.registry.launch(number).signed.content).sessions
        gone, others = sessions[0].names, set(sessions[1].names)
        town.dies_before = {(gone[0], 1, AGREE)}
        town.finish(number)
        first, second = town.lines(number)
        assert [line["event"] for line in (first, second)] == ["round", "round"]
        assert set(first["answered"]) == others
        assert "spent" in first["reason"]
        assert set(second["answered"]) == set(nodes)
        assert [town.ledger(name)[0] for name in nodes] == [[1, 2]] * 6
        torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)


def test_a_plan_of_sums_is_never_answered_without_masks(town: Town, plan: Plan) -> None:
    """Nor is one of another session, or a set at another model; nothing of it is charged or noted."""
    number = town.launch(plan)
    town.go(lambda: town.registry.launch(number).round_number == 1)
    run_hash = town.registry.launch(number).run_hash
    parameters = start_vector(plan, private=False).to(torch.float32)
    before = town.ledger("alice")
    plain = encode_request(RoundRequest(run_hash, 2, hash_vector(parameters), parameters))
    assert is_refused(town, plain, TRAIN)
    other = Place(run_hash, "d" * 64, 2)
    assert is_refused(town, sum_keys.encode_question(other, num_rounds=1), KEYS)
    session = session_of(town, number)
    here = Place(run_hash, session.hash, 1)
    beyond = Place(run_hash, session.hash, ROUNDS)
    assert is_refused(town, sum_keys.encode_question(beyond, num_rounds=2), KEYS)
    assert is_refused(town, sum_agree.encode_question(here, model_hash="e" * 64, survivors=session.names), AGREE)
    assert is_refused(town, sum_reveal.encode_question(here, {}), REVEAL)
    assert town.ledger("alice") == before


def is_refused(town: Town, content: RecordDict, message_type: str) -> bool:
    message = Message(content, NODES["alice"], message_type, ttl=60.0, group_id="0")
    try:
        return not town.apps["alice"](message, make_context(NODES["alice"])).has_content()
    except MessageError as error:
        return str(error) == DECLINED


def session_of(town: Town, number: int) -> Session:
    return parse_proposal(town.registry.launch(number).signed.content).sessions[0]


def test_a_member_of_an_older_protocol_is_never_asked_and_a_roster_is_made_without_it(town: Town, plan: Plan) -> None:
    town.registry.note_protocol("erin", 2)
    town.registry.forget_peer("erin")
    town.connect()
    with pytest.raises(ConfigError, match=r"Usual for 4 is: threshold = 3, colluders = 1"):
        town.launch(plan.model_copy(update={"privacy": plan.privacy.model_copy(update={"sum": _worse(plan)})}))
    number = town.launch(plan)
    town.go(lambda: len(town.lines(number, "accepted", "declined")) == 4)
    assert not any(node == NODES["erin"] and kind == PROPOSAL for node, _, kind in town.grid.sent)


def _worse(plan: Plan) -> Any:
    assert plan.privacy.sum is not None
    return plan.privacy.sum.model_copy(update={"threshold": 2})


@pytest.mark.slow
def test_what_a_member_sent_before_it_was_revoked_is_in_no_sum(town: Town, plan: Plan) -> None:
    number = town.launch(plan)
    town.go(lambda: town.registry.launch(number).round_number == 1)
    revoke = town.grid.pull_messages

    def pull(message_ids: Iterable[str]) -> list[Message]:
        replies = revoke(message_ids)
        about = [(reply.metadata.src_node_id, reply.metadata.message_type) for reply in replies]
        if (NODES["bob"], TRAIN) in about and town.registry.peer_keys().get("bob"):
            town.registry.revoke("bob")
        return replies

    town.grid.pull_messages = pull  # type: ignore[method-assign]
    town.finish(number)
    assert ["bob" in line["answered"] for line in town.lines(number)] == [True, False, False]
    torch.testing.assert_close(town.released(number), replay(town, plan, number), rtol=0, atol=1e-6)
