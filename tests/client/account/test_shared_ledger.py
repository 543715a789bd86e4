"""Two accounts and one set of survivors a round, on the disk, in the head file, and after lines were lost."""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.account.ledger.agreements import LedgerAgreements
from client.account.ledger.entry import Agreed, Opening, Spend, chain, digest_survivors, read_entry, write_entry
from client.account.ledger.head_file import read_noted
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.recovery import assess_loss, recover_ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import Budget, CustomerBudget
from client.secure_sum.agreed import Agreements
from common.errors import BudgetExhausted, PrivacyError
from common.privacy.guarantee import mu_within

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
ROOMY = Budget(epsilon=20.0, period_epsilon=20.0, period_days=30, delta=1e-5)
CUSTOMER = CustomerBudget(**ROOMY.model_dump(), units_per_customer=3)
BUDGETS = {"customer": CUSTOMER, "product": ROOMY}
CEILINGS = {"customer": 30.0, "product": 30.0}
BY_KEY = {("shop", unit): ROOMY for unit in ("customer", "product")}
CEILINGS_BY_KEY = {("shop", unit): 30.0 for unit in ("customer", "product")}
SESSION, MODEL = "5" * 64, "b" * 64
NAMES = ("north", "south", "west")


@pytest.fixture
def make_shared(make_spend: Callable[..., Spend]) -> Callable[..., Spend]:
    """Make the spend of a round whose noise 8 merchants share."""

    def make(**fields: object) -> Spend:
        return make_spend(**{"noise_multiplier": 2.0, "noise_share": 8, "session": SESSION, **fields})

    return make


def answer(ledger: Ledger, spend: Spend) -> None:
    number = ledger.reserve(spend, BUDGETS, ceilings=CEILINGS, allow_without_noise=True)
    ledger.seal(number, b"message", at=NOON)


def both(ledger: Ledger, unit: str = "customer") -> tuple[float, float]:
    account = ledger.account("shop", unit)  # type: ignore[arg-type]
    return account.mu_squared(), account.mu_squared_alone()


def keep(ledger: Ledger, copy: Path) -> Path:
    ledger._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(ledger.path, copy)
    return copy


def put_back(copy: Path, ledger: Ledger) -> None:
    ledger.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{ledger.path}{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, ledger.path)


def test_a_spend_says_both_of_share_and_session_or_neither(make_spend: Callable[..., Spend]) -> None:
    for half in ({"noise_share": 8}, {"session": SESSION}):
        with pytest.raises(ValueError, match="told together"):
            make_spend(**half)
    with pytest.raises(PrivacyError, match="smooth on the lattice"):
        make_spend(noise_multiplier=1e-8, noise_share=8, session=SESSION)


def test_a_line_without_shared_noise_is_written_in_the_words_of_the_first_version(
    make_spend: Callable[..., Spend], make_shared: Callable[..., Spend]
) -> None:
    assert not {"noise_share", "session"} & set(json.loads(write_entry(make_spend())))
    said = json.loads(write_entry(make_shared()))
    assert list(said)[-2:] == ["noise_share", "session"]
    assert read_entry(write_entry(make_shared())) == make_shared()


def test_a_round_is_not_computed_under_another_share_than_it_was_charged_for(
    ledger: Ledger, make_shared: Callable[..., Spend]
) -> None:
    ledger.reserve(make_shared(), BUDGETS, ceilings=CEILINGS)
    with pytest.raises(PrivacyError, match="was charged for other noise and never sent"):
        ledger.reserve(make_shared(noise_share=9), BUDGETS, ceilings=CEILINGS)


