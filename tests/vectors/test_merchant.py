"""A merchant's folder of the first version goes on under this one, as its daemon would take it up after an upgrade."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from client.account.ledger.ledger import Ledger
from client.daemon.handlers import Handlers
from client.daemon.membership import read_federation
from client.folder import MerchantFolder
from common.errors import ConfigError, MessageError, PrivacyError
from common.message import proposal, release
from common.message.proposal import Proposal, decode_terms, encode_signed
from common.message.receipt import decode_receipt
from common.message.release import Release, ReleaseNote, encode_release
from common.message.round import RoundRequest, decode_reply, encode_request
from common.message.signature import sign
from common.message.vector import hash_vector
from common.message.wire import from_wire, to_wire
from common.model.demand_gru import get_vector
from common.model.warm import start
from common.model.warm.start import hash_warm, start_without_data
from common.plan.reading import parse_plan, read_plan
from common.plan.schema import Plan

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


READABLE = """
[data]
entity = "customer"

[data.files]
"rows.csv" = ["customer", "time"]
"""


@pytest.fixture
def home(copied: Path) -> MerchantFolder:
    """Give the first version's folder, its policy with the section that this version asks a merchant for."""
    home = MerchantFolder(copied / "merchant")
    home.policy.write_text(home.policy.read_text() + READABLE)
    return home


@pytest.fixture
def ledger(home: MerchantFolder) -> Iterator[Ledger]:
    with closing(Ledger(home.ledger)) as opened:
        yield opened


@pytest.fixture
def open_handlers(home: MerchantFolder, ledger: Ledger) -> Callable[[], Handlers]:
    def open_them() -> Handlers:
        device = torch.device("cpu")
        handlers = Handlers(home, read_federation(home), ledger, data_root=home.folder, device=device)
        handlers.resume()
        return handlers

    return open_them


def read(copied: Path, name: str) -> RecordDict:
    return from_wire((copied / "messages" / f"{name}.bin").read_bytes())


def spent(ledger: Ledger) -> float:
    return ledger.account("shop", "customer").mu_squared()


def test_a_round_that_was_sealed_gets_the_very_same_bytes(
    copied: Path, open_handlers: Callable[[], Handlers], ledger: Ledger
) -> None:
    before = spent(ledger)
    answer = open_handlers().answer(read(copied, "request"))
    assert to_wire(answer) == (copied / "messages" / "reply.bin").read_bytes()
    assert spent(ledger) == before


def test_a_round_that_was_charged_and_never_sealed_is_computed_at_no_further_cost(
    copied: Path, open_handlers: Callable[[], Handlers], ledger: Ledger
) -> None:
    before = spent(ledger)
    handlers = open_handlers()
    first = handlers.answer(read(copied, "second_request"))
    assert to_wire(handlers.answer(read(copied, "second_request"))) == to_wire(first)
    assert spent(ledger) == before


def test_a_policy_of_the_first_version_accepts_nothing_automatically_and_takes_a_plan_by_its_hash(
    copied: Path, home: MerchantFolder, open_handlers: Callable[[], Handlers], caplog: pytest.LogCaptureFixture
) -> None:
    old = home.policy.read_text().removesuffix(READABLE)
    home.policy.write_text(old)
    handlers = open_handlers()
    assert (
        "Not taken up again: The plan 'vector' is not approved, since the policy has no [data] section" in caplog.text
    )
    with pytest.raises(PrivacyError, match=r"no \[data\] section .* add one .* or the plan's hash"):
        handlers.consider(read(copied, "proposal"))
    plan_hash = read_plan(copied / "plans" / "vector.toml").hash
    home.policy.write_text(old.replace("[approval.automatic]", f'plans = ["{plan_hash}"]\n\n[approval.automatic]'))
    assert to_wire(handlers.consider(read(copied, "proposal"))) == (copied / "messages" / "terms.bin").read_bytes()


def test_the_next_round_is_charged_like_those_before(
    copied: Path, open_handlers: Callable[[], Handlers], ledger: Ledger
) -> None:
    before, plan = spent(ledger), read_plan(copied / "plans" / "vector.toml")
    parameters = torch.full((634,), 0.02)
    request = RoundRequest(plan.run_hash(private=True), 3, hash_vector(parameters), parameters)
    answer = open_handlers().answer(encode_request(request))
    assert decode_reply(answer, size=634).round_number == 3
    assert spent(ledger) == pytest.approx(1.5 * before)


