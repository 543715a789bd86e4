"""A backup is one whole copy while everything runs, and what is made of it has forgotten no spend for free."""

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from client.account.ledger.entry import Spend
from client.account.ledger.ledger import Ledger, create_ledger
from client.account.ledger.recovery import recover_ledger
from client.account.policy import Budget
from client.backup.backup import make_backup, restore_backup
from client.backup.history_copy import open_history
from client.backup.kept import KEPT, REMADE, list_left, list_plain
from client.folder import MerchantFolder
from client.shop.history.store import Store
from common.backup.manifest import LedgerState
from common.backup.writing import writing_backup
from common.errors import ConfigError, DataError, PrivacyError
from small_shop import draw_sales, make_shop

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)
BUDGET = Budget(epsilon=20.0, period_epsilon=20.0, period_days=30, delta=1e-5)
BUDGETS = {("shop", "customer"): BUDGET}
WRITER = "import duckdb, sys\ntry: duckdb.connect(sys.argv[1])\nexcept duckdb.IOException: print('kept out')"


def answer(ledger: Ledger, spend: Spend) -> None:
    ledger.seal(ledger.reserve(spend, {"customer": BUDGET}), b"message", at=NOW)


def spent(path: Path) -> float:
    with closing(Ledger(path)) as ledger:
        return ledger.account("shop", "customer").mu_squared()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a history, an open ledger that has answered nothing, and other files."""
    folder = make_shop(tmp_path_factory.mktemp("merchant") / "shop", draw_sales(days=5, products=2))
    create_ledger(folder / "ledger.sqlite")
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        ledger.open_account("shop", "customer", delta=BUDGET.delta, at=NOW)
    for name in ("models/a.safetensors", "plans/a.json", "models/.a.json.new", "served/token"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"content")
    for name in ("card.key", "sent.jsonl", "orders.csv"):
        (folder / name).write_bytes(b"content")
    return folder


@pytest.fixture
def merchant(template: Path, make_spend: Callable[..., Spend], tmp_path: Path) -> Path:
    """A copy of it that has answered one round."""
    folder = Path(shutil.copytree(template, tmp_path / "shop"))
    with closing(Ledger(folder / "ledger.sqlite")) as ledger:
        answer(ledger, make_spend())
    return folder


def content_of(folder: Path) -> dict[str, list[object]]:
    """Every row of every table of a history."""
    with Store(folder).reading() as connection:
        tables = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        found = {name: connection.execute(f'FROM "{name}" ORDER BY ALL').fetchall() for name in tables}
    assert sum(map(len, found.values())) > 5
    return found


def names_in(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


def test_a_backup_is_for_its_owners_eyes_and_holds_what_cannot_be_made_again(merchant: Path, tmp_path: Path) -> None:
    with closing(Ledger(merchant / "ledger.sqlite")):  # as a daemon holds it
        made = make_backup(merchant, tmp_path / "b.tar")
    expected = [
        "ledger.sqlite",
        "shop.toml",
        "customer.key",
        "card.key",
        "sent.jsonl",
        "plans/a.json",
        "models/a.safetensors",
    ]
    assert names_in(tmp_path / "b.tar") == [*expected, "history.duckdb", "manifest.json"]
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    assert made.keys == ("customer.key", "card.key")
    assert made.left == ("orders.csv",)
    assert made.manifest.ledger is not None
    assert made.manifest.ledger.num_lines == 3
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_every_file_of_a_merchant_is_kept_or_left_out_with_intent(tmp_path: Path) -> None:
    home = MerchantFolder(tmp_path)
    files = [value for value in vars(MerchantFolder).items() if isinstance(value[1], property)]
    for name, _ in files:
        path = getattr(home, name)
        assert KEPT.fullmatch(path.name) or REMADE.fullmatch(path.name), name
    assert KEPT.fullmatch(home.request("north").name)
    assert not KEPT.fullmatch("ledger.head.json")
    (tmp_path / "new.thing").touch()
    assert list_left(tmp_path) == ["new.thing"]


def test_a_restored_shop_is_the_one_that_was_backed_up(merchant: Path, tmp_path: Path) -> None:
    make_backup(merchant, tmp_path / "b.tar")
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "new", head=merchant / "ledger.head.json")
    assert restored.why_not is None
    assert content_of(merchant) == content_of(tmp_path / "new")
    assert spent(tmp_path / "new" / "ledger.sqlite") == spent(merchant / "ledger.sqlite") > 0
    assert (tmp_path / "new" / "models" / "a.safetensors").read_bytes() == b"content"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()} <= {0o600, 0o700}


def test_a_restored_ledger_without_its_head_is_refused_and_then_charged_up_to_the_budget_for_life(
    merchant: Path, tmp_path: Path, make_spend: Callable[..., Spend]
) -> None:
    make_backup(merchant, tmp_path / "b.tar")
    with closing(Ledger(merchant / "ledger.sqlite")) as ledger:
        answer(ledger, make_spend(round_number=2))
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "new", head=None)
    path = tmp_path / "new" / "ledger.sqlite"
    assert "ledger recover" in (restored.why_not or "")
    with pytest.raises(PrivacyError, match="ledger recover"):
        Ledger(path)
    recover_ledger(path, BUDGETS, at=NOW)
    with closing(Ledger(path)) as ledger:
        assert ledger.account("shop", "customer").guarantee().epsilon >= BUDGET.epsilon * 0.999
        with pytest.raises(PrivacyError):
            answer(ledger, make_spend(round_number=3))


def test_a_restored_ledger_beside_the_newest_head_is_refused_until_what_it_forgot_is_charged(
    merchant: Path, tmp_path: Path, make_spend: Callable[..., Spend]
) -> None:
    make_backup(merchant, tmp_path / "b.tar")
    with closing(Ledger(merchant / "ledger.sqlite")) as ledger:
        answer(ledger, make_spend(round_number=2))
    restored = restore_backup(tmp_path / "b.tar", tmp_path / "new", head=merchant / "ledger.head.json")
    path = tmp_path / "new" / "ledger.sqlite"
    assert "an older copy" in (restored.why_not or "")
    with pytest.raises(PrivacyError, match="an older copy"):
        Ledger(path)
    recover_ledger(path, BUDGETS, at=NOW)
    assert spent(path) >= spent(merchant / "ledger.sqlite")


def test_a_head_that_is_older_than_the_backup_is_not_taken_for_the_newest(
    merchant: Path, tmp_path: Path, make_spend: Callable[..., Spend]
) -> None:
    shutil.copy(merchant / "ledger.head.json", tmp_path / "old.json")
    with closing(Ledger(merchant / "ledger.sqlite")) as ledger:
        answer(ledger, make_spend(round_number=2))
    make_backup(merchant, tmp_path / "b.tar")
    with pytest.raises(DataError, match="not the newest head"):
        restore_backup(tmp_path / "b.tar", tmp_path / "new", head=tmp_path / "old.json")
    assert not (tmp_path / "new").exists()


def test_a_ledger_that_forgot_spends_is_not_backed_up(
    merchant: Path, tmp_path: Path, make_spend: Callable[..., Spend]
) -> None:
    shutil.copy(merchant / "ledger.sqlite", tmp_path / "older.sqlite")
    with closing(Ledger(merchant / "ledger.sqlite")) as ledger:
        answer(ledger, make_spend(round_number=2))
    for suffix in ("", "-wal", "-shm"):
        (merchant / f"ledger.sqlite{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "older.sqlite", merchant / "ledger.sqlite")
    with pytest.raises(PrivacyError, match="an older copy"):
        make_backup(merchant, tmp_path / "b.tar")
    assert not (tmp_path / "b.tar").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_ledger_that_would_be_trusted_without_a_head_is_refused_though_all_hashes_fit(
    merchant: Path, tmp_path: Path
) -> None:
    """Whoever can write the file can write its manifest: a ledger of the time before heads would note its own."""
    make_backup(merchant, tmp_path / "b.tar")
    restore_backup(tmp_path / "b.tar", tmp_path / "old", head=None)
    with closing(sqlite3.connect(tmp_path / "old" / "ledger.sqlite")) as connection:
        connection.execute("PRAGMA user_version = 1")
    state = LedgerState(num_lines=3, head="0" * 64)
    with writing_backup(tmp_path / "c.tar") as writer:
        writer.add("ledger.sqlite", tmp_path / "old" / "ledger.sqlite")
        writer.finish("merchant", hansa="1", made_at="2025", ledger=state)
    with pytest.raises(PrivacyError, match="never noted"):
        restore_backup(tmp_path / "c.tar", tmp_path / "new", head=None)
    assert not list((tmp_path / "new").glob("ledger.sqlite"))


def test_imports_wait_while_the_history_is_copied_also_after_its_files_were_read(merchant: Path) -> None:
    with open_history(merchant) as files:
        for _, stream in files:
            stream.read()
        type_in = [sys.executable, "-c", WRITER, str(merchant / "history.duckdb")]
        assert subprocess.run(type_in, capture_output=True, text=True, check=True).stdout == "kept out\n"
    assert subprocess.run(type_in, capture_output=True, text=True, check=True).stdout == ""


def test_a_folder_with_something_in_it_is_not_restored_into(merchant: Path, tmp_path: Path) -> None:
    make_backup(merchant, tmp_path / "b.tar")
    with pytest.raises(ConfigError, match="not empty"):
        restore_backup(tmp_path / "b.tar", merchant, head=None)
    with pytest.raises(ConfigError, match="exists already"):
        make_backup(merchant, tmp_path / "b.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="neither a shop nor a ledger"):
        make_backup(tmp_path / "empty", tmp_path / "c.tar")


def try_to_restore(file: Path, folder: Path) -> str:
    """Restore, and give the sentence that says why not."""
    try:
        restore_backup(file, folder, head=None)
    except (DataError, ConfigError) as error:
        return str(error)
    return ""


def test_a_backup_that_is_damaged_anywhere_is_one_sentence_and_nothing_is_written(
    merchant: Path, tmp_path: Path
) -> None:
    make_backup(merchant, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    places = range(0, len(whole), max(1, len(whole) // 60))
    for place in places:
        hurt = bytearray(whole)
        hurt[place] ^= 0xFF
        (tmp_path / "hurt.tar").write_bytes(hurt)
        sentence = try_to_restore(tmp_path / "hurt.tar", tmp_path / "hurt")
        assert "\n" not in sentence
        assert not sentence or not (tmp_path / "hurt").exists()
        shutil.rmtree(tmp_path / "hurt", ignore_errors=True)  # where it was hurt in what fills a block up
    for length in (0, 511, 512, len(whole) // 2):
        (tmp_path / "hurt.tar").write_bytes(whole[:length])
        with pytest.raises(DataError, match="no whole backup"):
            restore_backup(tmp_path / "hurt.tar", tmp_path / "hurt", head=None)


def test_the_manifest_says_what_is_inside(merchant: Path, tmp_path: Path) -> None:
    make_backup(merchant, tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as tar:
        stream = tar.extractfile("manifest.json")
        assert stream is not None
        said = json.load(stream)
    assert said["schema"] == 1
    assert said["kind"] == "merchant"
    assert {file["name"] for file in said["files"]} | {"manifest.json"} == set(names_in(tmp_path / "b.tar"))


def test_a_plan_that_the_page_took_up_is_kept_and_another_file_of_the_owner_s_is_left(tmp_path: Path) -> None:
    for name in ("plan-0123abcd.toml", "plan-mine.toml", "shop.toml"):
        (tmp_path / name).write_text("")
    assert list(list_plain(tmp_path)) == ["shop.toml", "plan-0123abcd.toml"]
    assert KEPT.fullmatch("plan-0123abcd.toml")
    assert list_left(tmp_path) == ["plan-mine.toml"]
