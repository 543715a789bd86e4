import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Message, MessageType, RecordDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.account.agreement import Offer, agree
from client.account.ledger.answer_log import LedgerAnswerLog
from client.account.ledger.entry import Seal, Spend
from client.account.ledger.ledger import Ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import Policy
from client.round.answers import Answers, Merchant, make_client_app
from common.data.panel import Panel
from common.errors import BudgetExhausted, MessageError, PrivacyError
from common.message.round import RoundRequest, encode_request
from common.message.vector import hash_vector
from common.message.wire import to_wire
from common.model.demand_gru import get_vector, make_model
from common.model.features import build_series
from common.privacy.accounting import epsilon_of
from common.privacy.bound import LARGEST_MODEL
from common.privacy.clipping_rule import Automatic
from common.privacy.mechanism import Mechanism
from common.privacy.noise import SecureNoise
from simulation.engine.grid import InProcessGrid, make_context
from simulation.engine.seeded_noise import SeededNoise

NODE_ID = 10
SIZE = 100  # parameters, where no model is needed


class CountedNoise(SecureNoise):
    """Real noise that counts how often it was asked, and fails when told to."""

    def __init__(self) -> None:
        self.draws, self.broken = 0, False

    def integers(self, size: int, std: float) -> torch.Tensor:
        self.draws += 1
        if self.broken:
            raise RuntimeError("killed between reserve and seal")
        return super().integers(size, std)


def refusal(policy: Policy, offer: Offer, ledger: Ledger) -> str:
    with pytest.raises(PrivacyError) as caught:
        agree(policy, offer, ledger, num_coordinates=SIZE)
    return str(caught.value)


def test_a_model_larger_than_the_proof_is_refused_with_or_without_noise(
    make_policy: Callable[..., Policy], make_offer: Callable[..., Offer], ledger: Ledger
) -> None:
    for offer in (make_offer(), replace(make_offer(), private=False)):
        with pytest.raises(PrivacyError, match=r"4,194,297 parameters.*is proven for up to 4,194,296"):
            agree(make_policy(), offer, ledger, num_coordinates=LARGEST_MODEL + 1)


def test_the_plan_s_clipping_rule_is_what_runs_and_costs_the_same(
    make_policy: Callable[..., Policy], make_offer: Callable[..., Offer], ledger: Ledger
) -> None:
    offer = make_offer(num_rounds=20)
    other = offer.plan.model_copy(
        update={"privacy": offer.plan.privacy.model_copy(update={"clipping_rule": "automatic"})}
    )
    plain, automatic = (
        agree(make_policy(), replace(offer, plan=plan), ledger, num_coordinates=SIZE).mechanism
        for plan in (offer.plan, other)
    )
    assert (plain.rule, automatic.rule) == (None, Automatic())
    assert plain.mu_squared == automatic.mu_squared


def test_an_offer_within_the_policy_gets_the_noise_that_spends_the_plans_epsilon(
    make_policy: Callable[..., Policy], make_offer: Callable[..., Offer], ledger: Ledger
) -> None:
    agreement = agree(make_policy(), make_offer(num_rounds=20), ledger, num_coordinates=SIZE)
    mu = (20 * agreement.mechanism.mu_squared) ** 0.5
    assert epsilon_of(mu, 1e-5) == pytest.approx(2.0, rel=1e-6)
    assert agreement.mechanism.clipping_norm == 1.0
    assert ledger.account("shop", "customer").mu_squared() == 0.0