def test_the_proposal_and_the_model_of_the_first_version_are_taken_again(
    copied: Path, open_handlers: Callable[[], Handlers]
) -> None:
    handlers = open_handlers()
    assert to_wire(handlers.consider(read(copied, "proposal"))) == (copied / "messages" / "terms.bin").read_bytes()
    assert to_wire(handlers.keep(read(copied, "release"))) == (copied / "messages" / "receipt.bin").read_bytes()


def test_what_a_later_version_proposes_is_refused_with_a_sentence_and_costs_nothing(
    copied: Path, open_handlers: Callable[[], Handlers], ledger: Ledger
) -> None:
    before = ledger.entries
    for name in ("proposal-unknown-key", "proposal-later-schema"):
        with pytest.raises(MessageError, match="does not know; install the coordinator's version"):
            open_handlers().consider(from_wire((copied / "bad" / f"{name}.bin").read_bytes()))
    assert ledger.entries == before


# The public model


@pytest.fixture
def warm_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this merchant public models of its own, so that one can be another than the coordinator's."""
    folder = shutil.copytree(start.FOLDER, tmp_path / "warm")
    monkeypatch.setattr(start, "FOLDER", folder)
    return folder


def warm_plan(copied: Path) -> Plan:
    text = (copied / "plans" / "vector.toml").read_text()
    for old, new in {
        'name = "vector"': 'name = "warm"',
        'step = "day"': 'step = "week"\nrhythm = true\ndirect = true',
        "horizon_days = 4": "horizon_days = 7",
        "hidden_size = 3": "hidden_size = 12",
        "decoder_size = 4": "decoder_size = 12",
        "window_steps = 12": "window_steps = 8",
        "training = { num_rounds = 3 }": 'start = "warm"\ntraining = { num_rounds = 3, trained = "output" }',
    }.items():
        assert old in text
        text = text.replace(old, new)
    return parse_plan(text)


def propose(plan: Plan, warm_hash: str | None) -> RecordDict:
    offered = Proposal(plan=plan, private=True, cohort_size=2, warm_hash=warm_hash)
    return encode_signed(sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE))


def make_release(plan: Plan, warm_hash: str | None) -> RecordDict:
    parameters = get_vector(start_without_data(plan, private=True))
    note = ReleaseNote(
        plan=plan,
        private=True,
        round_number=3,
        model_hash=hash_vector(parameters),
        num_parameters=len(parameters),
        released_at=datetime(2027, 1, 1, tzinfo=UTC),
        members=(),
        software="hansa",
        warm_hash=warm_hash,
    )
    return encode_release(Release(sign(note.to_bytes(), KEY, purpose=release.PURPOSE), parameters))


def test_a_plan_that_starts_from_the_installed_public_model_is_accepted_and_so_is_its_release(
    copied: Path, open_handlers: Callable[[], Handlers], warm_folder: Path
) -> None:
    plan, handlers = warm_plan(copied), open_handlers()
    warm_hash = hash_warm(plan, private=True)
    assert decode_terms(handlers.consider(propose(plan, warm_hash))).plan_hash == plan.run_hash(private=True)
    assert decode_receipt(handlers.keep(make_release(plan, warm_hash)))
    assert handlers._models.newest_model().note.warm_hash == warm_hash


def test_another_public_model_is_refused_wherever_it_would_be_used(
    copied: Path, open_handlers: Callable[[], Handlers], warm_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan, handlers = warm_plan(copied), open_handlers()
    warm_hash = hash_warm(plan, private=True)
    handlers.consider(propose(plan, warm_hash))
    handlers.keep(make_release(plan, warm_hash))
    file = start.warm_path(plan.model)
    file.write_bytes(file.read_bytes()[:-1] + b"?")  # an upgrade brought another
    sentence = "starts from the public model .*, installed here is .*; install the coordinator's version of hansa"
    with pytest.raises(ConfigError, match=sentence):
        handlers.consider(propose(plan, warm_hash))
    with pytest.raises(ConfigError, match=sentence):
        handlers.keep(make_release(plan, warm_hash))
    with pytest.raises(ConfigError, match=sentence):
        handlers._models.newest_model()
    open_handlers()
    assert any("Not taken up again" in line and "public model" in line for line in caplog.messages)


def test_a_coordinator_that_does_not_name_the_public_model_is_taken_at_its_word(
    copied: Path, open_handlers: Callable[[], Handlers], warm_folder: Path
) -> None:
    assert decode_terms(open_handlers().consider(propose(warm_plan(copied), None))).size_class == 32
