"""A daemon in its own process, against a real SuperLink over real TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import Message, RecordDict

from client.desk import count_parameters
from common.message import proposal, release
from common.message.proposal import PROPOSAL, Proposal, decode_terms, encode_signed
from common.message.record import hash_vector
from common.message.release import RELEASE, Release, ReleaseNote, decode_receipt, encode_release
from common.message.round import RoundRequest, decode_reply, encode_request
from common.plan import Plan
from common.signature import name_key, public_bytes, sign
from common.wire import to_wire
from fleet.shop import Shop, make_shop
from fleet.superlink import Coordinator, SuperLink, make_superlink

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:GitWildMatchPattern"),  # Flower packs a FAB by pathspec's old name of it
]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
COORDINATOR = public_bytes(KEY)


@pytest.fixture(scope="module")
def superlink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuperLink]:
    link = make_superlink(tmp_path_factory.mktemp("coordinator") / "folder")
    link.start()
    yield link
    link.stop()


@pytest.fixture
def shop(superlink: SuperLink, tmp_path: Path) -> Iterator[Shop]:
    """Make a merchant that has joined; its daemon is for the test to start."""
    merchant = make_shop(tmp_path / "shop", coordinator=name_key(COORDINATOR))
    join(merchant, superlink)
    yield merchant
    if merchant.process is not None:
        merchant.process.kill()
        merchant.process.wait()


def join(merchant: Shop, superlink: SuperLink) -> None:
    assert merchant.command("join", "shop-1").returncode == 0
    welcome = superlink.enroll_file(merchant.folder / "shop-1.request.json", coordinator=COORDINATOR.hex())
    done = merchant.command("join", "--welcome", welcome)
    assert done.returncode == 0, done.stderr
    assert name_key(COORDINATOR) in done.stdout


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"unit": "customer", "training": {"num_rounds": 4}})


def propose(plan: Plan, *, key: Ed25519PrivateKey = KEY, purpose: str = proposal.PURPOSE) -> RecordDict:
    offered = Proposal(plan=plan, private=True, cohort_size=3)
    return encode_signed(sign(offered.to_bytes(), key, purpose=purpose))


def ask_round(plan: Plan, round_number: int) -> RecordDict:
    parameters = torch.full((count_parameters(plan),), 0.01 * round_number)
    return encode_request(RoundRequest(plan.run_hash(private=True), round_number, hash_vector(parameters), parameters))


def make_release(
    plan: Plan, *, key: Ed25519PrivateKey = KEY, at: datetime | None = None
) -> tuple[ReleaseNote, RecordDict]:
    parameters = torch.full((count_parameters(plan),), 0.02)
    note = ReleaseNote(
        plan=plan,
        private=True,
        round_number=4,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=at or datetime.now(UTC),
        members=(),
        software="test",
    )
    return note, encode_release(Release(sign(note.to_bytes(), key, purpose=release.PURPOSE), parameters))


def is_declined(reply: Message) -> bool:
    return reply.has_error() and (reply.error.code, reply.error.reason) == (2, "declined")


def reach(superlink: SuperLink, coordinator: Coordinator, shop: Shop) -> int:
    shop.wait_for_state("connected")
    coordinator.wait_for_nodes(1)
    node_id: int = shop.health["node_id"]
    return node_id


def test_a_plan_is_proposed_run_and_released(superlink: SuperLink, shop: Shop, plan: Plan) -> None:
    shop.start()
    with superlink.run() as coordinator:
        node = reach(superlink, coordinator, shop)
        terms = decode_terms(coordinator.ask(node, PROPOSAL, propose(plan)).content)
        assert (terms.plan_hash, terms.size_class) == (plan.run_hash(private=True), 32)
        answers = [coordinator.ask(node, "train", ask_round(plan, number)).content for number in (1, 2, 2)]
        assert decode_reply(answers[0], size=count_parameters(plan)).round_number == 1
        assert to_wire(answers[1]) == to_wire(answers[2]), "a repeated round must give the very same bytes"
        note, released = make_release(plan)
        assert decode_receipt(coordinator.ask(node, RELEASE, released).content) == note.model_hash
    assert (shop.folder / "models" / f"{note.run_hash}.safetensors").is_file()
    assert shop.health["latest_round"]["round_number"] == 2
    assert shop.stop() == 0
    assert shop.health["state"] == "stopped"
    assert "Traceback" not in shop.log