@pytest.mark.parametrize(
    ("policy", "offer", "said"),
    [
        ({}, {"coordinator": "d" * 64}, "approval.coordinators does not list"),
        ({"approval": {"automatic": None}}, {}, "is not approved; add its hash"),
        (
            {"approval": {"automatic": {"largest_num_rounds": 2, "smallest_cohort": 3}}},
            {},
            "automatic.largest",
        ),
        ({}, {"cohort_size": 2}, "approval.automatic.smallest_cohort is 3"),
        ({"plan": {"largest_num_rounds": 2}}, {}, "has 3 rounds, plan.largest_num_rounds is 2"),
        ({"plan": {"smallest_cohort": 6}}, {}, "has 5 merchants, plan.smallest_cohort is 6"),
        ({}, {"plan": {"privacy": {"unit": "product"}}}, "protects one product, the policy's unit is customer"),
        ({"size_class": 33}, {}, "has no size class 33; declare one of 32, 64"),
        ({"plan": {"smallest_noise_multiplier": 5.0}}, {}, "would leave with noise 3.45, the policy allows 5.0"),
        ({}, {"private": False}, "plan.allow_training_without_noise = true"),
    ],
)
def test_what_the_policy_does_not_allow_is_refused_in_a_sentence_for_the_merchant(
    policy: dict[str, Any],
    offer: dict[str, Any],
    said: str,
    make_policy: Callable[..., Policy],
    make_offer: Callable[..., Offer],
    ledger: Ledger,
) -> None:
    assert said in refusal(make_policy(**policy), make_offer(**offer), ledger)


def test_a_plan_approved_by_its_hash_needs_no_automatic_limits_and_another_plan_is_not_approved_with_it(
    make_policy: Callable[..., Policy], make_offer: Callable[..., Offer], ledger: Ledger
) -> None:
    offer = make_offer()
    policy = make_policy(approval={"plans": [offer.plan.hash], "automatic": None})
    agree(policy, offer, ledger, num_coordinates=SIZE)
    assert "is not approved" in refusal(policy, make_offer(plan={"privacy": {"clipping_norm": 2.0}}), ledger)


def test_a_plan_whose_rounds_do_not_all_fit_the_budget_is_refused_before_the_first(
    make_policy: Callable[..., Policy], make_offer: Callable[..., Offer], ledger: Ledger
) -> None:
    policy = make_policy(budget={"period_epsilon": 2.0})
    first = agree(policy, make_offer(), ledger, num_coordinates=SIZE)
    ledger.reserve(first.spend(round_number=1, model_hash="b" * 64, at=datetime.now().astimezone()), policy.budgets)
    agree(policy, make_offer(), ledger, num_coordinates=SIZE)  # the same plan after a restart: two rounds to go
    other = make_offer(plan={"name": "other"})
    with pytest.raises(BudgetExhausted, match="3 rounds of plan"):
        agree(policy, other, ledger, num_coordinates=SIZE)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    num_rounds=st.integers(1, 60) | st.integers(1, 10**6),
    clipping_norm=st.floats(1e-6, 1e6),
    cohort_size=st.integers(-5, 20),
    unit=st.sampled_from(["customer", "customer", "customer", "product"]),
    size_classes=st.just([32, 64]) | st.lists(st.integers(1, 10**6), min_size=1, max_size=3),
    delta=st.none() | st.floats(1e-12, 0.009),
    private=st.booleans(),
    coordinator=st.sampled_from(["c" * 64, "d" * 64]),
)
def test_whatever_a_coordinator_says_it_is_refused_or_stays_within_the_policy(
    make_policy: Callable[..., Policy],
    make_offer: Callable[..., Offer],
    ledger: Ledger,
    num_rounds: int,
    clipping_norm: float,
    cohort_size: int,
    private: bool,
    coordinator: str,
    **privacy: Any,
) -> None:
    policy = make_policy()
    plan = {"privacy": {**privacy, "clipping_norm": clipping_norm}}
    offer = make_offer(
        num_rounds=num_rounds, private=private, plan=plan, coordinator=coordinator, cohort_size=cohort_size
    )
    try:
        agreement = agree(policy, offer, ledger, num_coordinates=SIZE)
    except PrivacyError:
        return
    mechanism = agreement.mechanism
    assert coordinator in policy.approval.coordinators
    assert mechanism.noise_multiplier >= policy.plan.smallest_noise_multiplier
    assert epsilon_of((num_rounds * mechanism.mu_squared) ** 0.5, policy.budget.delta) <= policy.plan.epsilon
    assert num_rounds <= policy.plan.largest_num_rounds
    assert cohort_size >= policy.plan.smallest_cohort
    assert offer.plan.privacy.unit == policy.unit


