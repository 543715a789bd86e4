"""The key of the customers' hashes: made once, kept closed, and missed when it is gone."""

import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from client.shop.history.history import History
from client.shop.history.pseudonym import Pseudonyms, read_pseudonyms
from client.shop.history.table import require_kind
from common.errors import DataError

Make = Callable[..., pa.Table]
KEY = bytes(range(32))


def bring(history: History, make: Make) -> None:
    with history.begin("till") as one:
        one.append("sales", make("sales", {}, {"line": "2", "customer": "bob"}, {"line": "3", "customer": None}))
        one.finish()


def test_a_hash_is_128_bits_of_the_key_the_value_and_what_it_is_for() -> None:
    values = pa.chunked_array([["anna", "", "bob"], [None, "anna"]], pa.string())
    customers = Pseudonyms(KEY).of_customers(values).to_pylist()
    assert customers == ["472b3a1b302a429e905cdad142e03f68", None, customers[2], None, customers[0]]
    assert len({*customers, *Pseudonyms(KEY).of_sessions(values).to_pylist()}) == 5
    assert customers[0] != Pseudonyms(bytes(32)).of_customers(values)[0].as_py()


def test_the_key_is_made_once_by_whoever_comes_first_and_for_the_owners_eyes(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        checks = {found.check for found in pool.map(lambda _: read_pseudonyms(tmp_path, ""), range(16))}
    assert len(checks) == 1
    (key,) = tmp_path.iterdir()
    assert (len(key.read_bytes()), stat.S_IMODE(key.stat().st_mode)) == (32, 0o600)


def test_the_history_is_for_the_owners_eyes_too(history: History, make: Make) -> None:
    bring(history, make)
    assert stat.S_IMODE((history.folder / "history.duckdb").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda key: key.unlink(), "is lost, by which customers are known again; bring it back from a copy"),
        (lambda key: key.write_bytes(KEY), "is not the key that this history was written with; bring that one back"),
        (lambda key: key.write_bytes(b"short"), "is no key of 32 bytes; bring it back"),
        (lambda key: key.chmod(0o644), "Others may read the key .*; close it with: chmod 600 "),
    ],
)
def test_a_lost_or_other_key_is_said_before_anything_is_hashed_and_no_other_is_made(
    history: History, make: Make, spoil: Callable[[Path], object], sentence: str
) -> None:
    bring(history, make)
    key = history.folder / "customer.key"
    whole = key.read_bytes()
    before = history.records("sales").to_pylist()
    spoil(key)
    with pytest.raises(DataError, match=sentence):
        history.begin("till")
    assert "customer.key" in history.look_for_key()
    assert history.records("sales").to_pylist() == before, "what is there can be read"
    assert (key.read_bytes() if key.exists() else None) != whole or key.stat().st_mode & 0o077
    key.write_bytes(whole)
    key.chmod(0o600)
    assert history.look_for_key() == ""
    bring(history, make)


def test_what_is_no_record_of_its_kind_is_refused(history: History, make: Make) -> None:
    with history.begin("till") as one, pytest.raises(DataError, match=r"schema_of\('views'\)"):
        one.append("views", make("sales", {}))
    with pytest.raises(DataError, match="no records of the kind 'secrets'; there are sales"):
        require_kind("secrets")
