"""The first history that was ever written opens, says the same, goes on and can be undone; a newer one is refused."""

import lzma
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from client.shop.history.history import History
from client.shop.history.store import say_remedy
from client.shop.history.table import STEPS, migrate, schema_version, write_meta
from client.shop.record import COLUMNS, KINDS
from common.errors import DataError
from shop_records import make_records

SECOND = Path(__file__).parent / "0.2" / "history"
FIRST = date(2024, 1, 1)
ANNA = "eb4719968c1d795805216095e41184b3"
Change = Callable[[duckdb.DuckDBPyConnection], object]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The frozen history, unpacked."""
    for name in ("history.duckdb", "customer.key"):
        (tmp_path / name).write_bytes(lzma.decompress((SECOND / f"{name}.xz").read_bytes()))
        (tmp_path / name).chmod(0o600)
    return tmp_path


def change(shop: Path, how: Change) -> None:
    with closing(duckdb.connect(shop / "history.duckdb")) as connection:
        how(connection)


def test_the_first_history_says_what_it_said(shop: Path) -> None:
    history = History.open(shop)
    assert history.look_for_key() == ""
    assert [(entry.number, entry.source, entry.state) for entry in history.journal()] == [
        (1, "till", "done"),
        (2, "base", "done"),
        (3, "base", "done"),
        (4, "texts", "done"),
        (5, "wrong", "undone"),
    ]
    first = history.journal()[0]
    assert (first.counts["sales"].new, first.left_out[0].count, first.origin) == (4, 3, "till-*.csv")
    assert (history.cursor("base"), history.cursor("till", fingerprint="f1")) == ("5", "")
    sales = history.records("sales").to_pylist()
    assert sorted((row["order"], row["line"], row["state"], row["customer"]) for row in sales) == [
        ("", "", "sold", ANNA),
        ("", "", "sold", ANNA),
        ("1001", "1", "cancelled", ANNA),
        ("1001", "2", "sold", ""),
    ]
    assert {row["updated"] for row in sales} == {None, datetime(2024, 2, 1, 9, 30)}
    assert history.records("views").num_rows == 4
    later = ("corrections", "aliases", "ignored", "terms", "on_order")  # kinds that it did not know
    once = [kind for kind in KINDS if kind not in ("sales", "views", "products", *later)]
    assert all(history.records(kind).num_rows == 1 for kind in once)
    assert all(history.records(kind).num_rows == 0 for kind in KINDS if kind in later)
    cup, tea = history.daily().to_pylist()
    assert (cup["units"], tea["units"], tea["views"], tea["price"]) == (2.0, 2.0, 4.0, 2.5)
    assert history.products()["name"].to_pylist() == ["A cup", "Green tea"]


def test_the_first_history_goes_on_by_the_same_identities_and_hashes(shop: Path) -> None:
    history = History.open(shop)
    with history.begin("till", fingerprint="f2") as one:
        one.append("sales", make_records("sales", {"order": "", "line": ""}, {"order": "1003"}, {"line": "2"}))
        entry = one.finish()
    counts = entry.counts["sales"]
    assert (counts.new, counts.replaced + counts.older, counts.same) == (1, 1, 1), "known again by key and content"
    history.undo(3)
    states = {row["state"] for row in history.records("sales").to_pylist()}
    assert states == {"sold"}
    assert history.records("views").num_rows == 3
    assert {row["customer"] for row in history.records("sales").to_pylist()} - {""} == {ANNA}


def test_its_file_is_of_the_version_of_duckdb_that_every_later_one_reads(shop: Path) -> None:
    with closing(duckdb.connect(shop / "history.duckdb", read_only=True)) as connection:
        (tags,) = (
            connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'history'").fetchone() or ()
        )
    assert tags["storage_version"] == "v1.4.0+"


def test_a_new_history_has_the_tables_of_the_first_and_every_field_of_a_kind(shop: Path, tmp_path: Path) -> None:
    columns = "SELECT table_name, column_name, data_type FROM duckdb_columns() ORDER BY 1, column_index"
    with closing(duckdb.connect(shop / "history.duckdb", read_only=True)) as old, closing(duckdb.connect()) as new:
        migrate(new)
        found = new.execute(columns).fetchall()
        assert schema_version(old) == 1
        if len(STEPS) == 1:
            assert found == old.execute(columns).fetchall()
    for kind in KINDS:
        assert [name for table, name, _ in found if table == f"now_{kind}"][5:] == list(COLUMNS[kind])


def test_a_newer_history_is_refused_in_one_sentence_and_left_as_it_is(shop: Path) -> None:
    change(shop, lambda connection: write_meta(connection, "schema", "99"))
    before = (shop / "history.duckdb").read_bytes()
    history = History(shop)
    for use in (history.journal, lambda: history.undo(1), lambda: history.begin("till"), lambda: History.open(shop)):
        with pytest.raises(DataError, match="was written by a newer version of hansa; install that version to read it"):
            use()
    assert (shop / "history.duckdb").read_bytes() == before


def test_an_older_history_is_brought_forward_when_it_is_opened(tmp_path: Path) -> None:
    duckdb.connect(tmp_path / "history.duckdb").close()  # schema 0: no table yet
    assert History.open(tmp_path).journal() == ()
    change(tmp_path, lambda connection: len(STEPS) == schema_version(connection) or pytest.fail("not brought forward"))


def test_a_step_forward_is_taken_whole_or_not_at_all(shop: Path) -> None:
    def take(connection: duckdb.DuckDBPyConnection) -> None:
        migrate(connection)
        with pytest.raises(duckdb.Error, match="nowhere"):
            migrate(connection, (*STEPS, ("ALTER TABLE now_sales ADD COLUMN tax DOUBLE", "DROP TABLE nowhere")))
        assert schema_version(connection) == len(STEPS)
        assert "tax" not in str(connection.execute("DESCRIBE now_sales").fetchall())
        migrate(connection, (*STEPS, ("ALTER TABLE now_sales ADD COLUMN tax DOUBLE",)))
        assert schema_version(connection) == len(STEPS) + 1
        assert connection.execute("SELECT count(*), count(tax) FROM now_sales").fetchall() == [(4, 0)]

    change(shop, take)


def test_a_file_of_a_later_duckdb_is_said_to_be_of_a_later_hansa() -> None:
    """In DuckDB's own words; its header has a checksum, so no test can write such a file."""
    words = (
        "Trying to read a database file with version number 99, but we can only read versions between 64 and 67.\n"
        "The database file was created with a newer version of DuckDB."
    )
    assert "newer version of hansa" in say_remedy(duckdb.IOException(words))
