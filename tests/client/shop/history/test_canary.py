"""Nothing that names or reaches a customer is in any byte of any file of the folder, at any moment."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from client.shop.history.history import History
from client.shop.history.store import Store
from common.data.usable import LeftOut

Make = Callable[..., pa.Table]
NAME, ADDRESS = "Kanarienvogel 王小明", "朝阳区建国路88号"
EMAIL, TELEPHONE = "kanarie@voliere.example", "+86 138 1234 5678"
CARD, SESSION = "11010519491231002X", "session-of-a-canary"
CUSTOMER = f"{NAME}, {ADDRESS}, {EMAIL}, {TELEPHONE}"
TEXT = f"Gern, {NAME}, write to {EMAIL} or call {TELEPHONE}, 13812345678, {CARD}"
SECRETS = (NAME, "王小明", "Kanarienvogel", ADDRESS, EMAIL, TELEPHONE, "13812345678", CARD, SESSION)


def traces(folder: Path) -> list[tuple[str, str, str]]:
    """Every secret in every file, by the encoding in which it stands there."""
    found = []
    for file in folder.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gbk"):
            found += [(file.name, secret, encoding) for secret in SECRETS if secret.encode(encoding) in content]
    return found


def bring(history: History, make: Make, *, fingerprint: str = "") -> None:
    """Import the canary with each kind of record that may say something of a customer."""
    with history.begin("till", fingerprint=fingerprint) as one:
        for kind in ("sales", "returns", "views", "carts", "searches", "reviews"):
            row = {"customer": CUSTOMER, "text": TEXT, "words": TEXT, "session": SESSION}
            one.append(kind, make(kind, {name: row[name] for name in row if name in make(kind).column_names}))
        example = f"the first in row 7: '{CUSTOMER}'"
        one.left_out([LeftOut(f"column 'x' is {EMAIL}", 1, is_fault=True, example=example, advice="")])
        one.commit()
        assert traces(history.folder) == []
        name = {"customer": NAME, "text": f"{NAME} was here"}
        one.append("reviews", make("reviews", name))
        one.append("sales", make("sales", {"customer": EMAIL, "order": "2"}, {"customer": TELEPHONE, "order": "3"}))
        one.finish()


def test_a_canary_is_found_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "leak").write_bytes(NAME.encode("gbk"))
    assert ("leak", NAME, "gbk") in traces(tmp_path)


def test_nothing_of_a_customer_is_in_any_file_after_an_import_an_overlap_and_undo(history: History, make: Make) -> None:
    bring(history, make)
    bring(history, make)
    assert sorted(history.records("reviews")["text"].to_pylist()) == [
        "Gern, […], write to […] or call […], […], […]",
        "[…] was here",
    ]
    assert traces(history.folder) == []
    history.undo(1)
    assert traces(history.folder) == []
    history.undo(2)
    assert traces(history.folder) == []


def test_one_customer_keeps_one_hash_and_two_shops_share_none(tmp_path: Path, make: Make) -> None:
    hashes: list[set[str]] = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        history = History.open(tmp_path / name)
        bring(history, make)
        reviews, sales = (history.records(kind)["customer"].to_pylist() for kind in ("reviews", "sales"))
        assert len(set(reviews) & set(sales)) == 1
        assert len(set(sales)) == 3
        hashes.append(set(sales))
    assert hashes[0].isdisjoint(hashes[1])


def test_nothing_of_a_customer_spills_to_the_disk(history: History, make: Make) -> None:
    """With too little memory for it DuckDB writes to the disk what it works on."""
    history._store = store = Store(history.folder, memory_limit="40MB")
    bring(history, make)
    with store.writing() as connection:
        for kind in ("reviews", "sales"):
            rows = f"SELECT said.* FROM now_{kind} said CROSS JOIN range(150000)"  # noqa: S608
            connection.execute(f"CREATE TEMP TABLE many_{kind} AS {rows}")
        spilled = sum(file.stat().st_size for file in history.folder.glob("history.spill-*/*"))
        assert spilled > 1_000_000
        assert traces(history.folder) == []
    assert list(history.folder.glob("history.spill-*")) == []


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from shop_records import make_records
from client.shop.history.history import History
with History.open(Path({folder!r})).begin("till") as one:
    one.append("sales", make_records("sales", {{"customer": {customer!r}}}))
    one.append("reviews", make_records("reviews", {{"customer": {customer!r}, "text": {text!r}}}))
    one.commit()
    one.append("sales", make_records("sales", *({{"customer": {customer!r}, "order": str(n)}} for n in range(5000))))
    with one._store.writing() as connection:
        from client.shop.history.merge import merge
        merge(connection, "sales", one._pending["sales"][0], number=1)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_of_a_customer_is_in_what_a_killed_import_leaves(tmp_path: Path, make: Make) -> None:
    tests = str(Path(__file__).parents[3])
    script = KILLED.format(tests=tests, folder=str(tmp_path), customer=CUSTOMER, text=TEXT)
    child = subprocess.run([sys.executable, "-c", script])
    assert child.returncode == -signal.SIGKILL
    assert traces(tmp_path) == []
    history = History.open(tmp_path)
    assert (history.records("sales").num_rows, history.records("reviews").num_rows) == (1, 1)
    bring(history, make)
    assert traces(tmp_path) == []
