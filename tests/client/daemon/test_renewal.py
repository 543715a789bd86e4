"""A new welcome that comes as a message: what is taken, and what is refused with a sentence and changes nothing."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from certs.authority import Authority, make_authority
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key
from certs.request import JoinRequest, Welcome, make_request, make_welcome, read_document, write_document
from client.account.agreement import Offer, require_approved
from client.account.ledger.ledger import Ledger, create_ledger, now_utc
from client.account.policy import read_policy
from client.daemon import loop
from client.daemon.gateway_client import GatewayClient
from client.daemon.handlers import Handlers
from client.daemon.health import Health
from client.daemon.loop import Daemon
from client.daemon.membership import accept_welcome, ask_to_join, read_federation, read_membership, read_vouchers
from client.daemon.merchant import JoinedMerchant
from client.daemon.proposal_store import ProposalStore
from client.diagnosis.trial_round import make_offer
from client.folder import MerchantFolder
from common.errors import DataError, HansaError, MessageError, PrivacyError
from common.message import proposal
from common.message.proposal import Proposal, encode_signed
from common.message.signature import name_key, public_bytes, sign
from common.message.succession import MOST_LINKS, Link, succeed
from common.message.welcome import (
    PURPOSE,
    LiveWelcome,
    decode_welcome_receipt,
    encode_welcome,
    hash_welcome,
)
from common.plan.schema import Plan
from fleet.shop import POLICY, write_rows

OLD, NEW, NEWEST, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)) for number in (1, 2, 3, 4))
NOW = datetime.now(UTC)


@dataclass
class Town:
    """A coordinator that hands welcomes out, and one merchant."""

    folder: Path
    home: MerchantFolder
    request: JoinRequest
    old: Authority
    new: Authority
    handlers: Handlers

    def welcome(
        self,
        *,
        key: Ed25519PrivateKey = OLD,
        links: tuple[Link, ...] = (),
        request: JoinRequest | None = None,
        issuer: Authority | None = None,
        **said: Any,
    ) -> RecordDict:
        issuer = issuer or self.new
        usual = {
            "federation": "hanse",
            "name": "shop",
            "address": "localhost:1",
            "certificate": issuer.sign_merchant(request or self.request).decode(),
            "authority": self.new.pem.decode(),
            "authorities": (self.old.pem.decode(), self.new.pem.decode()),
            "coordinator": public_bytes(OLD).hex(),
            "issued_at": NOW,
        }
        content = LiveWelcome(**(usual | said)).to_bytes()
        return encode_welcome(sign(content, key, purpose=PURPOSE), links)

    def file(self, key: Ed25519PrivateKey) -> Welcome:
        return make_welcome(
            self.request,
            federation="hanse",
            address="localhost:1",
            authority=self.new.pem.decode(),
            certificate=self.new.sign_merchant(self.request).decode(),
            key=key,
        )

    @property
    def files(self) -> tuple[bytes, bytes]:
        return self.home.federation.read_bytes(), self.home.certificate.read_bytes()


def link(old: Ed25519PrivateKey, new: Ed25519PrivateKey) -> Link:
    return succeed(old, public_bytes(new), NOW)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "policy.toml").write_text(POLICY.replace("{coordinators}", f'"{name_key(public_bytes(OLD))}"'))
    write_rows(folder / "rows.csv", num_customers=6)
    create_ledger(folder / "ledger.sqlite")
    authorities = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        authorities.append(make_authority(tmp_path / name, "hanse"))
    home = MerchantFolder(folder)
    request = ask_to_join(home, "shop", read_policy(home.policy))
    welcome = make_welcome(
        request,
        federation="hanse",
        address="localhost:1",
        authority=authorities[0].pem.decode(),
        certificate=authorities[0].sign_merchant(request).decode(),
        key=OLD,
    )
    write_document(welcome, tmp_path / "welcome.json")
    federation = accept_welcome(home, tmp_path / "welcome.json")
    with closing(Ledger(home.ledger)) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=now_utc())
        handlers = Handlers(home, federation, ledger, data_root=folder, device=torch.device("cpu"))
        yield Town(tmp_path, home, request, *authorities, handlers)


def propose(plan: Plan, key: Ed25519PrivateKey) -> RecordDict:
    offered = Proposal(plan=plan, private=True, cohort_size=3, quorum=1)
    return encode_signed(sign(offered.to_bytes(), key, purpose=proposal.PURPOSE))


def test_a_new_authority_and_certificate_are_kept_and_used(town: Town) -> None:
    record = town.welcome()
    receipt = town.handlers.renew(record)
    assert decode_welcome_receipt(receipt) == hash_welcome(record["about"]["content"])
    membership = read_membership(town.home)
    assert membership.federation == town.handlers.federation
    assert membership.federation.welcome.authority == town.new.pem.decode()
    assert membership.federation.authorities == (town.old.pem.decode(), town.new.pem.decode())
    assert len(membership.context.get_ca_certs()) == 2
    assert town.handlers.renew(record) == receipt, "said again it changes nothing"


def test_a_successor_that_the_trusted_key_names_is_trusted_and_listed_where_that_key_is(
    town: Town, make_plan: Any
) -> None:
    """During the overlap both keys count; after it the first one does not, and what it signed is still read."""
    plan = make_plan(privacy={"unit": "customer", "training": {"num_rounds": 3}})
    town.handlers.consider(propose(plan, OLD))
    links = (link(OLD, NEW),)
    town.handlers.renew(town.welcome(links=links))
    for key in (OLD, NEW):
        town.handlers.consider(propose(plan, key))
    later = {"coordinator": public_bytes(NEW).hex(), "issued_at": NOW + timedelta(seconds=1)}
    town.handlers.renew(town.welcome(key=NEW, links=links, **later))
    with pytest.raises(PrivacyError, match="not signed by this federation's coordinator"):
        town.handlers.consider(propose(plan, OLD))
    town.handlers.consider(propose(plan, NEW))
    federation = read_federation(town.home)
    assert federation.coordinator_name == name_key(public_bytes(NEW))
    assert federation.vouched_by == (name_key(public_bytes(OLD)),)
    store = ProposalStore(town.home.plans, *federation.lineage.keys)
    assert [store.read_proposal(path).proposal.plan for path in store.proposals] == [plan]
    policy = read_policy(town.home.policy)
    require_approved(policy, make_offer(town.home, policy, plan))
    assert read_vouchers(town.home, name_key(public_bytes(NEW))) == federation.vouched_by
    assert read_vouchers(town.home, name_key(public_bytes(STRANGER))) == ()
    with pytest.raises(PrivacyError, match="does not list"):
        require_approved(policy, Offer(plan, True, name_key(public_bytes(NEW)), 3))


def test_who_was_away_for_two_rotations_takes_both_at_once(town: Town) -> None:
    links = (link(OLD, NEW), link(NEW, NEWEST))
    town.handlers.renew(town.welcome(key=NEWEST, links=links, coordinator=public_bytes(NEWEST).hex()))
    assert town.handlers.federation.vouched_by == (name_key(public_bytes(OLD)), name_key(public_bytes(NEW)))


def test_who_joined_after_a_rotation_learns_which_key_came_before(town: Town) -> None:
    """Its policy may name the first key: nobody but its owner could have named the second."""
    town.handlers.renew(town.welcome(links=(link(STRANGER, OLD), link(OLD, NEW))))
    assert town.handlers.federation.vouched_by == (name_key(public_bytes(STRANGER)),)
    assert town.handlers.federation.signers == (public_bytes(OLD), public_bytes(NEW))


def other_request(town: Town) -> JoinRequest:
    tls_key = read_or_make_curve_key(town.folder / "other.key", TLS_CURVE)
    return make_request("shop", 32, tls_key=tls_key, node_key=read_or_make_curve_key(town.home.node_key, NODE_CURVE))


@pytest.mark.parametrize(
    ("how", "error", "sentence"),
    [
        (lambda town: {"key": STRANGER}, PrivacyError, "A renewal is not signed by this federation's coordinator"),
        (
            lambda town: {"key": NEW, "links": (link(STRANGER, NEW),)},
            PrivacyError,
            "follows from another key than the coordinator's",
        ),
        (
            lambda town: {
                "key": NEW,
                "links": (Link(content=link(OLD, NEW).content, signature=link(STRANGER, NEW).signature),),
            },
            PrivacyError,
            "not vouched for by the one before it",
        ),
        (lambda town: {"request": other_request(town)}, DataError, "is not for the key in tls.key"),
        (lambda town: {"issuer": town.old}, DataError, "not signed for it by the authority"),
        (lambda town: {"name": "north"}, MessageError, "for another merchant or federation"),
        (lambda town: {"federation": "other"}, MessageError, "for another merchant or federation"),
        (lambda town: {"address": "nowhere"}, DataError, "no address of the form host:port"),
        (lambda town: {"authorities": (town.old.pem.decode(),)}, DataError, "does not trust the authority"),
        (lambda town: {"issued_at": NOW + timedelta(days=2)}, MessageError, "dated more than a day ahead"),
        (
            lambda town: {"coordinator": public_bytes(STRANGER).hex()},
            PrivacyError,
            "names a key of the coordinator that",
        ),
    ],
)
def test_a_welcome_that_is_not_sound_is_refused_and_nothing_changes(
    town: Town, how: Any, error: type[HansaError], sentence: str
) -> None:
    before = town.files, town.handlers.federation
    with pytest.raises(error, match=sentence):
        town.handlers.renew(town.welcome(**how(town)))
    assert (town.files, town.handlers.federation) == before


def test_an_older_welcome_cannot_roll_a_later_one_back(town: Town) -> None:
    links, first = (link(OLD, NEW),), town.welcome(issued_at=NOW - timedelta(hours=1))
    town.handlers.renew(first)
    town.handlers.renew(town.welcome(links=links))
    with pytest.raises(PrivacyError, match="older than the one that is in use"):
        town.handlers.renew(first)
    assert town.handlers.federation.signers == (public_bytes(OLD), public_bytes(NEW))


def test_after_the_overlap_the_old_key_names_no_other_successor(town: Town) -> None:
    """Whoever stole the old key may name a key of its own; who took the first successor up does not follow."""
    town.handlers.renew(town.welcome(key=NEW, links=(link(OLD, NEW),), coordinator=public_bytes(NEW).hex()))
    for links in ((link(OLD, STRANGER),), (link(OLD, NEW), link(NEW, STRANGER))):
        forged = town.welcome(
            key=OLD, links=links, coordinator=public_bytes(NEW).hex(), issued_at=NOW + timedelta(seconds=1)
        )
        with pytest.raises(PrivacyError):
            town.handlers.renew(forged)


def test_a_line_that_does_not_work_is_not_gone_over_to(town: Town) -> None:
    def fail(federation: object) -> None:
        raise MessageError("A new welcome is not taken, since its line does not work.")

    town.handlers.try_line = fail
    before = town.files
    with pytest.raises(MessageError, match="its line does not work"):
        town.handlers.renew(town.welcome())
    assert town.files == before


def test_a_chain_that_was_changed_on_the_disk_is_noticed(town: Town) -> None:
    town.handlers.renew(town.welcome(links=(link(OLD, NEW),)))
    text = town.home.federation.read_text()
    town.home.federation.write_text(text.replace(public_bytes(NEW).hex(), public_bytes(STRANGER).hex()))
    with pytest.raises(DataError, match="make it anew: hansa-client join --welcome FILE"):
        read_federation(town.home)


def test_a_welcome_file_keeps_the_chain_where_it_names_a_key_of_it(town: Town, tmp_path: Path) -> None:
    town.handlers.renew(town.welcome(links=(link(OLD, NEW),)))
    town.request = ask_to_join(town.home, "shop", read_policy(town.home.policy))
    write_document(town.file(NEW), tmp_path / "again.json")
    assert accept_welcome(town.home, tmp_path / "again.json").vouched_by == (name_key(public_bytes(OLD)),)
    town.request = ask_to_join(town.home, "shop", read_policy(town.home.policy))
    write_document(town.file(STRANGER), tmp_path / "other.json")
    assert accept_welcome(town.home, tmp_path / "other.json").vouched_by == ()


def test_a_welcome_file_brings_no_key_back_that_was_followed(town: Town, tmp_path: Path) -> None:
    """Whoever stole the old key may write a welcome for a request, and hand it to the merchant before we do."""
    town.handlers.renew(town.welcome(key=NEW, links=(link(OLD, NEW),), coordinator=public_bytes(NEW).hex()))
    ask_to_join(town.home, "shop", read_policy(town.home.policy))
    forged = replace(town, request=read_document(town.home.request("shop"), JoinRequest)).file(OLD)
    before = town.files
    for federation in ("hanse", "other"):
        content = forged.model_copy(update={"federation": federation, "signature": None})
        signature = base64.b64encode(sign(content.content, OLD, purpose="welcome").signature).decode()
        write_document(content.model_copy(update={"signature": signature}), tmp_path / "forged.json")
        with pytest.raises(DataError, match="followed by another"):
            accept_welcome(town.home, tmp_path / "forged.json")
    assert town.files == before
    assert read_federation(town.home).signers == (public_bytes(NEW),)


def test_a_welcome_file_from_before_a_live_one_brings_no_authority_back(town: Town, tmp_path: Path) -> None:
    first = tmp_path / "welcome.json"
    assert accept_welcome(town.home, first).authorities == (), "as long as nothing came live it may be given again"
    town.handlers.renew(town.welcome(authorities=(town.new.pem.decode(),)))
    before = town.files
    with pytest.raises(DataError, match="older than the one that came live"):
        accept_welcome(town.home, first)
    assert town.files == before
    town.handlers.renew(town.welcome(authorities=(town.new.pem.decode(),), issued_at=NOW + timedelta(seconds=1)))
    with pytest.raises(DataError, match="older than the one that came live"):
        accept_welcome(town.home, first)
    request = ask_to_join(town.home, "shop", read_policy(town.home.policy))
    write_document(replace(town, request=request).file(OLD), tmp_path / "fresh.json")
    for _ in range(2):
        assert accept_welcome(town.home, tmp_path / "fresh.json").trusted == town.new.pem.decode()


def test_a_chain_does_not_grow_for_ever_welcome_by_welcome(town: Town) -> None:
    """Every link is looked at with every message: a coordinator could make a merchant do nothing else."""
    keys = [OLD, *(Ed25519PrivateKey.generate() for _ in range(MOST_LINKS + 1))]
    links, half = tuple(map(link, keys, keys[1:])), MOST_LINKS // 2
    town.handlers.renew(town.welcome(key=keys[half], links=links[:half], coordinator=public_bytes(keys[half]).hex()))
    before, later = town.files, NOW + timedelta(seconds=1)
    with pytest.raises(MessageError, match="more than 1000 keys"):
        town.handlers.renew(
            town.welcome(key=keys[-1], links=links[half:], coordinator=public_bytes(keys[-1]).hex(), issued_at=later)
        )
    assert town.files == before
    town.handlers.renew(
        town.welcome(key=keys[-2], links=links[half:-1], coordinator=public_bytes(keys[-2]).hex(), issued_at=later)
    )


def test_what_is_at_an_address_that_is_no_gateway_does_not_show_in_the_time_of_the_refusal(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(loop, "NO_LINE_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    membership = read_membership(town.home)
    gateway = GatewayClient("localhost:1", membership.node_key, membership.context, node_id=7)
    with closing(Ledger(town.home.ledger)) as ledger:
        merchant = JoinedMerchant(town.home, membership.federation, ledger, data_root=town.home.folder, device="cpu")
        daemon = Daemon(gateway, merchant, Health(town.folder / "health.json"), idle_seconds=None, rest_seconds=60.0)
        town.handlers.try_line, before = daemon._try_line, town.files
        began = time.monotonic()
        with pytest.raises(MessageError, match="its line does not work"):
            town.handlers.renew(town.welcome(address=f"localhost:{closed}"))
        assert time.monotonic() - began >= 1.0
    assert town.files == before
