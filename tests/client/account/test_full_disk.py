"""A disk that is really full: every sentence says whether the round is spent, and it is so."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.account.ledger.entry import Seal, Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.recovery import recover_ledger
from client.account.ledger.trouble import RESERVING, outcome_of_commit
from client.account.ledger.verification import verify_ledger
from client.account.policy import Budget
from common.errors import PrivacyError
from fleet.full_disk import full_disk, largest_file, mounted

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
BUDGETS = {"customer": Budget(epsilon=32.0, period_epsilon=32.0, period_days=30, delta=1e-5)}
MESSAGE = bytes(200_000)  # larger than what is left, and than any line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where this machine lets a test mount one."""
    with mounted(tmp_path / "disk", megabytes=1) as disk:
        yield disk


def make(path: Path) -> Ledger:
    create_ledger(path)
    ledger = Ledger(path)
    ledger.open_account("shop", "customer", delta=1e-5, at=NOON)
    return ledger


def num_spends(path: Path) -> int:
    """Count what another process would find."""
    with closing(Ledger(path)) as other:
        return sum(isinstance(entry, Spend) for entry in other.entries)


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(PrivacyError) as refused:
        attempt()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def siege(path: Path, make_spend: Callable[..., Spend], *, filled: Callable[[int], object]) -> None:
    """Reserve, seal and read while nothing can be written; `filled` takes the room, but for so many bytes of a file."""
    ledger = make(path)
    number = ledger.reserve(make_spend(), BUDGETS)
    wal = Path(f"{path}-wal")
    with filled(wal.stat().st_size):  # type: ignore[attr-defined]
        said = refusal(lambda: ledger.reserve(make_spend(round_number=2), BUDGETS))
        assert said.startswith(f"Cannot use the ledger {path}: ")
        assert said.endswith("; nothing was spent; make room on its disk, or make its folder writable.")
        assert ledger.account("shop", "customer").mu_squared() == 1 / 16
        assert num_spends(path) == 1
        ledger.reserve(make_spend(), BUDGETS)  # needs no room
        said = refusal(lambda: ledger.seal(number, MESSAGE, at=NOON))
        assert (
            "the round is spent, its answer was not sealed and has not left; asked for again it costs nothing" in said
        )
        assert "nothing was spent" not in said
        assert ledger.message(number) is None
    assert num_spends(path) == 1
    assert ledger.reserve(make_spend(), BUDGETS) == number, "asked again, it costs nothing more"
    assert ledger.seal(number, MESSAGE, at=NOON) == MESSAGE
    ledger.reserve(make_spend(round_number=2), BUDGETS)
    ledger.close()
    assert num_spends(path) == 2
    verify_ledger(path)


def test_where_no_file_may_grow_the_sentences_are_true(tmp_path: Path, make_spend: Callable[..., Spend]) -> None:
    siege(tmp_path / "ledger.sqlite", make_spend, filled=largest_file)


def test_on_a_full_disk_the_sentences_are_true(small_disk: Path, make_spend: Callable[..., Spend]) -> None:
    siege(small_disk / "ledger.sqlite", make_spend, filled=lambda _: full_disk(small_disk))


def test_a_head_that_cannot_be_noted_leaves_the_round_spent_and_says_so(
    ledger: Ledger, make_spend: Callable[..., Spend], small_disk: Path
) -> None:
    """The ledger's own disk has room; the disk of the second place has none."""
    ledger.note_also(small_disk / "head.json")
    with full_disk(small_disk):
        said = refusal(lambda: ledger.reserve(make_spend(), BUDGETS))
        assert "Cannot note the head" in said
        assert (
            "No space left on device; the round is spent, and was not answered; asked for again it costs noth" in said
        )
        assert num_spends(ledger.path) == 1
        said = refusal(lambda: ledger.seal(2, b"message", at=NOON))
        assert "the round is spent, its answer is sealed and has not left" in said
        refusal(lambda: ledger.reserve(make_spend(), BUDGETS))
    assert ledger.reserve(make_spend(), BUDGETS) == 2
    assert ledger.seal(2, b"another", at=NOON) == b"message"
    assert sum(isinstance(entry, Seal) for entry in ledger.entries) == 1
    verify_ledger(ledger.path)


