"""A policy that is changed or taken away while a plan runs means the next round, and comes back without a restart."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
from flwr.app import RecordDict

from client.account.agreement import Offer, agree
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, now_utc
from client.account.policy import Budget, read_policy
from client.account.standing import Standing
from common.errors import HansaError, PrivacyError
from common.message.round import RoundReply, RoundRequest, encode_reply
from common.message.vector import hash_vector
from common.message.wire import to_wire

SIZE = 8
ROOMY = Budget(epsilon=32.0, period_epsilon=32.0, period_days=1, delta=1e-5)
TEXT = """
dataset = "shop"
unit = "customer"
size_class = 32
budget = { epsilon = 4.0, period_epsilon = 4.0, period_days = 365, delta = 1e-5 }
data = { entity = "customer", files = { "rows.csv" = ["customer", "time"] } }

[plan]
epsilon = 2.0
smallest_noise_multiplier = 1.0
largest_num_rounds = 50
smallest_cohort = 1
hours = []

[approval]
coordinators = ["COORDINATOR"]
automatic = { largest_num_rounds = 50, smallest_cohort = 1 }
""".replace("COORDINATOR", "c" * 64)


class Merchant:
    """A merchant in the middle of a plan: one round is answered, and its policy is a file."""

    def __init__(self, policy_file: Path, offer: Offer, ledger: Ledger) -> None:
        self.policy_file, self.ledger = policy_file, ledger
        policy_file.write_text(TEXT)
        self.agreement = agree(read_policy(policy_file), offer, ledger, num_coordinates=SIZE)
        self.log = LedgerAnswerLog(ledger, self.agreement, renew=Standing(policy_file, ledger).renew)

    def ask(self, round_number: int) -> RoundRequest:
        parameters = torch.full((SIZE,), float(round_number))
        return RoundRequest(self.agreement.offer.run_hash, round_number, hash_vector(parameters), parameters)

    def reserve(self, round_number: int) -> RecordDict | None:
        return self.log.reserve(self.ask(round_number), self.agreement.mechanism)

    def seal(self, round_number: int) -> RecordDict:
        total = torch.full((SIZE,), round_number, dtype=torch.int64)
        reply = encode_reply(RoundReply(self.agreement.offer.run_hash, round_number, total))
        return self.log.seal(self.ask(round_number), reply)

    @property
    def charged(self) -> list[int]:
        return [entry.round_number for entry in self.ledger.entries if isinstance(entry, Spend)]


@pytest.fixture
def merchant(tmp_path: Path, make_offer: Callable[..., Offer], ledger: Ledger) -> Merchant:
    running = Merchant(tmp_path / "policy.toml", make_offer(num_rounds=20), ledger)
    assert running.reserve(1) is None
    running.seal(1)
    return running


CHANGES = {
    "deleted": (None, "There is no policy"),
    "empty": ("", "dataset"),
    "no TOML": ("dataset = ", "policy.toml"),
    "no text": (b"\xff\xfe\xff", "Cannot read the policy"),
    "another unit": (('unit = "customer"', 'unit = "product"'), "the policy's unit is product"),
    "a size class that the plan has not": (("size_class = 32", "size_class = 33"), "has no size class 33"),
    "another size class that the plan has": (("size_class = 32", "size_class = 64"), "declares 64 now"),
    "another data set": (('dataset = "shop"', 'dataset = "other"'), "other"),
    "fewer rounds": (("num_rounds = 50\nsmall", "num_rounds = 19\nsmall"), "has 20 rounds, plan.largest_num_rounds is"),
    "a larger cohort": (("smallest_cohort = 1\nhours", "smallest_cohort = 6\nhours"), "wait for more"),
    "no approved coordinator": ((f'["{"c" * 64}"]', "[]"), "approval.coordinators does not list"),
    "no approval": (("automatic = {", "# automatic = {"), "is not approved; add its hash"),
    "a smaller approval": (("automatic = { largest_num_rounds = 50", "automatic = { largest_num_rounds = 5"), "is 5"),
    "a smaller epsilon": (("epsilon = 2.0\n", "epsilon = 1.5\n"), "accepted with other noise than the policy asks for"),
    "a larger epsilon": (("epsilon = 2.0\n", "epsilon = 2.5\n"), "accepted with other noise than the policy asks for"),
    "more noise at least": (("multiplier = 1.0", "multiplier = 50.0"), "the policy allows 50"),
    "a budget that cannot hold the rounds to come": (
        ("epsilon = 4.0, period_epsilon = 4.0", "epsilon = 4.0, period_epsilon = 2.0"),
        "would pass epsilon 2.0 per customer for 365 days",
    ),
    "another delta": (("delta = 1e-5", "delta = 1e-6"), "delta"),
}


def change(merchant: Merchant, how: object) -> None:
    if how is None:
        merchant.policy_file.unlink()
    elif isinstance(how, bytes):
        merchant.policy_file.write_bytes(how)
    elif isinstance(how, str):
        merchant.policy_file.write_text(how)
    else:
        old, new = how  # type: ignore[misc]
        assert old in TEXT
        merchant.policy_file.write_text(TEXT.replace(old, new))


@pytest.mark.parametrize("name", CHANGES)
def test_a_policy_that_changed_while_a_plan_runs_declines_the_next_round_and_charges_nothing(
    name: str, merchant: Merchant, make_offer: Callable[..., Offer], make_spend: Callable[..., Spend]
) -> None:
    how, said = CHANGES[name]
    if "rounds to come" in name:  # what another plan took since
        noise = merchant.agreement.mechanism.noise_multiplier
        merchant.ledger.reserve(
            make_spend(noise_multiplier=noise, at=now_utc()), read_policy(merchant.policy_file).budgets
        )
    before = merchant.ledger.entries
    change(merchant, how)
    with pytest.raises(HansaError, match=said) as refused:
        merchant.reserve(2)
    assert "\n" not in str(refused.value)
    assert merchant.ledger.entries == before
    merchant.policy_file.write_text(TEXT)
    assert merchant.reserve(2) is None, "the same terms again: rounds go on with the same objects"
    merchant.seal(2)


@pytest.mark.parametrize("name", ["deleted", "no approved coordinator", "a smaller epsilon"])
def test_a_sealed_answer_stays_while_the_policy_does_not_allow_it_and_has_the_same_bytes_later(
    name: str, merchant: Merchant
) -> None:
    sealed = merchant.reserve(1)
    assert sealed is not None
    change(merchant, CHANGES[name][0])
    with pytest.raises(HansaError):
        merchant.reserve(1)
    merchant.policy_file.write_text(TEXT)
    again = merchant.reserve(1)
    assert again is not None
    assert to_wire(again) == to_wire(sealed)
    assert merchant.charged == [1]


def test_a_policy_that_is_taken_back_while_a_round_is_computed_keeps_the_answer_here(merchant: Merchant) -> None:
    assert merchant.reserve(2) is None
    merchant.policy_file.unlink()
    with pytest.raises(PrivacyError, match="There is no policy"):
        merchant.seal(2)
    merchant.policy_file.write_text(TEXT)
    assert merchant.reserve(2) is not None, "sealed, and free"
    assert merchant.charged == [1, 2]


def test_the_hours_are_those_of_the_file(merchant: Merchant) -> None:
    always = 'hours = ["00:00-12:00", "12:00-00:00"]'
    merchant.policy_file.write_text(TEXT.replace("hours = []", always))
    assert merchant.reserve(2) is None
    now = datetime.now()
    span = f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"
    merchant.policy_file.write_text(TEXT.replace("hours = []", f'hours = ["{span}"]'))
    with pytest.raises(PrivacyError, match=r"outside the policy's plan\.hours"):
        merchant.reserve(3)
    assert merchant.charged == [1, 2]


def test_a_sealed_answer_needs_no_room(merchant: Merchant, make_spend: Callable[..., Spend]) -> None:
    """Whatever other plans took since: it is charged already."""
    noise = merchant.agreement.mechanism.noise_multiplier
    for number in range(1, 61):
        merchant.ledger.reserve(make_spend(noise_multiplier=noise, round_number=number), {"customer": ROOMY})
    assert merchant.reserve(1) is not None
    with pytest.raises(PrivacyError, match="would pass epsilon"):
        merchant.reserve(2)


def test_what_a_renewed_policy_asks_for_is_what_is_charged(tmp_path: Path, make_offer, ledger: Ledger) -> None:
    """Only what no term of the plan depends on may differ: here how much is for life."""
    merchant = Merchant(tmp_path / "policy.toml", make_offer(num_rounds=20), ledger)
    merchant.policy_file.write_text(TEXT.replace("budget = { epsilon = 4.0", "budget = { epsilon = 9.0"))
    assert merchant.reserve(1) is None
