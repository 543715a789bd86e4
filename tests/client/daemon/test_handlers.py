"""What is asked of a merchant while it reads its data, which may take minutes, or while its policy changes."""

from __future__ import annotations

import math
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.daemon import plan_data as module
from client.daemon.handlers import Handlers, count_parameters
from client.daemon.merchant import JoinedMerchant
from client.folder import MerchantFolder
from common.errors import DataError, HansaError, MessageError, PrivacyError
from common.message import proposal
from common.message.proposal import Proposal, decode_terms, encode_signed
from common.message.round import RoundRequest, decode_reply, encode_request
from common.message.signature import sign
from common.message.vector import hash_vector
from common.message.wire import to_wire
from common.model.features import Series
from common.plan.schema import Plan
from fleet.merchant import open_again, open_merchant

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def merchant(tmp_path: Path) -> Iterator[Handlers]:
    with open_merchant(tmp_path / "shop", "shop", key=KEY) as handlers:
        yield handlers


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"unit": "customer", "training": {"num_rounds": 3}})


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Hold the reading of the data back until the gate is opened, as a very large file would."""
    opened, read_legs = threading.Event(), module.read_legs

    def read_slowly(plan: Plan, root: Path) -> tuple[Series, Series | None]:
        assert opened.wait(30)
        return read_legs(plan, root)

    monkeypatch.setattr(module, "read_legs", read_slowly)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    return opened


def propose(plan: Plan) -> RecordDict:
    offered = Proposal(plan=plan, private=True, cohort_size=3)
    return encode_signed(sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE))


def ask_round(plan: Plan, number: int = 1) -> RecordDict:
    parameters = torch.full((count_parameters(plan, private=True),), 0.01)
    return encode_request(RoundRequest(plan.run_hash(private=True), number, hash_vector(parameters), parameters))


def charged_rounds(folder: Path) -> list[int]:
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        return [entry.round_number for entry in ledger.entries if isinstance(entry, Spend)]


def test_terms_do_not_wait_for_the_data_and_the_first_round_does(
    merchant: Handlers, plan: Plan, gate: threading.Event
) -> None:
    began = time.monotonic()
    assert decode_terms(merchant.consider(propose(plan))).plan_hash == plan.run_hash(private=True)
    assert time.monotonic() - began < 5
    threading.Timer(0.5, gate.set).start()
    merchant.deadline = time.time() + 30
    reply = merchant.answer(ask_round(plan))
    assert decode_reply(reply, size=count_parameters(plan, private=True)).round_number == 1


def test_a_round_that_ends_before_the_data_is_read_is_refused_and_charged_nothing(
    merchant: Handlers, plan: Plan, gate: threading.Event, tmp_path: Path
) -> None:
    merchant.consider(propose(plan))
    merchant.deadline = time.time() + 0.1
    with pytest.raises(MessageError, match="still being read"):
        merchant.answer(ask_round(plan))
    assert charged_rounds(tmp_path / "shop") == []
    gate.set()
    merchant.deadline = time.time() + 30
    merchant.answer(ask_round(plan))
    assert charged_rounds(tmp_path / "shop") == [1]


def test_a_plan_that_does_not_fit_the_data_is_refused_at_once(merchant: Handlers, plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "shop" / "rows.csv").write_text("client,time\nanna,2024-01-01\n")
    with pytest.raises(DataError, match="customer"):
        merchant.consider(propose(plan))
    assert not (tmp_path / "shop" / "plans").exists()


def test_data_that_could_not_be_read_is_read_again_when_it_is_asked_for_again(
    merchant: Handlers, plan: Plan, tmp_path: Path
) -> None:
    merchant.consider(propose(plan))
    good = (tmp_path / "shop" / "rows.csv").read_bytes()
    (tmp_path / "shop" / "rows.csv").unlink()
    with pytest.raises(DataError):
        merchant.consider(propose(plan))
    (tmp_path / "shop" / "rows.csv").write_bytes(good)
    assert merchant.answer(ask_round(plan)) is not None


def test_the_data_is_read_once_for_all_rounds(merchant: Handlers, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    read, read_legs = [], module.read_legs

    def count(plan: Plan, root: Path) -> tuple[Series, Series | None]:
        read.append(plan.name)
        return read_legs(plan, root)

    monkeypatch.setattr(module, "read_legs", count)
    merchant.consider(propose(plan))
    for number in (1, 2, 3):
        merchant.answer(ask_round(plan, number))
    assert read == [plan.name]


def test_whoever_stops_the_daemon_does_not_wait_for_the_data(
    merchant: Handlers, plan: Plan, gate: threading.Event
) -> None:
    merchant.consider(propose(plan))
    merchant.deadline = time.time() + 30
    threading.Timer(0.3, lambda: setattr(merchant, "deadline", -math.inf)).start()  # what Daemon.stop does
    began = time.monotonic()
    with pytest.raises(MessageError, match="still being read"):
        merchant.answer(ask_round(plan))
    assert time.monotonic() - began < 10
    gate.set()


CHANGED: dict[str, Callable[[str], str | None]] = {
    "deleted": lambda _: None,
    "no TOML": lambda text: text + "\n[",
    "without its coordinator": lambda text: re.sub(r'coordinators = \["\w+"\]', "coordinators = []", text),
    "without its approval": lambda text: text.split("[approval.automatic]")[0],
    "of other noise": lambda text: text.replace("epsilon = 4.0", "epsilon = 2.0"),
    "of fewer rounds": lambda text: text.replace("largest_num_rounds = 50", "largest_num_rounds = 2"),
    "of another size class": lambda text: text.replace("size_class = 32", "size_class = 64"),
    "of other hours": lambda text: text.replace(
        "[plan]", f'[plan]\nhours = ["{hours_from_now(2)}-{hours_from_now(3)}"]'
    ),
}


def hours_from_now(hours: int) -> str:
    return f"{datetime.now() + timedelta(hours=hours):%H:%M}"


def put(policy: Path, text: str | None) -> None:
    if text is None:
        policy.unlink()
    else:
        policy.write_text(text)


@pytest.mark.parametrize("how", CHANGED)
def test_a_round_follows_the_policy_as_it_is_and_goes_on_when_it_is_as_it_was(
    how: str, merchant: Handlers, plan: Plan, tmp_path: Path
) -> None:
    policy = tmp_path / "shop" / "policy.toml"
    text = policy.read_text()
    merchant.consider(propose(plan))
    first = to_wire(merchant.answer(ask_round(plan, 1)))
    put(policy, CHANGED[how](text))
    for number in (1, 2):  # what is sealed stays, too
        with pytest.raises(HansaError):
            merchant.answer(ask_round(plan, number))
    assert charged_rounds(tmp_path / "shop") == [1]
    put(policy, text)
    assert to_wire(merchant.answer(ask_round(plan, 1))) == first
    merchant.answer(ask_round(plan, 2))
    assert charged_rounds(tmp_path / "shop") == [1, 2]


def test_a_policy_that_is_away_when_the_daemon_starts_may_come_back(
    merchant: Handlers, plan: Plan, tmp_path: Path
) -> None:
    policy = tmp_path / "shop" / "policy.toml"
    text = policy.read_text()
    merchant.consider(propose(plan))
    with open_again(tmp_path / "shop", key=KEY) as restarted:
        policy.unlink()
        restarted.resume()
        with pytest.raises(PrivacyError, match="There is no policy"):
            restarted.answer(ask_round(plan))
        policy.write_text(text)
        restarted.answer(ask_round(plan))
    assert charged_rounds(tmp_path / "shop") == [1]


def test_a_plan_hash_that_is_a_path_finds_no_plan(merchant: Handlers, plan: Plan, tmp_path: Path) -> None:
    merchant.consider(propose(plan))
    shutil.copytree(tmp_path / "shop" / "plans", tmp_path / "shop" / "other")
    run_hash = plan.run_hash(private=True)
    with open_again(tmp_path / "shop", key=KEY) as restarted:
        content = ask_round(plan)
        content["about"]["plan_hash"] = f"../other/{run_hash}"
        with pytest.raises(MessageError, match="not accepted here"):
            restarted.answer(content)


def test_why_a_round_was_refused_is_kept_for_the_health_file_and_forgotten_with_the_next(
    merchant: Handlers, plan: Plan, tmp_path: Path
) -> None:
    answer = merchant.remembering(merchant.answer)
    merchant.consider(propose(plan))
    policy = tmp_path / "shop" / "policy.toml"
    text = policy.read_text()
    policy.unlink()
    with pytest.raises(PrivacyError):
        answer(ask_round(plan))
    assert merchant.refusal is not None
    assert "There is no policy" in merchant.refusal
    policy.write_text(text)
    answer(ask_round(plan))
    assert merchant.refusal is None


def test_a_daemon_does_not_rest_where_a_fresh_process_would_end(merchant: Handlers, plan: Plan, tmp_path: Path) -> None:
    """A fresh process ends without a policy or with an older ledger; this one waits until both are back."""
    home = MerchantFolder(tmp_path / "shop")
    joined = JoinedMerchant(home, merchant.federation, merchant._ledger, tmp_path, "cpu")
    merchant.consider(propose(plan))
    assert joined.is_awaited()
    assert joined.can_start_anew()
    for file in (home.policy, home.ledger):
        file.rename(tmp_path / "away")
        assert not joined.can_start_anew()
        (tmp_path / "away").rename(file)
        assert joined.can_start_anew()
    home.ledger.rename(tmp_path / "away")
    assert not joined.is_awaited(), "asked and answered, and no error"


def test_a_plan_that_nothing_was_heard_of_for_a_day_is_not_waited_for(
    merchant: Handlers, plan: Plan, tmp_path: Path
) -> None:
    """Else a launch that was given up would keep its daemon's memory for ever."""
    home = MerchantFolder(tmp_path / "shop")
    joined = JoinedMerchant(home, merchant.federation, merchant._ledger, tmp_path, "cpu")
    merchant.consider(propose(plan))
    (file,) = home.plans.glob("*.json")
    for hours, is_awaited in ((23, True), (25, False)):
        at = time.time() - 3600 * hours
        os.utime(file, (at, at))
        assert joined.is_awaited() == is_awaited
    merchant.answer(ask_round(plan))
    assert joined.is_awaited(), "a round was just answered"
