import math
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.account.ledger.balance import Account, how_often, room_of
from client.account.ledger.entry import Opening, Seal, Spend, chain
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import Budget, CustomerBudget
from common.errors import BudgetExhausted, MessageError, PrivacyError
from common.privacy.accounting import customer_mu, epsilon_of, mu_of, round_mu_squared

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
DELTA = 1e-5
BUDGET = Budget(epsilon=4.0, period_epsilon=2.0, period_days=30, delta=DELTA)
ROOMY = Budget(epsilon=32.0, period_epsilon=32.0, period_days=30, delta=DELTA)
BUDGETS = {"customer": BUDGET}


def spent(ledger: Ledger, unit: str = "customer") -> float:
    return ledger.account("shop", unit).mu_squared()  # type: ignore[arg-type]


def test_a_spend_is_charged_once_however_often_asked_for(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    numbers = [ledger.reserve(make_spend(), BUDGETS) for _ in range(3)]
    assert numbers == [2, 2, 2]
    assert spent(ledger) == 1 / 16


def test_spends_of_all_plans_and_coordinators_add_up(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    for number, other in enumerate(({}, {"plan_hash": "d" * 64}, {"coordinator": "e" * 64, "round_number": 2})):
        ledger.reserve(make_spend(**other), BUDGETS)
        assert spent(ledger) == (number + 1) / 16
    assert ledger.account("shop", "customer").guarantee().epsilon == epsilon_of(math.sqrt(3 / 16), DELTA)


def test_what_is_spent_outlives_the_process_and_another_copy_of_the_object(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    with closing(Ledger(ledger.path)) as other:
        ledger.reserve(make_spend(), BUDGETS)
        assert spent(other) == 1 / 16
        ledger.close()
        with closing(Ledger(ledger.path)) as again:
            assert spent(again) == 1 / 16
            assert again.heads == other.heads


def test_a_round_is_refused_in_other_words_or_after_a_later(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    ledger.reserve(make_spend(round_number=2), BUDGETS)
    for other in ({"round_number": 2, "model_hash": "f" * 64}, {"round_number": 1}):
        with pytest.raises(MessageError, match="go on with the next round"):
            ledger.reserve(make_spend(**other), BUDGETS)
    assert spent(ledger) == 1 / 16


def test_a_round_charged_for_other_noise_is_lost_unless_its_message_is_sealed(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    number = ledger.reserve(make_spend(), BUDGETS)
    with pytest.raises(PrivacyError, match="charged for other noise and never sent"):
        ledger.reserve(make_spend(noise_multiplier=2.0), BUDGETS)
    ledger.seal(number, b"message", at=NOON)
    assert ledger.reserve(make_spend(noise_multiplier=2.0), BUDGETS) == number


def test_the_budget_for_life_is_never_passed(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    budget = Budget(epsilon=2.0, period_epsilon=2.0, period_days=1, delta=DELTA)
    rounds = math.floor(mu_of(2.0, DELTA) ** 2 * 16)
    spends = [make_spend(round_number=number, at=NOON + timedelta(days=2 * number)) for number in range(1, rounds + 2)]
    for spend in spends[:-1]:
        ledger.reserve(spend, {"customer": budget})
    with pytest.raises(BudgetExhausted, match=r"would pass epsilon 2.0 per customer for life on shop"):
        ledger.reserve(spends[-1], {"customer": budget})
    assert ledger.account("shop", "customer").guarantee().epsilon <= 2.0
    assert spent(ledger) + 1 / 16 > mu_of(2.0, DELTA) ** 2


def test_the_budget_of_a_period_comes_back_when_it_has_passed(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    most = math.floor(mu_of(2.0, DELTA) ** 2 * 16)
    for number in range(1, most + 1):
        ledger.reserve(make_spend(round_number=number), BUDGETS)
    late = {"round_number": most + 1}
    with pytest.raises(BudgetExhausted, match="per customer for 30 days on shop"):
        ledger.reserve(make_spend(**late, at=NOON + timedelta(days=29)), BUDGETS)
    ledger.reserve(make_spend(**late, at=NOON + timedelta(days=31)), BUDGETS)


def test_a_spend_of_the_future_counts_in_every_period(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    ledger.reserve(make_spend(at=NOON + timedelta(days=400)), BUDGETS)  # made while the clock was wrong
    account = ledger.account("shop", "customer")
    assert room_of(account, BUDGET, now=NOON).period == pytest.approx(mu_of(2.0, DELTA) ** 2 - 1 / 16)


def test_another_delta_than_the_account_was_opened_with_is_refused(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    with pytest.raises(PrivacyError, match="the account was opened with 1e-05"):
        ledger.reserve(make_spend(), {"customer": BUDGET.model_copy(update={"delta": 1e-6})})


def test_without_an_account_or_a_ledger_nothing_is_spent(ledger: Ledger, make_spend, tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match="no account for data set 'shop' and unit product"):
        ledger.reserve(make_spend(unit="product"), {"product": BUDGET})
    with pytest.raises(PrivacyError, match="no account for data set 'other'"):
        ledger.reserve(make_spend(dataset="other"), BUDGETS)
    with pytest.raises(PrivacyError, match="There is no ledger"):
        Ledger(tmp_path / "nowhere.sqlite")
    assert spent(ledger) == 0


def test_a_ledger_is_never_made_over_another_and_only_its_owner_reads_it(ledger: Ledger) -> None:
    with pytest.raises(PrivacyError, match="what was spent stays spent"):
        create_ledger(ledger.path)
    assert os.stat(ledger.path).st_mode & 0o777 == 0o600
    with pytest.raises(PrivacyError, match="is open already"):
        ledger.open_account("shop", "customer", delta=DELTA, at=NOON)


def test_without_noise_nothing_is_left_and_only_an_explicit_line_allows_it(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    plain = make_spend(noise_multiplier=0.0, clipping_norm=None)
    with pytest.raises(PrivacyError, match="does not allow training without noise"):
        ledger.reserve(plain, BUDGETS)
    ledger.reserve(plain, BUDGETS, allow_without_noise=True)
    assert ledger.account("shop", "customer").guarantee().epsilon == math.inf
    with pytest.raises(BudgetExhausted):
        ledger.reserve(make_spend(plan_hash="d" * 64), BUDGETS)


@pytest.mark.parametrize("opened_first", [True, False])
def test_a_product_plan_is_charged_to_the_customer_account_by_the_2k_rule(
    tmp_path: Path, make_spend: Callable[..., Spend], opened_first: bool
) -> None:
    create_ledger(tmp_path / "two.sqlite")
    spend = make_spend(unit="product", units_per_customer=3, noise_multiplier=10.0)
    customer = CustomerBudget(**{**ROOMY.model_dump(), "units_per_customer": 3})
    with closing(Ledger(tmp_path / "two.sqlite")) as ledger:
        ledger.open_account("shop", "product", delta=DELTA, at=NOON)
        if opened_first:
            ledger.open_account("shop", "customer", delta=DELTA, at=NOON)
        ledger.reserve(spend, {"product": ROOMY, "customer": customer})
        if not opened_first:
            ledger.open_account("shop", "customer", delta=DELTA, at=NOON)
        assert spent(ledger, "product") == round_mu_squared(10.0)
        assert spent(ledger, "customer") == pytest.approx(customer_mu(0.1, 3) ** 2, rel=1e-12)


def test_a_product_plan_that_would_pass_the_customer_budget_is_refused(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    ledger.open_account("shop", "product", delta=DELTA, at=NOON)
    spend = make_spend(unit="product", units_per_customer=5, noise_multiplier=8.0)
    with pytest.raises(BudgetExhausted, match=r"epsilon 4.0 per customer for life"):
        ledger.reserve(spend, {"product": ROOMY, **BUDGETS})
    assert spent(ledger, "product") == 0


def test_where_customers_were_promised_something_a_product_plan_needs_their_budget(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    ledger.open_account("shop", "product", delta=DELTA, at=NOON)
    with pytest.raises(PrivacyError, match=r"also costs every customer of 'shop'.*add the section \[customer\]"):
        ledger.reserve(make_spend(unit="product"), {"product": ROOMY})
    with pytest.raises(BudgetExhausted, match="per customer"):
        ledger.reserve(make_spend(unit="product"), {"product": ROOMY, **BUDGETS})


def test_after_a_product_plan_that_nobody_bounded_no_customer_can_be_promised_anything(
    tmp_path: Path, make_spend: Callable[..., Spend]
) -> None:
    create_ledger(tmp_path / "two.sqlite")
    with closing(Ledger(tmp_path / "two.sqlite")) as ledger:
        ledger.open_account("shop", "product", delta=DELTA, at=NOON)
        ledger.reserve(make_spend(unit="product"), {"product": ROOMY})
        with pytest.raises(PrivacyError, match="no account can promise a customer anything any more"):
            ledger.open_account("shop", "customer", delta=DELTA, at=NOON)


def test_the_first_message_sealed_for_a_spend_is_the_only_one(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    number = ledger.reserve(make_spend(), BUDGETS)
    assert ledger.message(number) is None
    assert ledger.seal(number, b"first", at=NOON) == b"first"
    assert ledger.seal(number, b"second", at=NOON) == b"first"
    with closing(Ledger(ledger.path)) as again:
        assert again.message(number) == b"first"
    assert sum(isinstance(entry, Seal) for entry in ledger.entries) == 1


def test_two_who_reserve_and_seal_at_once_agree_on_one_spend_and_one_message(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    def answer(place: int) -> tuple[int, bytes]:
        with closing(Ledger(ledger.path)) as own:
            number = own.reserve(make_spend(), BUDGETS)
            return number, own.seal(number, f"message {place}".encode(), at=NOON)

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(answer, range(24)))
    assert len(answers) == 1
    assert spent(ledger) == 1 / 16
    verify_ledger(ledger.path)


def test_a_reader_sees_a_message_and_its_line_together_while_another_seals(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    numbers = [
        ledger.reserve(make_spend(round_number=number, noise_multiplier=50.0), BUDGETS) for number in range(1, 16)
    ]
    with closing(Ledger(ledger.path)) as reader, ThreadPoolExecutor(1) as pool:
        sealing = pool.submit(lambda: [ledger.seal(number, b"m", at=NOON) for number in numbers])
        while not sealing.done():
            assert reader.message(numbers[-1]) in (None, b"m")
            verify_ledger(ledger.path)
        assert reader.message(numbers[-1]) == b"m"


def test_nothing_can_be_changed_or_deleted_through_sqlite(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    number = ledger.reserve(make_spend(), BUDGETS)
    ledger.seal(number, b"message", at=NOON)
    with closing(sqlite3.connect(ledger.path)) as connection:
        for statement in (
            "UPDATE entry SET line = ''",
            "DELETE FROM entry",
            "UPDATE message SET content = X'00'",
            "DELETE FROM message",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)


def fill(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    for round_number in range(1, 4):
        number = ledger.reserve(make_spend(round_number=round_number), BUDGETS)
        ledger.seal(number, f"message {round_number}".encode(), at=NOON)
    ledger.close()


CHEAPER = "replace(line, '\"noise_multiplier\":4.0', '\"noise_multiplier\":9.0')"
TAMPERINGS = {
    "a spend made cheaper": f"UPDATE entry SET line = {CHEAPER} WHERE number = 2",  # noqa: S608
    "the last line made cheaper": "UPDATE entry SET line = replace(line, '{', '{ ') WHERE number = 7",
    "a line dropped": "DELETE FROM entry WHERE number = 4",
    "a line moved": "UPDATE entry SET number = 99 WHERE number = 4",
    "a head rewritten": "UPDATE entry SET head = 'x' || head WHERE number = 3",
    "a message changed": "UPDATE message SET content = X'00' WHERE spend = 4",
    "a message dropped": "DELETE FROM message WHERE spend = 4",
    "a message added": "INSERT INTO message VALUES (1, X'00')",
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_a_tampered_ledger_is_found_by_verify(tampering: str, ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    fill(ledger, make_spend)
    verify_ledger(ledger.path)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        for name in ("entry_stays", "entry_remains", "message_stays", "message_remains"):
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(TAMPERINGS[tampering]).rowcount == 1
    with pytest.raises(PrivacyError, match=r"changed, dropped or moved|was changed|no line names|ledger"):
        verify_ledger(ledger.path)


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Rewrite the whole chain, as somebody could who owns the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entry_stays")
        head = "0" * 64
        for number, line in connection.execute("SELECT number, line FROM entry ORDER BY number").fetchall():
            head = chain(head, change(line))
            connection.execute("UPDATE entry SET line = ?, head = ? WHERE number = ?", (change(line), head, number))


def test_a_chain_rewritten_from_its_start_is_found_by_a_head_that_was_noted(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    fill(ledger, make_spend)
    with closing(Ledger(ledger.path)) as reader:
        noted = reader.heads[-1]
    verify_ledger(ledger.path, head=noted)
    rewrite(ledger.path, lambda line: line.replace('"noise_multiplier":4.0', '"noise_multiplier":9.0'))
    with pytest.raises(PrivacyError, match="never had the head that"):
        verify_ledger(ledger.path)
    ledger.head_files.beside.unlink()  # whoever can rewrite the one may delete the other
    with pytest.raises(PrivacyError, match="never had the head"):
        verify_ledger(ledger.path, head=noted)


def test_a_ledger_with_a_line_of_an_unknown_kind_is_not_spent_on(ledger: Ledger) -> None:
    ledger.close()
    rewrite(ledger.path, lambda line: line.replace('"kind":"opening"', '"kind":"gift"'))
    with pytest.raises(PrivacyError, match="a line that this version of hansa cannot read"):
        Ledger(ledger.path)


def test_a_file_that_is_no_ledger_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database at all, only some text that is long enough" * 20)
    with pytest.raises(PrivacyError, match=r"Cannot use the ledger .*nothing was spent"):
        Ledger(path)


sigmas = st.floats(0.3, 100.0)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sigmas=st.lists(sigmas, min_size=1, max_size=30), epsilon=st.floats(0.2, 20.0))
def test_whatever_is_asked_for_the_account_is_true_and_within_its_budget(
    sigmas: list[float], epsilon: float, tmp_path_factory: pytest.TempPathFactory, make_spend: Callable[..., Spend]
) -> None:
    path = tmp_path_factory.mktemp("any") / "ledger.sqlite"
    create_ledger(path)
    budget = Budget(epsilon=epsilon, period_epsilon=epsilon, period_days=1, delta=DELTA)
    with closing(Ledger(path)) as ledger:
        ledger.open_account("shop", "customer", delta=DELTA, at=NOON)
        granted = []
        for round_number, sigma in enumerate(sigmas, start=1):
            try:
                ledger.reserve(make_spend(round_number=round_number, noise_multiplier=sigma), {"customer": budget})
                granted.append(sigma)
            except BudgetExhausted:
                continue
        account = ledger.account("shop", "customer")
    assert account.mu_squared() == pytest.approx(sum(sigma**-2 for sigma in granted), rel=1e-12)
    assert account.guarantee().epsilon <= epsilon * (1 + 1e-12)


def test_an_account_about_products_says_nothing_of_customer_plans_on_the_same_data(
    make_spend: Callable[..., Spend],
) -> None:
    assert make_spend(unit="customer").cost("product") == 0.0
    assert make_spend(unit="product").cost("customer") == math.inf
    assert make_spend(unit="store", units_per_customer=1).cost("customer") == pytest.approx(4 / 16)


def test_how_many_rounds_are_left_follows_from_the_tighter_budget(make_spend: Callable[..., Spend]) -> None:
    account = Account("shop", "customer", DELTA, (make_spend(),))
    room = room_of(account, BUDGET, now=NOON + timedelta(days=1))
    assert room.least == room.period < room.life
    assert how_often(1 / 16, room.least) == math.floor((mu_of(2.0, DELTA) ** 2 - 1 / 16) * 16)
    later = room_of(account, BUDGET, now=NOON + timedelta(days=31))
    assert later.life == room.life
    assert later.period == pytest.approx(mu_of(2.0, DELTA) ** 2)
    assert how_often(math.inf, room.least) == how_often(1 / 16, -1.0) == 0


def test_every_line_of_a_ledger_reads_back_as_it_was_written(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    spend = make_spend(noise_multiplier=1 / 3, plan='a "name"')
    number = ledger.reserve(spend, {"customer": ROOMY})
    ledger.seal(number, b"m", at=NOON)
    with closing(Ledger(ledger.path)) as reader:
        opening, again, seal = reader.entries
    assert (type(opening), again, type(seal)) == (Opening, spend, Seal)