@pytest.fixture
def make_merchant(
    make_policy: Callable[..., Policy],
    make_offer: Callable[..., Offer],
    make_panel: Callable[..., Panel],
    ledger: Ledger,
) -> Iterator[Callable[..., Merchant]]:
    """Make a merchant whose rounds are charged and sealed, as after a start of its own process."""
    opened = ExitStack()

    def make(
        *, hours: tuple[str, ...] = (), private: bool = True, num_entities: int = 6, **answer_log: Any
    ) -> Merchant:
        offer = make_offer(private=private)
        series = build_series(make_panel(num_entities=num_entities), offer.plan.model, 60)
        policy = make_policy(
            plan={"hours": list(hours), "allow_training_without_noise": not private, "smallest_cohort": 1},
            approval={"automatic": {"smallest_cohort": 1}},  # nobody signs calls in one process
        )
        agreement = agree(policy, offer, ledger, num_coordinates=len(make_vector(series)))
        guarded = LedgerAnswerLog(opened.enter_context(closing(Ledger(ledger.path))), agreement, **answer_log)
        num_rounds, noise, device = offer.training.num_rounds, CountedNoise(), torch.device("cpu")
        return Merchant(offer.plan, num_rounds, series, agreement.mechanism, noise, device, guarded)

    with opened:
        yield make


def make_vector(series) -> torch.Tensor:
    model = make_model(series.plan, num_features=series.num_features, num_future=series.num_future, seed=1)
    return get_vector(model)


def make_request(merchant: Merchant, *, round_number: int = 1, shift: float = 0.0) -> RoundRequest:
    parameters = make_vector(merchant.series) + shift
    return RoundRequest(merchant.run_hash, round_number, hash_vector(parameters), parameters)


def connect(merchant: Merchant) -> InProcessGrid:
    return InProcessGrid({"m": (make_client_app(Answers(merchant).answer), make_context(NODE_ID))})


def ask(grid: InProcessGrid, request: RoundRequest) -> RecordDict | None:
    (reply,) = grid.send_and_receive([Message(encode_request(request), NODE_ID, MessageType.TRAIN)])
    return None if reply.has_error() else reply.content


def test_what_is_sent_is_what_was_sealed_for_a_spend_that_was_charged_before(
    make_merchant: Callable[..., Merchant], ledger: Ledger
) -> None:
    merchant = make_merchant()
    content = ask(connect(merchant), make_request(merchant))
    assert content is not None
    _, spend, seal = ledger.entries
    assert isinstance(spend, Spend)
    assert isinstance(seal, Seal)
    assert spend.cost("customer") == merchant.mechanism.mu_squared
    assert to_wire(content) == ledger.message(2)
    verify_ledger(ledger.path)


def test_the_same_request_gets_the_same_bytes_after_a_restart_at_no_cost(
    make_merchant: Callable[..., Merchant], ledger: Ledger
) -> None:
    first, again = make_merchant(), make_merchant()
    one, two = ask(connect(first), make_request(first)), ask(connect(again), make_request(again))
    assert one is not None
    assert two is not None
    assert to_wire(one) == to_wire(two)
    assert again.noise.draws == 0  # type: ignore[attr-defined]
    assert ledger.account("shop", "customer").mu_squared() == first.mechanism.mu_squared


def test_a_round_killed_between_reserve_and_seal_is_computed_again_for_the_same_spend(
    make_merchant: Callable[..., Merchant], ledger: Ledger
) -> None:
    merchant = make_merchant()
    merchant.noise.broken = True  # type: ignore[attr-defined]
    assert ask(connect(merchant), make_request(merchant)) is None
    assert ledger.account("shop", "customer").mu_squared() == merchant.mechanism.mu_squared
    again = make_merchant()
    assert ask(connect(again), make_request(again)) is not None
    assert ledger.account("shop", "customer").mu_squared() == merchant.mechanism.mu_squared


def test_after_a_restart_a_round_in_other_words_or_an_earlier_one_is_refused(
    make_merchant: Callable[..., Merchant], ledger: Ledger
) -> None:
    merchant = make_merchant()
    assert ask(connect(merchant), make_request(merchant, round_number=2)) is not None
    again = make_merchant()
    assert ask(connect(again), make_request(again, round_number=2, shift=0.5)) is None
    assert ask(connect(again), make_request(again, round_number=1)) is None
    assert ask(connect(again), make_request(again, round_number=3)) is not None
    assert ledger.account("shop", "customer").mu_squared() == 2 * merchant.mechanism.mu_squared


