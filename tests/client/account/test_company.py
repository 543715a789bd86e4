"""No round is answered, or charged, in smaller company than the policy allows: who is asked is signed every time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flwr.app import RecordDict

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger
from client.daemon.handlers import Handlers, count_parameters
from client.daemon.membership import read_node_key
from client.folder import MerchantFolder
from client.transparency.sent_messages import departures_of, describe, explain
from common.errors import HansaError, MessageError, PrivacyError
from common.message import proposal
from common.message.call import sign_call
from common.message.proposal import Proposal, encode_signed
from common.message.round import RoundRequest, encode_request
from common.message.signature import name_key, public_bytes, sign
from common.message.vector import hash_vector
from common.plan.schema import Plan
from fleet.merchant import open_merchant

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHERS = ("one", "two", "three", "four")


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    return make_plan(privacy={"unit": "customer", "training": {"num_rounds": 3}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "shop"


@pytest.fixture
def merchant(folder: Path) -> Iterator[Handlers]:
    """Open a merchant who wants to be one of three at least."""
    with open_merchant(folder, "shop", key=KEY) as handlers:
        set_smallest(folder, plan=3, automatic=3)
        yield handlers


def set_smallest(folder: Path, *, plan: int, automatic: int) -> None:
    head, middle, tail = (folder / "policy.toml").read_text().split("smallest_cohort = ")
    parts = middle.partition("\n"), tail.partition("\n")
    (folder / "policy.toml").write_text(
        f"{head}smallest_cohort = {plan}\n{parts[0][2]}smallest_cohort = {automatic}\n{parts[1][2]}"
    )


def propose(merchant: Handlers, plan: Plan, *, quorum: int | None = 3) -> RecordDict:
    offered = Proposal(plan=plan, private=True, cohort_size=5, quorum=quorum)
    return merchant.consider(encode_signed(sign(offered.to_bytes(), KEY, purpose=proposal.PURPOSE)))


def make_round(plan: Plan, number: int = 1) -> RoundRequest:
    parameters = torch.full((count_parameters(plan, private=True),), 0.01)
    return RoundRequest(plan.run_hash(private=True), number, hash_vector(parameters), parameters)


def call(
    folder: Path,
    request: RoundRequest,
    *,
    others: int = 4,
    quorum: int = 3,
    key: Ed25519PrivateKey = KEY,
    with_us: bool = True,
    round_number: int | None = None,
) -> RecordDict:
    own = [read_node_key(MerchantFolder(folder))] if with_us else []
    signed = sign_call(
        key,
        run_hash=request.plan_hash,
        round_number=round_number or request.round_number,
        model_hash=request.model_hash,
        quorum=quorum,
        node_keys=[*own, *OTHERS[:others]],
    )
    return encode_request(replace(request, call=signed))


def spends(folder: Path) -> list[Spend]:
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        return [entry for entry in ledger.entries if isinstance(entry, Spend)]


def test_a_round_that_nobody_signed_is_not_answered_by_who_wants_company(
    merchant: Handlers, plan: Plan, folder: Path
) -> None:
    """A coordinator of an older version, or one that leaves the call out, asks this merchant alone."""
    set_smallest(folder, plan=1, automatic=1)
    propose(merchant, plan, quorum=None)
    merchant.answer(encode_request(make_round(plan, 1)))
    set_smallest(folder, plan=3, automatic=1)
    with pytest.raises(PrivacyError, match=r"without a signed call.* plan.smallest_cohort is 3"):
        merchant.answer(encode_request(make_round(plan, 2)))
    assert [spend.round_number for spend in spends(folder)] == [1]


@pytest.mark.parametrize(
    ("plan_smallest", "automatic_smallest", "others", "quorum", "sentence"),
    [
        (3, 1, 0, 1, r"asked of 1 merchants with a quorum of 1, plan.smallest_cohort is 3"),
        (3, 3, 1, 2, r"asked of 2 merchants"),
        (3, 3, 4, 2, r"asked of 5 merchants with a quorum of 2"),
        (1, 4, 4, 3, r"approval.automatic.smallest_cohort is 4"),
    ],
)
def test_a_round_in_too_small_company_is_refused_before_anything_is_charged(
    merchant: Handlers,
    plan: Plan,
    folder: Path,
    plan_smallest: int,
    automatic_smallest: int,
    others: int,
    quorum: int,
    sentence: str,
) -> None:
    propose(merchant, plan)
    set_smallest(folder, plan=plan_smallest, automatic=automatic_smallest)
    with pytest.raises(PrivacyError, match=sentence):
        merchant.answer(call(folder, make_round(plan), others=others, quorum=quorum))
    assert spends(folder) == []


def test_a_plan_that_was_approved_by_its_hash_is_held_against_plan_smallest_cohort_alone(
    merchant: Handlers, plan: Plan, folder: Path
) -> None:
    set_smallest(folder, plan=2, automatic=5)
    policy = folder / "policy.toml"
    policy.write_text(policy.read_text().replace("[approval]", f'[approval]\nplans = ["{plan.hash}"]'))
    propose(merchant, plan, quorum=2)
    assert merchant.answer(call(folder, make_round(plan), others=1, quorum=2))


def test_who_was_asked_stands_in_ledger_health_log_and_beside_what_left(
    merchant: Handlers, plan: Plan, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    propose(merchant, plan)
    merchant.answer(call(folder, make_round(plan), quorum=4))
    (spend,) = spends(folder)
    assert (spend.asked, spend.quorum, spend.coordinator) == (5, 4, name_key(public_bytes(KEY)))
    assert merchant.latest_round is not None
    assert (merchant.latest_round.asked, merchant.latest_round.quorum) == (5, 4)
    assert f"round=1 asked=5 quorum=4 call={(spend.call or '')[:12]}" in caplog.text
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        (departure,) = departures_of(ledger)
    assert (describe(departure)["asked"], describe(departure)["quorum"]) == (5, 4)
    assert "asked of 5 merchants, with a quorum of 4" in explain(departure)


def test_asked_again_with_another_call_a_round_gets_the_same_bytes_at_no_cost(
    merchant: Handlers, plan: Plan, folder: Path
) -> None:
    """After a round without a quorum others may be asked; who answered before says nothing new."""
    propose(merchant, plan)
    first = merchant.answer(call(folder, make_round(plan)))
    again = merchant.answer(call(folder, make_round(plan), others=3))
    assert first["vector"]["values"].data == again["vector"]["values"].data
    assert [spend.asked for spend in spends(folder)] == [5]


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"key": STRANGER}, PrivacyError, "not signed by this federation's coordinator"),
        ({"with_us": False}, MessageError, "does not list this merchant"),
        ({"round_number": 2}, MessageError, "signed for another round or model"),
    ],
)
def test_a_call_that_is_not_for_this_round_or_not_for_us_is_refused(
    merchant: Handlers, plan: Plan, folder: Path, changes: dict[str, object], error: type[HansaError], sentence: str
) -> None:
    propose(merchant, plan)
    with pytest.raises(error, match=sentence):
        merchant.answer(call(folder, make_round(plan), **changes))  # type: ignore[arg-type]
    assert spends(folder) == []


def test_a_proposal_whose_rounds_could_not_be_answered_is_refused(merchant: Handlers, plan: Plan) -> None:
    with pytest.raises(PrivacyError, match=r"goes on with 2 answers, .*smallest_cohort is 3"):
        propose(merchant, plan, quorum=2)
    with pytest.raises(PrivacyError, match=r"without a signed quorum"):
        propose(merchant, plan, quorum=None)


def test_a_plan_that_was_accepted_before_there_were_calls_goes_on_once_its_rounds_are_called(
    merchant: Handlers, plan: Plan, folder: Path
) -> None:
    set_smallest(folder, plan=1, automatic=1)
    propose(merchant, plan, quorum=None)
    set_smallest(folder, plan=3, automatic=3)
    merchant.resume()
    assert merchant.answer(call(folder, make_round(plan)))
