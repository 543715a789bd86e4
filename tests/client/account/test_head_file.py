"""An older, deleted or other ledger is noticed: when it is opened, and before every line while it is open."""

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.account.ledger.entry import Spend
from client.account.ledger.head_file import read_noted
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.verification import verify_ledger
from client.account.policy import Budget
from common.errors import DataError, PrivacyError

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
ROOMY = Budget(epsilon=32.0, period_epsilon=32.0, period_days=30, delta=1e-5)
BUDGETS = {"customer": ROOMY}


def answer(ledger: Ledger, spend: Spend) -> None:
    ledger.seal(ledger.reserve(spend, BUDGETS), f"message {spend.round_number}".encode(), at=NOON)


def back_up(path: Path, copy: Path) -> Path:
    """Take a whole state of a ledger away, as docs/how-to/backup.md says."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def put_back(copy: Path, path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(copy, path)


def test_an_older_copy_is_refused_in_one_sentence_and_the_newest_goes_on(
    ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    answer(ledger, make_spend())
    older = back_up(ledger.path, tmp_path / "older.sqlite")
    answer(ledger, make_spend(round_number=2))
    newest = back_up(ledger.path, tmp_path / "newest.sqlite")
    ledger.close()
    put_back(older, ledger.path)
    with pytest.raises(PrivacyError, match=r"has 3 lines and never had the head .* after 5: it is an older copy") as no:
        Ledger(ledger.path)
    assert "\n" not in str(no.value)
    with pytest.raises(PrivacyError, match="an older copy"):
        verify_ledger(ledger.path)
    put_back(newest, ledger.path)
    with closing(Ledger(ledger.path)) as again:
        answer(again, make_spend(round_number=3))


def test_another_ledger_in_its_place_is_refused(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    answer(ledger, make_spend())
    ledger.close()
    noted = ledger.head_files.beside.read_bytes()
    for file in ledger.path.parent.glob("ledger.*"):
        file.unlink()
    create_ledger(ledger.path)
    with closing(Ledger(ledger.path)) as fresh:
        fresh.open_account("shop", "customer", delta=1e-5, at=datetime(2026, 1, 1, tzinfo=UTC))
        for number in (1, 2):
            answer(fresh, make_spend(round_number=number, model_hash="e" * 64))
    ledger.head_files.beside.write_bytes(noted)
    with pytest.raises(PrivacyError, match="it is another ledger"):
        Ledger(ledger.path)


def test_a_ledger_that_is_gone_is_not_begun_anew(ledger: Ledger) -> None:
    ledger.close()
    ledger.path.unlink()
    with pytest.raises(PrivacyError, match="notes the head of a ledger that is not here"):
        create_ledger(ledger.path)
    assert not ledger.path.exists()


def test_a_head_file_that_is_gone_or_damaged_is_missed(ledger: Ledger) -> None:
    ledger.close()
    file = ledger.head_files.beside
    good = file.read_text()
    for bad, error, said in (
        (None, PrivacyError, "There is no .*ledger.head.json"),
        ("", PrivacyError, "cannot be read"),
        (good.replace('"num_lines"', '"lines"'), PrivacyError, "cannot be read"),
        ('{"schema": 2,' + good[1:], DataError, "newer version of hansa"),
    ):
        file.unlink() if bad is None else file.write_text(bad)
        with pytest.raises(error, match=said) as refused:
            Ledger(ledger.path)
        assert "\n" not in str(refused.value)
    file.write_text(good)
    Ledger(ledger.path).close()


def test_a_head_that_lags_behind_is_nothing_and_is_brought_forward(
    ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    """So does a kill between the commit and the head leave it."""
    lagging = ledger.head_files.beside.read_bytes()
    number = ledger.reserve(make_spend(), BUDGETS)
    ledger.close()
    ledger.head_files.beside.write_bytes(lagging)
    with closing(Ledger(ledger.path)) as again:
        assert read_noted(again.head_files.beside).num_lines == 1
        assert again.reserve(make_spend(), BUDGETS) == number, "charged already"
        noted = read_noted(again.head_files.beside)
        assert (noted.num_lines, noted.head) == (2, again.heads[-1]), "noted before anything is computed for it"


def test_a_head_file_is_its_owner_s_alone(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    ledger.reserve(make_spend(), BUDGETS)
    assert ledger.head_files.beside.stat().st_mode & 0o777 == 0o600


def test_the_head_says_what_the_accounts_hold(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    answer(ledger, make_spend())
    (account,) = read_noted(ledger.head_files.beside).accounts
    assert (account.dataset, account.unit, account.delta) == ("shop", "customer", 1e-5)
    assert (account.mu_squared, account.num_coordinates) == (1 / 16, 100)
    ledger.reserve(make_spend(round_number=2, noise_multiplier=0.0), BUDGETS, allow_without_noise=True)
    (account,) = read_noted(ledger.head_files.beside).accounts
    assert account.mu_squared is None


def test_writers_at_once_leave_the_newest_head(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    def write(place: int) -> None:
        with closing(Ledger(ledger.path)) as own:
            answer(own, make_spend(plan_hash=f"{place:064x}", noise_multiplier=50.0))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(12)))
    noted = read_noted(ledger.head_files.beside)
    assert (noted.num_lines, noted.head) == (25, ledger.heads[-1])


# While it is open


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_of_the_ledger_that_goes_away_under_a_running_process_stops_everything(
    suffix: str, how: str, ledger: Ledger, make_spend: Callable[..., Spend]
) -> None:
    answer(ledger, make_spend())
    number = ledger.reserve(make_spend(round_number=2), BUDGETS)
    file = Path(f"{ledger.path}{suffix}")
    content = file.read_bytes()
    file.unlink()
    if how == "replaced":
        file.write_bytes(content)  # byte for byte, as a copy would be
    for attempt in (
        lambda: ledger.reserve(make_spend(round_number=3), BUDGETS),
        lambda: ledger.reserve(make_spend(), BUDGETS),
        lambda: ledger.message(2),
        lambda: ledger.seal(number, b"m", at=NOON),
    ):
        with pytest.raises(PrivacyError, match=f"{file.name} was {how} while this process uses it") as refused:
            attempt()
        assert "\n" not in str(refused.value)
    assert read_noted(ledger.head_files.beside).num_lines == 4, "nothing was charged since"


def test_an_older_copy_written_over_the_open_ledger_stops_everything(
    ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    """The path leads to the same file then; what is in it is older."""
    older = back_up(ledger.path, tmp_path / "older.sqlite")
    answer(ledger, make_spend())
    with closing(sqlite3.connect(ledger.path)) as other:  # all lines into the file itself, as after many rounds
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with ledger.path.open("r+b") as stream:
        stream.write(older.read_bytes())
        stream.truncate()
    with pytest.raises(PrivacyError, match=r"written over the ledger|Cannot use the ledger"):
        ledger.reserve(make_spend(round_number=2), BUDGETS)


def test_two_copies_that_go_on_are_told_apart(ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path) -> None:
    """Where both note their heads in one second place, the slower copy stops."""
    (tmp_path / "elsewhere").mkdir()
    ledger.note_also(tmp_path / "elsewhere" / "head.json")
    copy = tmp_path / "copy"
    copy.mkdir()
    back_up(ledger.path, copy / "ledger.sqlite")
    shutil.copy(ledger.head_files.beside, copy)
    with closing(Ledger(copy / "ledger.sqlite")) as other:
        answer(other, make_spend())
        with pytest.raises(PrivacyError, match="never had the head"):
            answer(ledger, make_spend())


# The second place


def test_a_whole_folder_that_was_put_back_is_noticed_by_a_head_in_another_place(
    ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    ledger.close()
    for file in (ledger.path, ledger.head_files.beside):
        shutil.move(file, home)
    with closing(Ledger(home / "ledger.sqlite")) as opened:
        opened.note_also(elsewhere / "shop.json")
    shutil.copytree(home, tmp_path / "backup")
    with closing(Ledger(home / "ledger.sqlite")) as opened:
        answer(opened, make_spend())
        assert read_noted(elsewhere / "shop.json").num_lines == 3
    shutil.rmtree(home)
    shutil.copytree(tmp_path / "backup", home)
    with pytest.raises(PrivacyError, match=r"never had the head that .*shop.json notes after 3: it is an older copy"):
        Ledger(home / "ledger.sqlite")


def test_a_second_place_is_another_place_and_missed_when_it_is_gone(
    ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ledger.note_also(elsewhere / "head.json")
    (elsewhere / "head.json").rename(elsewhere / "away.json")
    with pytest.raises(PrivacyError, match=r"There is no .*elsewhere/head\.json"):
        ledger.reserve(make_spend(), BUDGETS)
    (elsewhere / "away.json").rename(elsewhere / "head.json")
    ledger.reserve(make_spend(), BUDGETS)
    ledger.note_also(None)
    (elsewhere / "head.json").unlink()
    ledger.reserve(make_spend(round_number=2), BUDGETS)


# What SQLite does


def test_a_connection_that_is_not_safe_answers_no_round(ledger: Ledger, make_spend: Callable[..., Spend]) -> None:
    assert (ledger.durability.journal_mode, ledger.durability.synchronous) == ("wal", 2)
    assert ledger.durability.is_full
    for level in ("OFF", "NORMAL"):
        ledger._connection.execute(f"PRAGMA synchronous = {level}")
        assert not ledger.durability.is_full
        with pytest.raises(PrivacyError, match=r"would not write .* through to the disk"):
            ledger.reserve(make_spend(), BUDGETS)
    ledger._connection.execute("PRAGMA synchronous = EXTRA")
    ledger.reserve(make_spend(), BUDGETS)


def test_lines_that_went_with_a_deleted_wal_are_missed_after_a_kill_and_there_after_an_end(
    ledger: Ledger, make_spend: Callable[..., Spend], tmp_path: Path
) -> None:
    answer(ledger, make_spend())
    Path(f"{ledger.path}-wal").unlink()
    killed = tmp_path / "killed"
    killed.mkdir()
    for file in (ledger.path, ledger.head_files.beside):  # what a kill would leave on the disk now
        shutil.copy(file, killed)
    with pytest.raises(PrivacyError, match=r"no such table|never had the head|not here"):
        Ledger(killed / "ledger.sqlite")
    ledger.close()
    with closing(Ledger(ledger.path)) as again:
        assert len(again.entries) == 3