def test_the_rounds_of_a_plan_cost_its_epsilon_and_no_more(
    make_merchant: Callable[..., Merchant], ledger: Ledger
) -> None:
    merchant = make_merchant()
    answers = [ask(connect(merchant), make_request(merchant, round_number=number)) for number in range(1, 6)]
    assert [answer is not None for answer in answers] == [True, True, True, False, False]
    assert ledger.account("shop", "customer").guarantee().epsilon == pytest.approx(2.0, rel=1e-6)


def test_a_refusal_leaves_as_one_word_and_charges_nothing(
    make_merchant: Callable[..., Merchant], ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    merchant = make_merchant(hours=("00:00-00:01",), clock=lambda: datetime(2025, 6, 1, 12).astimezone())
    grid = connect(merchant)
    assert ask(grid, make_request(merchant)) is None
    error = grid.failures[NODE_ID]
    assert (type(error), str(error)) == (MessageError, "declined")
    assert "outside the policy's plan.hours" in caplog.text
    assert ledger.account("shop", "customer").mu_squared() == 0.0


def test_a_refusal_does_not_depend_on_the_data(make_merchant: Callable[..., Merchant]) -> None:
    said = []
    for num_entities in (1, 40):
        merchant = make_merchant(num_entities=num_entities)
        broken = replace(merchant, mechanism=Mechanism(1.0, 9.0))
        grid = connect(broken)
        assert ask(grid, make_request(broken)) is None
        said.append(str(grid.failures[NODE_ID]))
    assert said == ["declined", "declined"]


def test_other_noise_than_agreed_is_neither_run_nor_charged(
    make_merchant: Callable[..., Merchant], ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    merchant = replace(make_merchant(), mechanism=Mechanism(1.0, 9.0))
    assert ask(connect(merchant), make_request(merchant)) is None
    assert "with other noise or under another plan than agreed" in caplog.text
    assert ledger.account("shop", "customer").mu_squared() == 0.0


def test_without_noise_every_round_warns(
    make_merchant: Callable[..., Merchant], ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    merchant = make_merchant(private=False)
    for round_number in (1, 2):
        assert ask(connect(merchant), make_request(merchant, round_number=round_number)) is not None
    assert caplog.text.count("WITHOUT NOISE") == 2
    assert ledger.account("shop", "customer").mu_squared() == float("inf")


def test_a_ledger_is_not_charged_for_noise_that_has_a_seed(make_merchant: Callable[..., Merchant]) -> None:
    with pytest.raises(PrivacyError, match="noise that nobody can replay"):
        replace(make_merchant(), noise=SeededNoise(np.random.default_rng(0)))


def test_a_ledger_that_was_tampered_with_answers_no_round(
    make_merchant: Callable[..., Merchant], ledger: Ledger
) -> None:
    merchant = make_merchant()
    assert ask(connect(merchant), make_request(merchant)) is not None
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.execute("DROP TRIGGER entry_stays")
    connection.execute("UPDATE entry SET head = 'x' || head WHERE number = 2")
    connection.close()
    with pytest.raises(PrivacyError, match=r"Line 2 .* was changed"):
        make_merchant()


def test_an_agreement_prices_a_round_of_a_product_plan_for_customers_too(
    make_policy: Callable[..., Policy], make_offer: Callable[..., Offer], ledger: Ledger
) -> None:
    ledger.open_account("shop", "product", delta=1e-5, at=datetime.now().astimezone() - timedelta(days=1))
    customer = {"epsilon": 30.0, "period_epsilon": 30.0, "period_days": 365, "delta": 1e-5, "units_per_customer": 2}
    policy = make_policy(unit="product", customer=customer)
    offer = make_offer(plan={"privacy": {"unit": "product"}})
    agreement = agree(policy, offer, ledger, num_coordinates=SIZE)
    spend = agreement.spend(round_number=1, model_hash="b" * 64, at=datetime.now().astimezone())
    assert spend.cost("customer") == pytest.approx(16 * spend.cost("product"))
