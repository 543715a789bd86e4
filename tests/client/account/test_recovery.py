"""Whoever lost the newest ledger may go on, and no account is cheaper for it."""

import json
import math
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.recovery import assess_loss, recover_ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import Budget, CustomerBudget
from common.errors import BudgetExhausted, DataError, PrivacyError

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
DELTA = 1e-5
ROOMY = Budget(epsilon=20.0, period_epsilon=20.0, period_days=30, delta=DELTA)
CUSTOMER = CustomerBudget(**ROOMY.model_dump(), units_per_customer=3)
BUDGETS = {"customer": CUSTOMER, "product": ROOMY}
BY_KEY = {("shop", "customer"): ROOMY, ("shop", "product"): ROOMY}


def answer(ledger: Ledger, spend: Spend) -> None:
    ledger.seal(ledger.reserve(spend, BUDGETS, allow_without_noise=True), b"message", at=NOON)


def spent(ledger: Ledger, unit: str = "customer") -> float:
    return ledger.account("shop", unit).mu_squared()  # type: ignore[arg-type]


@pytest.fixture
def older(ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path) -> Path:
    """A copy of the ledger file after one round, kept elsewhere."""
    answer(ledger, make_spend())
    return keep(ledger, tmp_path / "older.sqlite")


def keep(ledger: Ledger, copy: Path) -> Path:
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(ledger.path, copy)
    return copy


def put_back(copy: Path | None, ledger: Ledger) -> None:
    ledger.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{ledger.path}{suffix}").unlink(missing_ok=True)
    if copy is not None:
        shutil.copy(copy, ledger.path)


def test_what_was_lost_is_charged_exactly_where_the_head_is_there(
    ledger: Ledger, older: Path, make_spend: Callable[..., Spend]
) -> None:
    for number in (2, 3, 4):
        answer(ledger, make_spend(round_number=number))
    put_back(older, ledger)
    looked = assess_loss(ledger.path, BY_KEY)
    assert looked.reason is not None
    with pytest.raises(PrivacyError, match="an older copy"):
        Ledger(ledger.path)
    assert recover_ledger(ledger.path, BY_KEY, at=NOW) == looked
    with closing(Ledger(ledger.path)) as again:
        assert 4 / 16 <= spent(again) == pytest.approx(4 / 16, rel=1e-9)
        assert again.account("shop", "customer").num_coordinates == 400
        answer(again, make_spend(round_number=2))  # a lost round that is asked for again is charged again
        assert spent(again) == pytest.approx(5 / 16, rel=1e-9)
    verify_ledger(ledger.path)
    assert assess_loss(ledger.path, BY_KEY).reason is None


