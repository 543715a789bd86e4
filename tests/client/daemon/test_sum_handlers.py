"""A coordinator that lies to one real merchant of a secure sum: other models, rosters, names, cut and old messages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from client.account.ledger.entry import Agreed, Spend
from client.daemon.handlers import Handlers
from client.secure_sum.agreed import MemoryAgreements
from client.secure_sum.member import SumMember
from common.errors import HansaError
from common.message import proposal, sum_agree, sum_keys, sum_reveal, sum_shares
from common.message.peer import decode_peer, encode_question
from common.message.proposal import Proposal, encode_signed
from common.message.round import RoundRequest
from common.message.signature import public_bytes, sign
from common.message.sum_place import Place
from common.message.sum_round import SumRequest, encode_sum_request
from common.message.vector import hash_vector
from common.message.wire import to_wire
from common.model.demand_gru import get_vector
from common.model.warm.start import start_without_data
from common.plan.schema import Plan
from common.secure_sum.keys import SignedKeys
from common.secure_sum.roster import Peer, Session
from fleet.merchant import SIZE_CLASS, open_again, open_merchant
from sum_world import folder_in_memory, open_store

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OWN, OTHERS = "alice", ("bob", "carol", "dave", "erin")
ROUNDS = 3
LIMITS = """
[sum]
smallest_cohort = 5
verified_peers = 0
colluders = 1
epsilon_if_all_collude = 36.0
"""


def identity(name: str, generation: int = 0) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes((name + str(generation)).encode().ljust(32))


@dataclass
class Liar:
    """What the coordinator says to the merchant, with four members of its own beside it."""

    folder: Path
    plan: Plan
    handlers: Handlers
    memory: Path
    generation: int = 0
    session: Session = field(init=False)
    keys: dict[str, SignedKeys] = field(init=False)
    bundles: dict[str, dict[str, bytes]] = field(init=False)

    def propose(self, generation: int = 0) -> None:
        """Propose the plan, with the others under other keys in each generation."""
        self.generation = generation
        key = decode_peer(self.handlers.show_peer(encode_question(OWN))).key
        others = [Peer(name=name, key=public_bytes(identity(name, generation)).hex(), size_class=SIZE_CLASS)
                  for name in OTHERS]  # fmt: skip
        roster = (Peer(name=OWN, key=key, size_class=SIZE_CLASS), *others)
        offered = Proposal(plan=self.plan, private=True, cohort_size=5, quorum=4, roster=roster)
        self.handlers.consider(encode_signed(sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE)))
        self.session = offered.sessions[0]

    def place(self, number: int = 1) -> Place:
        return Place(self.session.run_hash, self.session.hash, number)

    def member(self, name: str) -> SumMember:
        store = open_store(self.memory / f"{name} {self.generation}.sqlite")
        return SumMember(self.session, name, identity(name, self.generation), store, agreements=MemoryAgreements())

    def open(self) -> None:
        """Have keys and shares of round 1 made by everybody."""
        self.members = {name: self.member(name) for name in OTHERS}
        asked = self.handlers.answer_sum("keys")(sum_keys.encode_question(self.place(), num_rounds=1))
        (own,) = sum_keys.decode_keys(asked, num_rounds=1)[1]
        self.keys = {OWN: own} | {name: member.keys(1, 1) for name, member in self.members.items()}
        self.bundles = {OWN: self.shares(self.keys)}
        self.bundles |= {name: member.shares(1, self.keys) for name, member in self.members.items()}

    def shares(self, keys: Mapping[str, SignedKeys]) -> dict[str, bytes]:
        answer = self.handlers.answer_sum("shares")(sum_shares.encode_question(self.place(), keys))
        return sum_shares.decode_shares(answer)[1]

    def incoming(self) -> dict[str, bytes]:
        return {name: self.bundles[name][OWN] for name in OTHERS}

    def request(self, seed: int = 0, *, number: int = 1, shares: Mapping[str, bytes] | None = None) -> RecordDict:
        start = get_vector(start_without_data(self.plan, private=True))
        parameters = start + 0.1 * torch.randn(len(start), generator=torch.Generator().manual_seed(seed))
        self.model = hash_vector(parameters)
        asked = RoundRequest(self.session.run_hash, number, self.model, parameters)
        return encode_sum_request(SumRequest(self.place(number), asked, self.incoming() if shares is None else shares))

    def agree(self, survivors: Sequence[str], *, model: str | None = None, handlers: Handlers | None = None) -> bytes:
        question = sum_agree.encode_question(self.place(), model_hash=model or self.model, survivors=survivors)
        return sum_agree.decode_signature((handlers or self.handlers).answer_sum("agree")(question))[1]

    def sign_as_others(self, survivors: Sequence[str]) -> dict[str, bytes]:
        """Have the others mask and sign, whatever for."""
        signed = {}
        for name, member in self.members.items():
            sent = {by: bundles[name] for by, bundles in self.bundles.items() if by != name}
            member.mask(1, torch.zeros(3, dtype=torch.int64).numpy(), sent, model_hash=self.model)
            signed[name] = member.agree(1, self.model, survivors)
        return signed

    def reveal(self, signatures: Mapping[str, bytes], *, handlers: Handlers | None = None) -> bytes:
        question = sum_reveal.encode_question(self.place(), signatures)
        return to_wire((handlers or self.handlers).answer_sum("reveal")(question))

    def ledger(self) -> tuple[list[int], list[int]]:
        entries = self.handlers._ledger.entries
        return (
            [entry.round_number for entry in entries if isinstance(entry, Spend)],
            [entry.round_number for entry in entries if isinstance(entry, Agreed)],
        )


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    terms = {"threshold": 4, "colluders": 1, "noise_multiplier": 20.0}
    privacy = {"unit": "customer", "training": {"num_rounds": ROUNDS}, "trust": "sum", "sum": terms}
    return make_plan(privacy=privacy)


@pytest.fixture
def liar(tmp_path: Path, plan: Plan) -> Iterator[Liar]:
    with ExitStack() as stack:
        memory = stack.enter_context(folder_in_memory())
        handlers = stack.enter_context(open_merchant(tmp_path / OWN, OWN, key=KEY))
        policy = tmp_path / OWN / "policy.toml"
        policy.write_text(policy.read_text() + LIMITS)
        made = Liar(tmp_path / OWN, plan, handlers, memory)
        made.propose()
        made.open()
        yield made


@contextmanager
def another_daemon(liar: Liar) -> Iterator[Handlers]:
    with open_again(liar.folder, OWN, key=KEY) as handlers:
        handlers.resume()
        yield handlers


def refused(step: Callable[[], object]) -> str:
    with pytest.raises(HansaError) as caught:
        step()
    return str(caught.value)


def test_two_daemons_on_one_folder_say_the_same_and_agree_to_one_set(liar: Liar) -> None:
    request, (everybody, fewer) = liar.request(), ((OWN, *OTHERS), (OWN, *OTHERS[:3]))
    with another_daemon(liar) as other:
        first = to_wire(liar.handlers.answer(request))
        assert to_wire(other.answer(request)) == first
        signature = liar.agree(everybody)
        assert "another set" in refused(lambda: liar.agree(fewer, handlers=other))
        assert liar.agree(everybody, handlers=other) == signature
        signed = liar.sign_as_others(everybody)
        assert liar.reveal(signed) == liar.reveal(signed, handlers=other)
    assert liar.ledger() == ([1], [1])


def test_another_model_is_neither_masked_nor_signed(liar: Liar) -> None:
    first = to_wire(liar.handlers.answer(liar.request()))
    shown = liar.model
    refused(lambda: liar.handlers.answer(liar.request(seed=1)))
    assert "another model" in refused(lambda: liar.agree((OWN, *OTHERS)))
    assert to_wire(liar.handlers.answer(liar.request())) == first
    assert liar.model == shown
    assert liar.agree((OWN, *OTHERS))


def test_a_round_that_was_charged_is_not_asked_for_under_another_roster(liar: Liar) -> None:
    request = liar.request()
    liar.handlers.answer(request)
    question = sum_agree.encode_question(liar.place(), model_hash=liar.model, survivors=(OWN, *OTHERS))
    liar.propose(generation=1)
    liar.open()
    assert "other merchants" in refused(lambda: liar.handlers.answer(liar.request()))
    refused(lambda: liar.handlers.answer(request))
    refused(lambda: liar.handlers.answer_sum("agree")(question))
    refused(lambda: liar.agree((OWN, *OTHERS)))
    assert liar.ledger() == ([1], [])


def test_bundles_and_keys_in_others_names_cut_or_of_another_session_are_refused_and_the_right_ones_follow(
    liar: Liar,
) -> None:
    right, (one, other, *_) = liar.incoming(), OTHERS
    swapped = {**right, one: right[other], other: right[one]}
    cut = {**right, one: right[one][:-1], other: right[other][:-1]}  # one alone would cost nobody the round
    for wrong in (swapped, cut, {}, {one: right[one]}, {**right, OWN: right[one]}):
        refused(lambda wrong=wrong: liar.handlers.answer(liar.request(shares=wrong)))
    keys = {**liar.keys, one: liar.keys[other], other: liar.keys[one]}
    refused(lambda: liar.shares(keys))
    assert liar.shares(liar.keys) == liar.bundles[OWN]
    liar.handlers.answer(liar.request())
    signed = liar.sign_as_others((OWN, *OTHERS))
    refused(lambda: liar.reveal(signed))  # before it signed itself
    liar.agree((OWN, *OTHERS))
    refused(lambda: liar.reveal({**signed, one: signed[other]}))
    refused(lambda: liar.reveal(dict(list(signed.items())[:3])))
    assert liar.reveal(signed)
    assert liar.ledger() == ([1], [1])


def test_an_older_file_of_sums_under_a_newer_ledger_gives_no_second_vector_and_no_second_set(liar: Liar) -> None:
    older = liar.memory / "older.sqlite"
    liar.handlers._sums._store.close()
    shutil.copy(liar.folder / "sums.sqlite", older)  # keys and shares of the round are in it
    with another_daemon(liar) as handlers:
        first = to_wire(handlers.answer(liar.request()))
        liar.agree((OWN, *OTHERS), handlers=handlers)
        handlers._sums._store.close()
    shutil.copy(older, liar.folder / "sums.sqlite")
    with another_daemon(liar) as handlers:
        assert to_wire(handlers.answer(liar.request())) == first
        refused(lambda: liar.agree((OWN, *OTHERS[:3]), handlers=handlers))
    assert liar.ledger() == ([1], [1])