def test_without_a_ceiling_no_noise_is_shared_and_with_one_it_is_never_passed(
    ledger: Ledger, make_shared: Callable[..., Spend]
) -> None:
    with pytest.raises(PrivacyError, match=r"all of them together may learn of one customer; add the section \[sum\]"):
        ledger.reserve(make_shared(), BUDGETS)
    fitting = int(mu_within(8.0, 1e-5, num_coordinates=10**4) ** 2 / (1 / 4))
    for number in range(1, fitting + 1):
        ledger.reserve(make_shared(round_number=number), BUDGETS, ceilings={"customer": 8.0})
    with pytest.raises(BudgetExhausted, match="if everybody else put their heads together"):
        ledger.reserve(make_shared(round_number=fitting + 1), BUDGETS, ceilings={"customer": 8.0})
    account = ledger.account("shop", "customer")
    assert account.guarantee_alone().epsilon <= 8.0
    assert account.guarantee().epsilon < 3.0, "the promise had room"


def test_a_customer_s_ceiling_holds_for_plans_about_products(ledger: Ledger, make_shared: Callable[..., Spend]) -> None:
    ledger.open_account("shop", "product", delta=1e-5, at=NOON)
    spend = make_shared(unit="product", units_per_customer=3, noise_multiplier=40.0)
    ledger.reserve(spend, BUDGETS, ceilings=CEILINGS)
    assert both(ledger) == pytest.approx((36 / 1600 / 8, 36 / 1600))
    with pytest.raises(PrivacyError, match="may learn of one customer"):
        ledger.reserve(spend.model_copy(update={"round_number": 2}), BUDGETS, ceilings={"product": 30.0})


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asks=st.lists(st.tuples(st.floats(0.5, 50.0), st.none() | st.integers(1, 40)), min_size=1, max_size=25),
    ceiling=st.floats(4.0, 30.0),
)
def test_whatever_is_asked_for_both_accounts_are_true_and_within_both_budgets(
    make_spend: Callable[..., Spend],
    tmp_path_factory: pytest.TempPathFactory,
    asks: list[tuple[float, int | None]],
    ceiling: float,
) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    create_ledger(path)
    paid: list[Spend] = []
    budget = Budget(epsilon=4.0, period_epsilon=4.0, period_days=365, delta=1e-5)
    with closing(Ledger(path)) as ledger:
        ledger.open_account("shop", "customer", delta=1e-5, at=NOON)
        for number, (sigma, share) in enumerate(asks, start=1):
            session = None if share is None else SESSION
            spend = make_spend(round_number=number, noise_multiplier=sigma, noise_share=share, session=session)
            try:
                ledger.reserve(spend, {"customer": budget}, ceilings={"customer": ceiling})
                paid.append(spend)
            except BudgetExhausted:
                pass
        account = ledger.account("shop", "customer")
        assert account.mu_squared() == pytest.approx(
            math.fsum(1 / one.noise_multiplier**2 / (one.noise_share or 1) for one in paid)
        )
        assert account.mu_squared_alone() == pytest.approx(math.fsum(1 / one.noise_multiplier**2 for one in paid))
        assert account.mu_squared() <= account.mu_squared_alone()
        assert account.guarantee().epsilon <= budget.epsilon
        assert account.guarantee_alone().epsilon <= ceiling
        noted = read_noted(ledger.head_files.beside).accounts[0]
    assert (noted.spent, noted.spent_alone) == (account.mu_squared(), account.mu_squared_alone())
    assert noted.num_roundings == account.num_roundings
    verify_ledger(path)


# One set of survivors a round.


def note(ledger: Ledger, survivors: Sequence[str] = NAMES, *, round_number: int = 1, model: str = MODEL) -> None:
    agreements: Agreements = LedgerAgreements(ledger, clock=lambda: NOW)
    agreements.note(SESSION, round_number, model, survivors)


def test_one_set_is_agreed_on_for_a_round_for_ever_and_may_be_said_again(
    ledger: Ledger, make_shared: Callable[..., Spend]
) -> None:
    answer(ledger, make_shared())
    note(ledger)
    note(ledger, NAMES[::-1])
    lines = [entry for entry in ledger.entries if isinstance(entry, Agreed)]
    assert [(line.num_survivors, line.survivors, line.at) for line in lines] == [(3, digest_survivors(NAMES), NOW)]
    with closing(Ledger(ledger.path)) as again:  # after a restart, and in another process
        for other in (NAMES[:2], ("north", "south", "east"), (*NAMES, "east")):
            with pytest.raises(PrivacyError, match="is agreed on with another set of merchants or another model"):
                note(again, other)
    answer(ledger, make_shared(round_number=2, model_hash="d" * 64))
    note(ledger, NAMES[:2], round_number=2, model="d" * 64)
    assert both(ledger) == pytest.approx((2 / 4 / 8, 2 / 4)), "agreeing costs nothing"
    verify_ledger(ledger.path)


