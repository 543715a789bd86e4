"""Who was revoked comes back: a real coordinator with its SuperLink, and real daemons in threads of this process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from certs.authority import Authority, fingerprint, read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key, read_or_make_signing_key
from certs.request import JoinRequest, make_request, make_welcome, public_pem, write_document
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.policy import read_policy
from client.daemon.gateway_client import GatewayClient
from client.daemon.health import Health, read_node_id
from client.daemon.loop import Daemon
from client.daemon.membership import accept_welcome, ask_to_join, read_membership
from client.daemon.merchant import JoinedMerchant
from client.folder import MerchantFolder
from common.message import proposal
from common.message.proposal import Proposal
from common.message.signature import name_key, public_bytes, sign
from common.plan.schema import Plan
from fleet.shop import POLICY, write_rows
from network.coordinator import Coordinator, Knocker, activation, await_entry, make_coordinator
from server.coordinator.journal import Journal
from server.process.superlink import open_superlink
from server.registry.registry import Registry

ROUNDS = 6


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    made = make_coordinator(tmp_path_factory.mktemp("return"))
    with made.running(made.join("first")):
        yield made


@pytest.fixture
def registry(coordinator: Coordinator) -> Iterator[Registry]:
    with closing(Registry(coordinator.home.registry)) as opened:
        yield opened


def await_true(look: Callable[[], bool], *, say: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, say()
        time.sleep(0.05)


# In every order


@dataclass
class Visitor:
    """A merchant at the gate, which is let in and revoked without a process for each."""

    coordinator: Coordinator
    registry: Registry
    name: str
    key_number: int = 0

    def revoke(self) -> None:
        self.registry.revoke(self.name)

    def lose_keys(self) -> None:
        self.key_number += 1

    def enroll(self) -> None:
        folder, home = self.folder, self.coordinator.home
        folder.mkdir(parents=True, exist_ok=True)
        request = make_request(self.name, 64, tls_key=self.tls_key, node_key=self.node_key)
        pem = Authority(home.authority).sign_merchant(request)
        (folder / "tls.pem").write_bytes(pem)
        self.registry.enroll(request, certificate=fingerprint(read_certificate(pem, origin="test")))

    def settle(self) -> None:
        """Let the coordinator see what there is, and do what follows."""
        member = next(member for member in self.registry.members() if member.name == self.name)
        if member.is_welcome:
            await_entry(self.knocker)
        else:
            await_true(lambda: not self.registry.left(), say=self.registry.left)

    @property
    def folder(self) -> Path:
        return self.coordinator.home.folder / "visitors" / self.name

    @property
    def tls_key(self) -> Any:
        return read_or_make_curve_key(self.folder / f"tls{self.key_number}.key", TLS_CURVE)

    @property
    def node_key(self) -> Any:
        return read_or_make_curve_key(self.folder / f"node{self.key_number}.key", NODE_CURVE)

    @property
    def knocker(self) -> Knocker:
        authority, tls_key = self.coordinator.home.authority / "authority.pem", f"tls{self.key_number}.key"
        return Knocker(self.coordinator.port, authority, self.folder / "tls.pem", self.folder / tls_key, self.node_key)


QUICK = [
    "enroll settle revoke settle enroll settle revoke lose_keys enroll",  # the same key, then another
    "enroll revoke lose_keys enroll revoke settle enroll",  # before anybody looked
]
ORDERS = [
    "enroll settle revoke settle enroll",
    "enroll settle revoke settle lose_keys enroll",
    "enroll settle revoke enroll",
    "enroll settle revoke lose_keys enroll",
    "enroll settle revoke revoke settle enroll settle revoke settle enroll",
    "enroll revoke enroll",
    "enroll revoke lose_keys enroll",
]


@pytest.mark.parametrize("order", [*QUICK, *(pytest.param(order, marks=pytest.mark.slow) for order in ORDERS)])
def test_a_member_comes_back_in_every_order(coordinator: Coordinator, registry: Registry, order: str) -> None:
    visitor = Visitor(coordinator, registry, "visitor-" + "".join(step[0] for step in order.split()))
    for step in order.split():
        getattr(visitor, step)()
    node_id = await_entry(visitor.knocker)
    known = open_superlink(coordinator.home, coordinator.home.read_settings()).nodes()
    key = public_pem(visitor.node_key.public_key()).decode()
    assert [node for node, found in known.items() if found == key] == [node_id]


@pytest.mark.slow
def test_who_is_revoked_while_nothing_runs_stays_out_or_comes_back(
    coordinator: Coordinator, registry: Registry
) -> None:
    out, back = (Visitor(coordinator, registry, name) for name in ("stays-out", "comes-back"))
    nodes = []
    for visitor in (out, back):
        visitor.enroll()
        nodes.append(await_entry(visitor.knocker))
    coordinator.stop()
    for visitor in (out, back):
        visitor.revoke()
    back.enroll()
    coordinator.start()
    nodes.append(await_entry(back.knocker))
    await_true(lambda: not registry.left(), say=registry.left)
    known = open_superlink(coordinator.home, coordinator.home.read_settings()).nodes()
    assert [node in known for node in nodes] == [False, False, True]
    assert out.knocker.ask("/v1/fleet/activate-node", activation(out.knocker)).status_code == 403


# While rounds are held


@dataclass
class Merchant:
    """A merchant with its daemon in a thread, which goes on in another where a process would."""

    coordinator: Coordinator
    name: str
    processes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _daemon: Daemon | None = None

    @property
    def home(self) -> MerchantFolder:
        return MerchantFolder(self.coordinator.home.folder / "merchants" / self.name)

    @property
    def health(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self.home.health.read_text())
        return said

    def settle_in(self) -> None:
        self.home.folder.mkdir(parents=True)
        key = name_key(public_bytes(read_or_make_signing_key(self.coordinator.home.signing_key)))
        self.home.policy.write_text(POLICY.replace("{coordinators}", f'"{key}"'))
        write_rows(self.home.folder / "rows.csv", num_customers=4)
        create_ledger(self.home.ledger)
        with closing(Ledger(self.home.ledger)) as ledger:
            ledger.open_account("shop", "customer", delta=1e-5, at=now_utc())

    def join(self, registry: Registry) -> None:
        """Ask, be enrolled, and keep the welcome, as the three commands do."""
        home, settings = self.coordinator.home, self.coordinator.home.read_settings()
        request: JoinRequest = ask_to_join(self.home, self.name, read_policy(self.home.policy))
        authority = Authority(home.authority)
        pem = authority.sign_merchant(request)
        registry.enroll(request, certificate=fingerprint(read_certificate(pem, origin="test")))
        welcome = make_welcome(
            request,
            federation=settings.name,
            address=settings.address,
            authority=authority.pem.decode(),
            certificate=pem.decode(),
            key=read_or_make_signing_key(home.signing_key),
        )
        write_document(welcome, self.home.folder / "welcome.json")
        accept_welcome(self.home, self.home.folder / "welcome.json")

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name=self.name)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            if self._daemon is not None:
                self._daemon.stop()
            thread.join(60)
            assert not thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.processes += 1
            with closing(Ledger(self.home.ledger)) as ledger:
                membership = read_membership(self.home)
                federation = membership.federation
                merchant = JoinedMerchant(self.home, federation, ledger, self.home.folder, "cpu")
                gateway = GatewayClient(
                    federation.welcome.address,
                    membership.node_key,
                    membership.context,
                    node_id=read_node_id(self.home.health),
                )
                with closing(gateway):
                    health = Health(self.home.health)
                    self._daemon = Daemon(gateway, merchant, health, idle_seconds=None, rest_seconds=600.0)
                    if not self._daemon.run():
                        return


def launch(coordinator: Coordinator, registry: Registry, plan: Plan, *, quorum: int) -> int:
    proposed = Proposal(plan=plan, private=True, cohort_size=2)
    return registry.add_launch(
        sign(proposed.to_bytes(), read_or_make_signing_key(coordinator.home.signing_key), purpose=proposal.PURPOSE),
        run_hash=proposed.run_hash,
        plan=plan.name,
        num_rounds=ROUNDS,
        quorum=quorum,
        round_seconds=60.0,
    )


@pytest.mark.slow
def test_a_revoked_member_is_shut_out_at_once_and_answers_rounds_again_when_it_is_back(
    coordinator: Coordinator, registry: Registry, make_plan: Callable[..., Plan]
) -> None:
    alice, bob = Merchant(coordinator, "alice"), Merchant(coordinator, "bob")
    for merchant in (alice, bob):
        merchant.settle_in()
        merchant.join(registry)
    superlink = open_superlink(coordinator.home, coordinator.home.read_settings())

    def say() -> object:
        log = (coordinator.home.logs / "coordinator.log").read_text()[-2000:]
        return registry.launches(), registry.members(), alice.health, bob.health, log

    with alice.running(), bob.running():
        plan = make_plan(privacy={"unit": "customer", "training": {"num_rounds": ROUNDS}})
        number = launch(coordinator, registry, plan, quorum=2)
        await_true(lambda: registry.launch(number).round_number >= 2, say=say)
        node_id = next(member.node_id for member in registry.members() if member.name == "alice")
        registry.revoke("alice")
        await_true(lambda: not registry.left(), say=say)
        assert node_id not in superlink.nodes()
        await_true(lambda: "waits for members: 1 of the 2" in registry.launch(number).reason, say=say)
        held = registry.launch(number).round_number
        assert held < ROUNDS
        await_true(lambda: alice.health["state"] == "refused", say=say)
        alice.join(registry)
        await_true(lambda: registry.launch(number).round_number > held, say=say)
        assert alice.processes == 2, "the daemon takes up its new certificate by itself"
        registry.revoke("bob")
        bob.home.tls_key.unlink()
        bob.home.node_key.unlink()
        bob.join(registry)
        await_true(lambda: registry.launch(number).round_number == ROUNDS, say=say)
    lines = Journal(coordinator.home.launch(number) / "journal.jsonl").read()
    last = [line for line in lines if line["event"] == "round"][-1]
    assert last["answered"] == ["alice", "bob"]
    refused = {name: why for line in lines for name, why in line.get("refused", {}).items()}
    assert set(refused.values()) <= {"the merchant was revoked"}
    accepted = [line["member"] for line in lines if line["event"] == "accepted"]
    assert sorted(accepted) == ["alice", "alice", "bob", "bob"], "who is back is asked for its terms anew"