def test_a_round_whose_message_was_lost_is_charged_once_more(
    ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    """The copy knows the charge and not the answer, so it would answer in other words at no cost."""
    number = ledger.reserve(make_spend(), BUDGETS)
    copy = keep(ledger, tmp_path / "older.sqlite")
    ledger.seal(number, b"left already", at=NOON)
    put_back(copy, ledger)
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        assert 2 / 16 <= spent(again) == pytest.approx(2 / 16, rel=1e-9)


def test_a_ledger_that_is_gone_altogether_begins_with_what_its_head_says(
    ledger: Ledger, older: Path, make_spend: Callable[..., Spend]
) -> None:
    put_back(None, ledger)
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        assert 1 / 16 <= spent(again) == pytest.approx(1 / 16, rel=1e-9)
        assert again.account("shop", "customer").delta == DELTA


@pytest.mark.parametrize("lost", ["deleted", "damaged"])
def test_without_a_head_the_account_is_charged_up_to_its_budget(
    lost: str, ledger: Ledger, older: Path, make_spend: Callable[..., Spend]
) -> None:
    put_back(older, ledger)
    beside = ledger.head_files.beside
    beside.unlink() if lost == "deleted" else beside.write_text("{")
    loss = recover_ledger(ledger.path, BY_KEY, at=NOW)
    assert not loss.is_known
    with closing(Ledger(ledger.path)) as again:
        assert again.account("shop", "customer").guarantee().epsilon == pytest.approx(20.0, rel=1e-6)
        with pytest.raises(BudgetExhausted):
            again.reserve(make_spend(round_number=2), BUDGETS)


def test_an_account_without_a_budget_has_no_bound_then(ledger: Ledger, older: Path) -> None:
    put_back(older, ledger)
    ledger.head_files.beside.unlink()
    recover_ledger(ledger.path, {}, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        assert spent(again) == math.inf


def test_no_account_gets_cheaper_where_product_plans_cost_customers_too(
    ledger: Ledger, older: Path, make_spend: Callable[..., Spend]
) -> None:
    """The product account was opened after the copy, and one of its rounds costs a customer three products."""
    ledger.open_account("shop", "product", delta=DELTA, at=NOON)
    answer(ledger, make_spend(unit="product", units_per_customer=3, plan_hash="d" * 64, noise_multiplier=20.0))
    answer(ledger, make_spend(round_number=2))
    before = {unit: spent(ledger, unit) for unit in ("customer", "product")}
    put_back(older, ledger)
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        for unit, held in before.items():
            assert held <= spent(again, unit) == pytest.approx(held, rel=1e-9)


def test_rounds_without_noise_that_were_lost_leave_no_bound(
    ledger: Ledger, older: Path, make_spend: Callable[..., Spend]
) -> None:
    answer(ledger, make_spend(round_number=2, noise_multiplier=0.0, clipping_norm=None))
    put_back(older, ledger)
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        assert spent(again) == math.inf


def test_after_lost_rounds_about_products_alone_no_customer_can_be_promised_anything(
    tmp_path: Path, make_spend: Callable[..., Spend]
) -> None:
    create_ledger(tmp_path / "ledger.sqlite")
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.open_account("shop", "product", delta=DELTA, at=NOON)
    copy = keep(ledger, tmp_path / "older.sqlite")
    answer(ledger, make_spend(unit="product"))
    put_back(copy, ledger)
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    with (
        closing(Ledger(ledger.path)) as again,
        pytest.raises(PrivacyError, match="no account can promise a customer anything"),
    ):
        again.open_account("shop", "customer", delta=DELTA, at=NOW)


def test_a_second_place_that_is_gone_counts_as_a_head_that_is_missing_and_is_given_up(
    ledger: Ledger, older: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    ledger.note_also(tmp_path / "elsewhere" / "head.json")
    ledger.close()
    shutil.rmtree(tmp_path / "elsewhere")
    assert not recover_ledger(ledger.path, BY_KEY, at=NOW).is_known
    with closing(Ledger(ledger.path)) as again:
        assert again.head_files.second_place(strict=True) is None


def test_nothing_is_charged_where_nothing_is_lost_and_again_where_it_was_charged(
    ledger: Ledger, older: Path, make_spend: Callable[..., Spend]
) -> None:
    assert recover_ledger(ledger.path, BY_KEY, at=NOW).reason is None
    assert spent(ledger) == 1 / 16
    answer(ledger, make_spend(round_number=2))
    noted = ledger.head_files.beside.read_bytes()
    put_back(older, ledger)
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    ledger.head_files.beside.write_bytes(noted)  # as a kill between the charge and its head leaves it
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        assert spent(again) == pytest.approx(2 / 16, rel=1e-9)


def test_a_line_in_the_middle_that_was_changed_is_no_loss_to_recover_from(ledger: Ledger, older: Path) -> None:
    put_back(older, ledger)
    content = ledger.path.read_bytes()
    assert content.count(b'"noise_multiplier":4.0') == 1
    ledger.path.write_bytes(content.replace(b'"noise_multiplier":4.0', b'"noise_multiplier":9.0'))
    with pytest.raises(PrivacyError, match="was changed, dropped or moved"):
        recover_ledger(ledger.path, BY_KEY, at=NOW)


def test_a_head_of_a_later_version_is_no_missing_head(ledger: Ledger, older: Path) -> None:
    put_back(older, ledger)
    beside = ledger.head_files.beside
    beside.write_text('{"schema": 2,' + beside.read_text()[1:])
    with pytest.raises(DataError, match="newer version of hansa"):
        recover_ledger(ledger.path, BY_KEY, at=NOW)


def test_the_lines_of_a_recovery_are_ordinary_spends(ledger: Ledger, older: Path, make_spend) -> None:
    """A version that does not know of recoveries reads and prices them."""
    answer(ledger, make_spend(round_number=2))
    put_back(older, ledger)
    recover_ledger(ledger.path, BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        last = json.loads(again.entries[-1].model_dump_json())
    assert (last["kind"], last["plan"]) == ("spend", "lost lines")