def test_nothing_is_agreed_on_for_a_round_or_model_that_was_not_charged(
    ledger: Ledger, make_shared: Callable[..., Spend], make_spend: Callable[..., Spend]
) -> None:
    answer(ledger, make_spend(round_number=7))  # charged, but for no sum
    answer(ledger, make_shared(plan_hash="e" * 64))
    for number, model in ((7, MODEL), (2, MODEL), (1, "d" * 64)):
        with pytest.raises(PrivacyError, match="is not charged in the ledger with this model"):
            note(ledger, round_number=number, model=model)


def test_names_that_look_alike_when_joined_are_other_sets() -> None:
    assert digest_survivors(["a", "b,c"]) != digest_survivors(["a,b", "c"])
    assert digest_survivors(['a","b']) != digest_survivors(["a", "b"])
    assert digest_survivors(["b", "a"]) == digest_survivors(["a", "b"])


def test_a_line_that_agrees_on_a_second_set_is_found_by_verify(
    ledger: Ledger, make_shared: Callable[..., Spend]
) -> None:
    """Whoever can write the file can write a whole chain; that both sets stand in it is seen all the same."""
    answer(ledger, make_shared())
    note(ledger)
    other = ledger.entries[-1].model_copy(update={"survivors": digest_survivors(NAMES[:2]), "num_survivors": 2})
    line = write_entry(other)
    ledger._connection.execute(
        "INSERT INTO entry (number, line, head) VALUES (?, ?, ?)",
        (len(ledger.entries) + 1, line, chain(ledger.heads[-1], line)),
    )
    with pytest.raises(PrivacyError, match="agrees on a second set of merchants for round 1 of one sum"):
        verify_ledger(ledger.path)


# What was lost.


