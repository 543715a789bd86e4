"""Who is handed a new welcome, and when: a coordinator's folder and a merchant's, with messages and no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from cryptography import x509
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from certs.authority import Authority, fingerprint, read_certificate
from certs.key import NODE_CURVE, TLS_CURVE, read_or_make_curve_key, read_or_make_signing_key
from certs.request import JoinRequest, make_request, make_welcome, write_document
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.policy import read_policy
from client.daemon.handlers import Handlers, make_handler_app
from client.daemon.membership import accept_welcome, ask_to_join
from client.folder import MerchantFolder
from common.message.signature import public_bytes
from common.message.welcome import WELCOME
from fleet.known_nodes import KnownNodes
from fleet.shop import POLICY, write_rows
from server.coordinator import welcoming
from server.coordinator.mailbox import Mailbox
from server.coordinator.member import Members
from server.coordinator.welcoming import Welcomes
from server.folder import CoordinatorFolder
from server.founding import check_settings, make_federation
from server.registry.registry import Registry
from server.rotation import (
    begin_authority,
    begin_signing_key,
    describe_rotation,
    finish_authority,
    finish_signing_key,
)
from simulation.engine.grid import InProcessGrid, make_context

NODE = 10
AN_HOUR, ABOUT_TO_EXPIRE = 1 / 24, 1 / 60  # days; a certificate begins an hour back, and is renewed in its last third


@dataclass
class Hanse:
    """A federation of one member."""

    home: CoordinatorFolder
    registry: Registry
    request: JoinRequest
    handlers: Handlers

    def look(self, app: ClientApp | None = None) -> int:
        """Let the coordinator look, as a process that has just started; return how many welcomes it sent."""
        grid = CountingGrid({"shop": (app or make_handler_app(self.handlers), make_context(NODE))})
        mailbox = Mailbox(grid)
        members = Members(self.registry, KnownNodes("", b"", b"", {self.request.node_key: NODE}), grid)
        members.admit()
        key = read_or_make_signing_key(self.home.signing_key)
        welcomes = Welcomes(self.home, self.registry, mailbox, members, key=key)
        welcomes.welcome({member.name: member for member in self.registry.members()})
        for reply in mailbox.collect():
            welcomes.take(reply)
        return grid.sent

    @property
    def certificate(self) -> x509.Certificate:
        return read_certificate(self.handlers.federation.welcome.certificate.encode(), origin="")


class CountingGrid(InProcessGrid):
    sent = 0

    def push_messages(self, messages):  # type: ignore[no-untyped-def]
        messages = list(messages)
        self.sent += sum(message.metadata.message_type == WELCOME for message in messages)
        return super().push_messages(messages)


@pytest.fixture
def make_hanse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Hanse]]:
    monkeypatch.setattr(welcoming, "LOOK_SECONDS", 0.0)
    opened = ExitStack()

    def make(*, days: float = 365.0, protocol: int = 2) -> Hanse:
        home, merchant = CoordinatorFolder(tmp_path / "coordinator"), MerchantFolder(tmp_path / "shop")
        settings = check_settings(
            name="hanse", hosts=("localhost",), bind="127.0.0.1", gateway_port=1, superlink_port=2, status_port=3
        )
        make_federation(home, settings)
        merchant.folder.mkdir()
        merchant.policy.write_text(POLICY.replace("{coordinators}", ""))
        write_rows(merchant.folder / "rows.csv", num_customers=6)
        create_ledger(merchant.ledger)
        request = ask_to_join(merchant, "shop", read_policy(merchant.policy))
        pem = Authority(home.authority).sign_merchant(request, days=days)
        registry = opened.enter_context(closing(Registry(home.registry)))
        registry.enroll(request, certificate=fingerprint(read_certificate(pem, origin="")), pem=pem.decode())
        registry.note_protocol("shop", protocol)
        welcome = make_welcome(
            request,
            federation="hanse",
            address=settings.address,
            authority=Authority(home.authority).pem.decode(),
            certificate=pem.decode(),
            key=read_or_make_signing_key(home.signing_key),
        )
        write_document(welcome, tmp_path / "welcome.json")
        federation = accept_welcome(merchant, tmp_path / "welcome.json")
        ledger = opened.enter_context(closing(Ledger(merchant.ledger)))
        handlers = Handlers(merchant, federation, ledger, data_root=merchant.folder, device=torch.device("cpu"))
        return Hanse(home, registry, request, handlers)

    with opened:
        yield make


def test_nothing_is_sent_while_nothing_is_new(make_hanse: Callable[..., Hanse]) -> None:
    assert make_hanse(days=AN_HOUR).look() == 0


def test_a_certificate_that_is_about_to_expire_is_renewed_while_the_member_is_there(
    make_hanse: Callable[..., Hanse],
) -> None:
    hanse = make_hanse(days=ABOUT_TO_EXPIRE)
    before = hanse.certificate
    assert hanse.look() == 1
    assert hanse.certificate.not_valid_after_utc > before.not_valid_after_utc
    assert hanse.certificate.public_key() == before.public_key()
    opening = [found.fingerprint for found in hanse.registry.certificates()["shop"]]
    assert opening == [fingerprint(before), fingerprint(hanse.certificate)]
    assert hanse.look() == 0, "who has it is not asked again"


def test_each_step_of_both_rotations_is_handed_over_once(make_hanse: Callable[..., Hanse]) -> None:
    hanse = make_hanse()
    steps = (begin_signing_key, finish_signing_key, begin_authority, finish_authority)
    for step in steps:
        step(hanse.home, hanse.registry)
        assert describe_rotation(hanse.home, hanse.registry)["waiting_for"] == ["shop"]
        assert (hanse.look(), hanse.look()) == (1, 0), step
        assert describe_rotation(hanse.home, hanse.registry)["waiting_for"] == []
    known = hanse.handlers.federation
    assert known.coordinator == public_bytes(read_or_make_signing_key(hanse.home.signing_key))
    assert known.signers == (known.coordinator,)
    assert known.authorities == (Authority(hanse.home.authority).pem.decode(),)
    assert len(hanse.registry.certificates()["shop"]) == 2, "one certificate of each authority, not one a step"


def test_who_was_away_while_keys_were_rotated_is_told_when_it_comes_back(make_hanse: Callable[..., Hanse]) -> None:
    hanse = make_hanse()
    for step in (begin_signing_key, finish_signing_key, begin_signing_key, finish_signing_key):
        step(hanse.home, hanse.registry)
    assert hanse.look() == 1
    assert len(hanse.handlers.federation.vouched_by) == 2


def test_a_member_of_protocol_1_is_sent_none(make_hanse: Callable[..., Hanse]) -> None:
    hanse = make_hanse(protocol=1)
    begin_authority(hanse.home, hanse.registry)
    assert hanse.look() == 0
    assert describe_rotation(hanse.home, hanse.registry)["waiting_for"] == ["shop"]


def test_what_is_no_receipt_is_none_and_the_same_welcome_is_sent_again(make_hanse: Callable[..., Hanse]) -> None:
    app = ClientApp()

    def answer(message: Message, context: Context) -> Message:
        return Message(RecordDict({"about": ConfigRecord({"welcome_hash": "0" * 64})}), reply_to=message)

    app.query("welcome")(answer)
    hanse = make_hanse()
    begin_authority(hanse.home, hanse.registry)
    assert hanse.look(app) == 1
    (first,) = hanse.registry.welcomes()
    assert first.taken_at is None
    assert hanse.look() == 1
    (again,) = hanse.registry.welcomes()
    assert (again.content, bool(again.taken_at)) == (first.content, True)


def test_without_the_authority_s_key_nothing_is_made_up(
    make_hanse: Callable[..., Hanse], caplog: pytest.LogCaptureFixture
) -> None:
    hanse = make_hanse(days=ABOUT_TO_EXPIRE)
    (hanse.home.authority / "authority.key").unlink()
    assert hanse.look() == 0
    assert "cannot be handed a new certificate; bring it back" in caplog.text
    assert not (hanse.home.authority / "authority.key").exists()


def test_no_certificate_is_made_for_a_key_that_was_replaced_meanwhile(
    make_hanse: Callable[..., Hanse], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanse = make_hanse()
    begin_authority(hanse.home, hanse.registry)
    sign_again = Authority.sign_again

    def sign_while_it_is_enrolled_anew(authority: Authority, pem: bytes) -> bytes:
        fresh = make_request(
            "shop",
            hanse.request.size_class,
            tls_key=read_or_make_curve_key(tmp_path / "fresh.key", TLS_CURVE),
            node_key=read_or_make_curve_key(tmp_path / "shop" / "node.key", NODE_CURVE),
        )
        certificate = Authority(hanse.home.authority).sign_merchant(fresh)
        name = fingerprint(read_certificate(certificate, origin=""))
        with closing(Registry(hanse.home.registry)) as registry:
            registry.enroll(fresh, certificate=name, pem=certificate.decode())
        return sign_again(authority, pem)

    monkeypatch.setattr(Authority, "sign_again", sign_while_it_is_enrolled_anew)
    assert hanse.look() == 0
    (only,) = hanse.registry.certificates()["shop"]
    key = read_or_make_curve_key(tmp_path / "fresh.key", TLS_CURVE).public_key()
    assert read_certificate(only.pem.encode(), origin="").public_key() == key
    assert hanse.registry.welcomes() == []