def test_a_head_file_that_cannot_be_written_beside_the_ledger_leaves_the_round_spent_and_says_so(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    blocked = ledger.head_files.beside.with_name(".ledger.head.json.new")  # where it is written first
    blocked.mkdir()
    said = refusal(lambda: ledger.reserve(make_spend(), BUDGETS))
    assert "Cannot note the head" in said
    assert "; the round is spent, and was not answered; asked for again it costs nothing more" in said
    assert num_spends(ledger.path) == 1
    said = refusal(lambda: ledger.reserve(make_spend(), BUDGETS))
    assert "; the round is spent since before, and nothing more was" in said
    blocked.rmdir()
    assert ledger.reserve(make_spend(), BUDGETS) == 2
    assert num_spends(ledger.path) == 1


def test_opening_and_making_a_ledger_on_a_full_disk_spends_nothing_and_leaves_nothing(small_disk: Path) -> None:
    path = small_disk / "ledger.sqlite"
    with full_disk(small_disk):
        assert "Cannot" in refusal(lambda: create_ledger(path))
        assert list(small_disk.glob("*ledger*")) == [], "an empty file would be taken for a broken ledger"
    make(path).close()
    with full_disk(small_disk):
        said = refusal(lambda: Ledger(path))
        assert "; nothing was spent" in said
    Ledger(path).close()


def test_a_recovery_on_a_full_disk_may_be_tried_again(small_disk: Path, make_spend: Callable[..., Spend]) -> None:
    path = small_disk / "ledger.sqlite"
    ledger = make(path)
    ledger.seal(ledger.reserve(make_spend(), BUDGETS), b"message", at=NOON)
    ledger.close()
    path.unlink()
    with full_disk(small_disk):
        refusal(lambda: recover_ledger(path, {}, at=NOON))
    recover_ledger(path, {}, at=NOON)
    with closing(Ledger(path)) as again:
        assert again.account("shop", "customer").mu_squared() == pytest.approx(1 / 16)


def test_an_account_that_could_not_be_opened_is_not_said_to_be(tmp_path: Path) -> None:
    ledger = make(tmp_path / "ledger.sqlite")
    with closing(ledger), largest_file(Path(f"{ledger.path}-wal").stat().st_size):
        said = refusal(lambda: ledger.open_account("shop", "product", delta=1e-5, at=NOON))
        assert "; no account was opened" in said
        assert [account.unit for account in ledger.accounts] == ["customer"]


def test_a_message_that_cannot_be_read_does_not_unspend_its_round(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    number = ledger.reserve(make_spend(), BUDGETS)
    ledger.seal(number, MESSAGE, at=NOON)
    with closing(sqlite3.connect(ledger.path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger._connection.execute("PRAGMA shrink_memory")
    os.truncate(ledger.path, 8192)
    said = refusal(lambda: ledger.message(number))
    assert "Cannot use the ledger" in said
    assert "what was spent before stays spent" in said


@pytest.mark.parametrize(
    ("name", "is_there", "said"),
    [
        ("SQLITE_FULL", False, RESERVING.before),
        ("SQLITE_IOERR_WRITE", False, RESERVING.before),
        ("SQLITE_FULL", True, RESERVING.after),
        ("SQLITE_IOERR_FSYNC", False, RESERVING.unclear),
        ("SQLITE_IOERR_FSYNC", True, RESERVING.after),
        ("SQLITE_FULL", None, RESERVING.unclear),
    ],
)
def test_a_commit_that_failed_is_said_to_be_what_was_found(name: str, is_there: bool | None, said: str) -> None:
    error = sqlite3.OperationalError("disk")
    error.sqlite_errorname = name
    assert outcome_of_commit(error, RESERVING, is_there=is_there) == said