def test_what_was_lost_is_charged_to_both_accounts_exactly(
    ledger: Ledger, make_shared: Callable[..., Spend], make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    answer(ledger, make_shared())
    copy = keep(ledger, tmp_path / "older.sqlite")
    answer(ledger, make_shared(round_number=2))
    note(ledger, round_number=2)
    answer(ledger, make_spend(plan_hash="d" * 64))
    before, released = both(ledger), ledger.account("shop", "customer").num_roundings
    put_back(copy, ledger)
    recover_ledger(ledger.path, BY_KEY, CEILINGS_BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        after = both(again)
        assert after == pytest.approx(before, rel=1e-9)
        assert after[0] >= before[0]
        assert after[1] >= before[1]
        assert again.account("shop", "customer").num_roundings >= released
        with pytest.raises(PrivacyError, match="is not charged in the ledger"):
            note(again, NAMES[:2], round_number=2)  # not agreed on anew before it is charged anew
    verify_ledger(ledger.path)
    assert assess_loss(ledger.path, BY_KEY, CEILINGS_BY_KEY).reason is None


def test_where_nothing_was_shared_one_line_is_written_as_ever(
    ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    answer(ledger, make_spend())
    copy = keep(ledger, tmp_path / "older.sqlite")
    answer(ledger, make_spend(round_number=2))
    put_back(copy, ledger)
    recover_ledger(ledger.path, BY_KEY, CEILINGS_BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        lost = again.entries[3:]
        assert [(type(line), line.noise_share) for line in lost if isinstance(line, Spend)] == [(Spend, None)]
        assert len(lost) == 1


def test_without_a_head_both_accounts_are_charged_up_to_what_the_policy_allows(
    ledger: Ledger, make_shared: Callable[..., Spend], tmp_path: Path
) -> None:
    answer(ledger, make_shared())
    put_back(keep(ledger, tmp_path / "older.sqlite"), ledger)
    ledger.head_files.beside.unlink()
    assert not recover_ledger(ledger.path, BY_KEY, CEILINGS_BY_KEY, at=NOW).is_known
    with closing(Ledger(ledger.path)) as again:
        account = again.account("shop", "customer")
        assert account.guarantee().epsilon == pytest.approx(20.0, rel=1e-6)
        assert account.guarantee_alone().epsilon == pytest.approx(30.0, rel=1e-6)


def test_without_head_and_ceiling_nothing_bounds_what_others_know_together(
    ledger: Ledger, make_shared: Callable[..., Spend], tmp_path: Path
) -> None:
    answer(ledger, make_shared())
    put_back(keep(ledger, tmp_path / "older.sqlite"), ledger)
    ledger.head_files.beside.unlink()
    recover_ledger(ledger.path, BY_KEY, {}, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        assert both(again) == (math.inf, math.inf)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asks=st.lists(
        st.tuples(
            st.floats(5.0, 60.0),
            st.none() | st.integers(1, 300),
            st.sampled_from(["customer", "product"]),
            st.booleans(),
        ),
        min_size=2,
        max_size=8,
    ),
    kept=st.integers(0, 7),
)
def test_no_account_gets_cheaper_whatever_was_lost(
    make_spend: Callable[..., Spend],
    tmp_path_factory: pytest.TempPathFactory,
    asks: list[tuple[float, int | None, str, bool]],
    kept: int,
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    create_ledger(folder / "ledger.sqlite")
    ledger = Ledger(folder / "ledger.sqlite")
    for unit in ("customer", "product"):
        ledger.open_account("shop", unit, delta=1e-5, at=NOON)  # type: ignore[arg-type]
    copy = keep(ledger, folder / "older.sqlite")
    for number, (sigma, share, unit, is_sealed) in enumerate(asks):
        spend = make_spend(
            plan_hash=f"{number:064x}",
            unit=unit,
            units_per_customer=3 if unit == "product" else None,
            noise_multiplier=sigma,
            noise_share=share,
            session=None if share is None else SESSION,
        )
        line = ledger.reserve(spend, WIDE, ceilings=WIDE_CEILINGS)
        if is_sealed:
            ledger.seal(line, b"message", at=NOON)
        if number == kept:
            copy = keep(ledger, folder / "older.sqlite")
    before = {unit: both(ledger, unit) for unit in ("customer", "product")}
    put_back(copy, ledger)
    loss = recover_ledger(ledger.path, BY_KEY, CEILINGS_BY_KEY, at=NOW)
    with closing(Ledger(ledger.path)) as again:
        for unit, (spent, alone) in before.items():
            after = both(again, unit)
            assert after[0] >= spent * (1 - 1e-15)
            assert after[1] >= alone * (1 - 1e-15)
            for charge in loss.charges:
                if charge.unit == unit:
                    assert after == pytest.approx((charge.after, charge.after_alone), rel=1e-9)
    verify_ledger(ledger.path)


WIDE = {unit: Budget(epsilon=32.0, period_epsilon=32.0, period_days=30, delta=1e-5) for unit in ("customer", "product")}
WIDE_CEILINGS = {"customer": 36.0, "product": 36.0}


def test_the_head_of_a_ledger_without_shared_noise_is_noted_as_ever(
    ledger: Ledger, make_spend: Callable[..., Spend], make_shared: Callable[..., Spend]
) -> None:
    answer(ledger, make_spend())
    assert "shared" not in json.loads(ledger.head_files.beside.read_text())["accounts"][0]
    answer(ledger, make_shared(round_number=2))
    said = json.loads(ledger.head_files.beside.read_text())["accounts"][0]
    assert said["shared"] == {"mu_squared_alone": 1 / 16 + 1 / 4, "num_roundings": 1000}
    assert said["mu_squared"] == 1 / 16 + 1 / 32
    assert isinstance(ledger.entries[0], Opening)
