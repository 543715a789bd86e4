"""Reading a database: every row once, whatever is written meanwhile; values as they are; nothing is ever written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from client.shop.source.database import is_url, look_database
from client.shop.source.sql.address import read_address
from client.shop.source.sql.connection import opened
from client.shop.source.sql.position import WINDOW_ROWS
from client.shop.source.sql.reading import GROUP_ROWS
from common.errors import DataError

Place = Any  # of conftest.py
ORDERS = "CREATE TABLE orders (number INTEGER NOT NULL PRIMARY KEY, changed TIMESTAMP NULL, units INTEGER)"


READ_ONLY = r"(?i)read.?only"


def at(minute: int) -> str:
    return f"'2024-01-01 {minute // 60 % 24:02}:{minute % 60:02}:00'"


def insert(first: int, last: int, minute: Callable[[int], str] = at) -> str:
    """Write the statement for orders from one number to before another, one a minute."""
    rows = ", ".join(f"({number}, {minute(number)}, {number % 7})" for number in range(first, last))
    return f"INSERT INTO orders VALUES {rows}"  # noqa: S608


def change(number: int, changed: str) -> str:
    return f"UPDATE orders SET changed = {changed} WHERE number = {number}"  # noqa: S608


def numbers(rows: list[tuple[Any, ...]]) -> list[int]:
    return [row[0] for row in rows]


@pytest.mark.parametrize("location", ["postgresql://h/d", "mariadb://h/d", "sqlite:///shop.db", "oracle://h"])
def test_a_url_is_told_from_a_file(location: str) -> None:
    assert is_url(location)
    assert not any(map(is_url, ["orders.csv", "/shop/*.csv", "C:\\orders.csv", "folder", "shop.sqlite"]))


def test_all_rows_of_a_table_are_read_in_the_order_of_its_key(place: Place) -> None:
    place.run(ORDERS, insert(0, 25))
    batches = list(place.source("orders", batch_rows=10, page_rows=10).batches())
    assert [batch.rows.num_rows for batch in batches] == [10, 10, 5]
    assert [place for batch in batches for place in batch.places.tolist()] == list(range(1, 26))
    assert pa.concat_tables(batch.rows for batch in batches)["number"].to_pylist() == list(range(25))


@pytest.mark.parametrize("follow", ["", "changed", "number"])
@pytest.mark.parametrize("page_rows", [6, 1000])
def test_a_reading_goes_on_behind_any_batch_without_losing_or_doubling_a_row(
    place: Place, follow: str, page_rows: int
) -> None:
    place.run(ORDERS, insert(0, 14, lambda number: at(number // 5) if number % 5 else "NULL"))
    how = {"follow": follow, "batch_rows": 3, "page_rows": page_rows}
    whole, _ = place.rows("orders", **how)
    assert sorted(numbers(whole)) == list(range(14))
    given = 0
    for batch in place.source("orders", **how).batches():
        given += batch.rows.num_rows
        rest, _ = place.rows("orders", batch.cursor, **how) if given < 14 else ([], "")
        assert numbers(rest) == numbers(whole)[given:]


def test_only_what_came_since_is_read_and_a_row_with_the_very_time_of_the_last_one_too(place: Place) -> None:
    place.run(ORDERS, insert(0, 20, lambda number: at(number // 4)))
    _, cursor = place.rows("orders", follow="changed")
    assert place.rows("orders", cursor, follow="changed") == ([], cursor)
    place.run(insert(20, 22, lambda _: at(4)), insert(22, 24, lambda _: at(9)))
    rows, cursor = place.rows("orders", cursor, follow="changed")
    assert numbers(rows) == [20, 21, 22, 23]
    place.run(change(3, at(11)))
    rows, _ = place.rows("orders", cursor, follow="changed")
    assert 3 in numbers(rows)


def test_a_table_that_is_not_followed_is_read_whole_each_time_and_from_where_it_stood_after_an_interruption(
    place: Place,
) -> None:
    place.run(ORDERS, insert(0, 20))
    reading = place.source("orders", batch_rows=5, page_rows=5).batches()
    cursor = [next(reading).cursor, next(reading).cursor][1]
    reading.close()
    rest, end = place.rows("orders", cursor)
    assert numbers(rest) == list(range(10, 20))
    assert numbers(place.rows("orders", end)[0]) == list(range(20))


def test_an_interruption_behind_the_last_row_does_not_end_all_reading_for_ever(place: Place) -> None:
    place.run(ORDERS, insert(0, 20), "DELETE FROM orders WHERE number > 9")
    reading = place.source("orders", batch_rows=5, page_rows=5).batches()
    cursors = [batch.cursor for batch in reading]
    before_end = cursors[0].replace("[4]", "[9]")  # as if it had ended between the last row and its note
    rows, cursor = place.rows("orders", before_end)
    assert rows == []
    assert numbers(place.rows("orders", cursor)[0]) == list(range(10))


def test_late_rows_behind_the_last_one_are_seen(place: Place) -> None:
    place.run(ORDERS, insert(0, 10), insert(20, 30))
    _, cursor = place.rows("orders", follow="number")
    place.run("INSERT INTO orders VALUES (15, NULL, 1)")
    batches = list(place.source("orders", follow="number").batches(cursor))
    assert 15 in numbers([row for batch in batches for row in zip(*batch.rows.to_pydict().values(), strict=True)])
    assert "come late" in batches[0].notes[0]
    assert place.rows("orders", batches[-1].cursor, follow="number")[0] == []


def test_one_late_row_in_place_of_another_is_seen(place: Place) -> None:
    place.run(ORDERS, insert(0, 10), insert(20, 30))
    _, cursor = place.rows("orders", follow="number")
    place.run("INSERT INTO orders VALUES (15, NULL, 1)", "DELETE FROM orders WHERE number = 25")
    assert 15 in numbers(place.rows("orders", cursor, follow="number")[0])


def test_late_rows_are_looked_for_among_the_last_ten_thousand_rows_and_in_bounded_cursors(
    make: Callable[[str], Place],
) -> None:
    place = make("sqlite")
    count = 3 * WINDOW_ROWS
    place.run(ORDERS)
    with sqlite3.connect(place.folder / "shop.sqlite") as connection:
        connection.executemany("INSERT INTO orders VALUES (?, NULL, 1)", [(2 * number,) for number in range(count)])
    connection.close()
    cursors = [batch.cursor for batch in place.source("orders", follow="number", batch_rows=2000).batches()]
    assert max(map(len, cursors)) < 1000
    late = 2 * (count - WINDOW_ROWS) + 1
    place.run(insert(late, late + 1))
    rows, cursor = place.rows("orders", cursors[-1], follow="number")
    assert late in numbers(rows)
    assert WINDOW_ROWS <= len(rows) < 2 * WINDOW_ROWS
    place.run("INSERT INTO orders VALUES (1, NULL, 1)")  # later than any mark: the documented limit
    assert place.rows("orders", cursor, follow="number")[0] == []


def test_rows_with_nothing_in_the_followed_column_are_read_each_time(place: Place) -> None:
    place.run(ORDERS, insert(0, 5), "INSERT INTO orders VALUES (7, NULL, 1), (8, NULL, 1)")
    rows, cursor = place.rows("orders", follow="changed")
    assert sorted(numbers(rows)) == [0, 1, 2, 3, 4, 7, 8]
    place.run("INSERT INTO orders VALUES (-3, NULL, 1)")
    batches = list(place.source("orders", follow="changed").batches(cursor))
    assert batches[0].rows["number"].to_pylist() == [-3, 7, 8]
    assert batches[0].notes == ("3 rows of orders have no changed, and are read each time",)
    place.run(change(7, at(99)))
    assert sorted(numbers(place.rows("orders", batches[-1].cursor, follow="changed")[0])) == [-3, 7, 8]


def test_a_view_without_a_key_is_followed_with_its_ties(place: Place) -> None:
    place.run(ORDERS, insert(0, 30, lambda number: at(number // 10)))
    place.run("CREATE VIEW sold AS SELECT number, changed FROM orders WHERE units < 100")
    how = {"follow": "changed", "batch_rows": 4}
    batches = list(place.source("sold", **how).batches())
    assert [batch.rows.num_rows for batch in batches] == [10, 10, 10]  # what is alike stays together
    rest, end = place.rows("sold", batches[0].cursor, **how)
    assert sorted(numbers(rest)) == list(range(10, 30))
    assert place.rows("sold", end, **how)[0] == []
    place.run(insert(30, 31, lambda _: at(2)))
    assert 30 in numbers(place.rows("sold", end, **how)[0])


def test_a_view_is_followed_row_by_row_where_more_columns_are_named(place: Place) -> None:
    place.run(ORDERS, insert(0, 30, lambda number: at(number // 10)))
    place.run("CREATE VIEW sold AS SELECT number, changed FROM orders")
    how = {"follow": "changed, number", "batch_rows": 4}
    batches = list(place.source("sold", **how).batches())
    assert numbers(place.rows("sold", batches[2].cursor, **how)[0])[0] in range(9, 13)
    assert sum(batch.rows.num_rows for batch in batches) == 30


@pytest.mark.slow
def test_more_rows_of_one_value_than_can_be_held_are_read_once(make: Callable[[str], Place]) -> None:
    place = make("sqlite")
    place.run(ORDERS, "CREATE VIEW sold AS SELECT * FROM orders")
    with sqlite3.connect(place.folder / "shop.sqlite") as connection:
        connection.executemany("INSERT INTO orders VALUES (?, 'noon', 1)", [(n,) for n in range(2 * GROUP_ROWS + 5)])
    connection.close()
    rows, end = place.rows("sold", follow="changed")
    assert sorted(numbers(rows)) == list(range(2 * GROUP_ROWS + 5))
    assert place.rows("sold", end, follow="changed")[0] == []


def test_a_table_without_any_key_is_read_whole_and_from_its_beginning(make: Callable[[str], Place]) -> None:
    for system in ("postgresql", "mariadb"):
        place = make(system)
        place.run("CREATE TABLE orders (number INTEGER)", "INSERT INTO orders VALUES (1), (1), (2)")
        rows, cursor = place.rows("orders", batch_rows=2)
        assert (sorted(rows), cursor) == ([(1,), (1,), (2,)], "")


def test_a_table_of_sqlite_without_a_key_is_read_by_its_row_numbers(make: Callable[[str], Place]) -> None:
    place = make("sqlite")
    place.run("CREATE TABLE orders (rowid TEXT, n)", "INSERT INTO orders VALUES ('x', 1), ('x', 1), ('y', 2)")
    batches = list(place.source("orders", batch_rows=2).batches())
    assert [batch.rows.to_pydict() for batch in batches] == [
        {"rowid": ["x", "x"], "n": [1, 1]},
        {"rowid": ["y"], "n": [2]},
    ]
    assert place.rows("orders", batches[0].cursor)[0] == [("y", 2)]


def test_keys_of_several_columns_words_bytes_and_decimals_are_found_again(place: Place) -> None:
    kind = "BLOB" if place.system == "sqlite" else "BYTEA" if place.system == "postgresql" else "VARBINARY(8)"
    place.run(
        f"CREATE TABLE t (a VARCHAR(20) NOT NULL, b DECIMAL(20, 2) NOT NULL, c {kind} NOT NULL, PRIMARY KEY (a, b, c))"
    )
    binary = "decode('{}', 'hex')" if place.system == "postgresql" else "X'{}'"
    rows = [(word, f"{10**16 + n}.10", f"0{n}ff") for word in ("ä", "Z", "z_", "it''s", "中") for n in range(3)]
    place.run(*(f"INSERT INTO t VALUES ('{a}', {b}, {binary.format(c)})" for a, b, c in rows))  # noqa: S608
    whole, _ = place.rows("t", batch_rows=2, page_rows=2)
    assert len(set(whole)) == len(rows)
    for index, batch in enumerate(place.source("t", batch_rows=1, page_rows=100).batches()):
        assert place.rows("t", batch.cursor)[0] == whole[index + 1 :] or index == len(rows) - 1


def test_only_mapped_columns_leave_the_database(place: Place) -> None:
    place.run(ORDERS, insert(0, 3))
    source = place.source("orders", follow="changed", columns={"quantity": "units"})
    assert [batch.rows.column_names for batch in source.batches()] == [["units"]]


def test_a_cursor_of_another_order_begins_anew_and_says_so(place: Place) -> None:
    place.run(ORDERS, insert(0, 3))
    _, cursor = place.rows("orders", follow="changed")
    for wrong in (cursor, "nonsense", '["x"]', "{}"):
        (batch,) = place.source("orders", follow="number").batches(wrong)
        assert batch.rows.num_rows == 3
        assert "from its beginning" in batch.notes[0]


def test_a_cursor_never_holds_an_e_mail_address(place: Place) -> None:
    place.run("CREATE TABLE t (mail VARCHAR(40) NOT NULL PRIMARY KEY)", "INSERT INTO t VALUES ('a@b.example'), ('z')")
    batches = list(place.source("t", batch_rows=1, page_rows=1).batches())
    assert [("a@b.example" in batch.cursor, batch.rows.num_rows) for batch in batches] == [(False, 1), (False, 1)]


def test_nothing_can_be_written_through_a_connection(place: Place) -> None:
    place.run(ORDERS, insert(0, 1))
    writes = (
        "INSERT INTO orders VALUES (9, NULL, 1)",
        "DELETE FROM orders",
        "DROP TABLE orders",
        "CREATE TABLE x (a INT)",
    )
    for write in (*writes, "UPDATE orders SET units = 5"):
        with opened(read_address(place.url, place.folder)) as connection, pytest.raises(DBAPIError, match=READ_ONLY):
            connection.execute(text(write))
    assert numbers(place.run("SELECT number FROM orders")) == [0]


def test_values_of_postgresql_are_read_as_they_are(make: Callable[[str], Place]) -> None:
    place = make("postgresql")
    place.run(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN price AS NUMERIC(12, 2)",
        "CREATE TABLE v (n BIGINT PRIMARY KEY, exact NUMERIC(30, 10), ident NUMERIC(30, 0), small NUMERIC(5, 0),"
        " cost price, money MONEY, zoned TIMESTAMPTZ, plain TIMESTAMP, day DATE, flag BOOLEAN, word TEXT, raw BYTEA,"
        " mood mood, doc JSONB, list INT[], gap INTERVAL, id UUID, share REAL, net INET)",
        "INSERT INTO v VALUES (9007199254740993, 0.1, 12345678901234567890, 7, 9.99, '1234.5',"
        " '2024-07-01 00:30:00+02', '2024-07-01 00:30:00.25', '2024-02-29', true,"
        " 'Größe 中', '\\x00ff', 'glad', '{\"a\": [1, \"ü\"]}', '{1,2}',"
        " '1 day', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 0.5, '10.0.0.1')",
        "INSERT INTO v (n) VALUES (9007199254740994)",
    )
    (batch,) = place.source("v").batches()
    first, second = batch.rows.to_pylist()
    assert first == {
        "n": 9007199254740993,
        "exact": 0.1,
        "ident": "12345678901234567890",
        "small": 7,
        "cost": 9.99,
        "money": 1234.5,
        "zoned": datetime(2024, 6, 30, 22, 30, tzinfo=UTC),
        "plain": datetime(2024, 7, 1, 0, 30, 0, 250_000),
        "day": date(2024, 2, 29),
        "flag": True,
        "word": "Größe 中",
        "raw": b"\x00\xff",
        "mood": "glad",
        "doc": '{"a": [1, "ü"]}',
        "list": "{1,2}",
        "gap": "1 day",
        "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "share": 0.5,
        "net": "10.0.0.1/32",
    }
    assert set(second.values()) == {9007199254740994, None}


def test_values_of_mariadb_are_read_as_they_are(make: Callable[[str], Place]) -> None:
    place = make("mariadb")
    place.run(
        "CREATE TABLE v (n BIGINT UNSIGNED PRIMARY KEY, exact DECIMAL(30, 10), ident DECIMAL(30, 0), tiny TINYINT(1),"
        " zoned TIMESTAMP NULL, plain DATETIME(6), day DATE, y YEAR, t TIME, word VARCHAR(20), raw VARBINARY(5),"
        " mood ENUM('sad', 'glad'), tags SET('a', 'b'), doc JSON, bits BIT(9), share FLOAT,"
        " old TEXT CHARACTER SET latin1)",
        "SET time_zone = '+02:00'",
        "INSERT INTO v VALUES (18446744073709551615, 0.1, 12345678901234567890, 2, '2024-07-01 00:30:00',"
        " '2024-07-01 00:30:00.25', '2024-02-29', 2024, '-13:00:01', 'Größe 中', X'00FF', 'glad', 'a,b', '{\"a\": 1}',"
        " b'100000001', 0.5, 'é')",
        "INSERT INTO v (n) VALUES (1)",
    )
    (batch,) = place.source("v").batches()
    second, first = batch.rows.to_pylist()
    assert first == {
        "n": 18446744073709551615,
        "exact": 0.1,
        "ident": "12345678901234567890",
        "tiny": 2,
        "zoned": datetime(2024, 6, 30, 22, 30, tzinfo=UTC),
        "plain": datetime(2024, 7, 1, 0, 30, 0, 250_000),
        "day": date(2024, 2, 29),
        "y": 2024,
        "t": "-13:00:01",
        "word": "Größe 中",
        "raw": b"\x00\xff",
        "mood": "glad",
        "tags": "a,b",
        "doc": '{"a": 1}',
        "bits": 257,
        "share": 0.5,
        "old": "é",
    }
    assert set(second.values()) == {1, None}


def test_values_of_sqlite_are_what_they_are_whatever_was_declared(make: Callable[[str], Place]) -> None:
    place = make("sqlite")
    place.run(
        "CREATE TABLE v (n INTEGER PRIMARY KEY, whole INTEGER, price DECIMAL(10,2), mixed INTEGER, day DATE, raw BLOB)",
        "INSERT INTO v VALUES (1, 9007199254740993, 9.99, 5, '2024-02-29', X'00FF')",
        "INSERT INTO v VALUES (2, NULL, 3, 'none', '29.2.2024', NULL)",
    )
    (batch,) = place.source("v").batches()
    assert batch.rows.to_pydict() == {
        "n": [1, 2],
        "whole": [9007199254740993, None],
        "price": [9.99, 3.0],
        "mixed": ["5", "none"],
        "day": ["2024-02-29", "29.2.2024"],
        "raw": [b"\x00\xff", None],
    }


BROKEN = {
    "postgresql": (
        "CREATE TABLE v (n INT PRIMARY KEY, day DATE, zoned TIMESTAMPTZ, plain TIMESTAMP, exact NUMERIC, share FLOAT)",
        "INSERT INTO v VALUES (1, 'infinity', '-infinity', '4713-01-01 BC', 'NaN', 'Infinity')",
        "INSERT INTO v VALUES (2, '2024-01-02', '2024-01-02 00:00+00', '2024-01-02', 1.5, 2.5)",
    ),
    "mariadb": (
        "CREATE TABLE v (n INT PRIMARY KEY, day DATE, zoned TIMESTAMP NULL, plain DATETIME, exact DECIMAL(5,1),"
        " share FLOAT)",
        "SET sql_mode = ''",
        "INSERT INTO v VALUES (1, '0000-00-00', '0000-00-00', '2024-00-00', NULL, NULL)",
        "INSERT INTO v VALUES (2, '2024-01-02', '2024-01-02 00:00:00', '2024-01-02', 1.5, 2.5)",
    ),
}


@pytest.mark.parametrize("system", ["postgresql", "mariadb"])
def test_a_value_that_cannot_be_read_costs_its_own_cell(make: Callable[[str], Place], system: str) -> None:
    place = make(system)
    place.run(*BROKEN[system])
    (batch,) = place.source("v").batches()
    rows = batch.rows.to_pydict()
    assert [rows[name][0] for name in ("day", "zoned", "plain", "exact", "share")] == [None] * 5
    assert [rows[name][1] for name in ("day", "exact", "share")] == [date(2024, 1, 2), 1.5, 2.5]
    assert batch.notes[0] == "1 values of day cannot be read and count as empty (the first in row 1)"


def test_bytes_that_are_no_text_cost_their_own_cell(make: Callable[[str], Place]) -> None:
    place = make("sqlite")
    place.run("CREATE TABLE v (n INTEGER PRIMARY KEY, word TEXT)", "INSERT INTO v VALUES (1, CAST(X'FF41' AS TEXT))")
    place.run("INSERT INTO v VALUES (2, 'tea')")
    (batch,) = place.source("v").batches()
    assert batch.rows.to_pydict() == {"n": [1, 2], "word": [None, "tea"]}
    postgres = make("postgresql")
    assert postgres.server is not None
    postgres.run(f"CREATE DATABASE {postgres.name}_ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    other = Place_with(postgres, f"{postgres.name}_ascii")
    other.run("CREATE TABLE v (n INT PRIMARY KEY, word TEXT)", "INSERT INTO v VALUES (1, E'\\xff\\x41'), (2, 'tea')")
    (batch,) = other.source("v").batches()
    assert batch.rows.to_pydict() == {"n": [1, 2], "word": [None, "tea"]}


def Place_with(place: Place, database: str) -> Place:  # noqa: N802
    return type(place)(place.system, place.folder, place.server.url(database), place.server)


def test_a_look_has_each_table_and_view_as_text_with_the_number_of_rows(place: Place) -> None:
    place.run(ORDERS, insert(0, 5), "INSERT INTO orders VALUES (9, NULL, NULL)")
    place.run("CREATE VIEW sold AS SELECT number FROM orders", "CREATE TABLE bare (x VARCHAR(5))")
    bare, orders, sold = sorted(look_database(place.url, place.folder), key=lambda look: look.table)
    assert (bare.table, bare.sample, bare.num_rows) == ("bare", {"x": ()}, 0)
    assert (orders.location, orders.kind, orders.num_rows) == (place.url, "database", 6)
    assert orders.sample["number"] == ("0", "1", "2", "3", "4", "9")
    assert orders.sample["units"] == ("0", "1", "2", "3", "4", "")
    assert orders.sample["changed"][1].startswith("2024-01-01 00:01:00")
    assert orders.evidence == ("Its rows are told apart by number.",)
    assert (sold.num_rows, sold.sample) == (6, {"number": orders.sample["number"]})


def test_a_look_at_a_large_table_is_spread_over_it(place: Place) -> None:
    place.run(ORDERS, *(insert(first, first + 1000) for first in range(0, 5000, 1000)))
    if place.server is not None:
        place.run("ANALYZE TABLE orders" if place.system == "mariadb" else "ANALYZE orders")
    (look,) = look_database(place.url, place.folder)
    seen = list(map(int, look.sample["number"]))
    assert len(seen) == len(set(seen)) == 1000
    assert (seen[0], max(seen) > 4700) == (0, True)
    assert look.num_rows is not None
    assert 4000 < look.num_rows < 6000


def test_tables_of_other_schemas_are_there_and_parts_of_a_table_are_not(make: Callable[[str], Place]) -> None:
    place = make("postgresql")
    place.run(
        "CREATE SCHEMA till",
        "CREATE TABLE till.sales (n INT PRIMARY KEY)",
        "CREATE TABLE big (n INT, PRIMARY KEY (n)) PARTITION BY RANGE (n)",
        "CREATE TABLE big_1 PARTITION OF big FOR VALUES FROM (0) TO (10)",
        "INSERT INTO big VALUES (1)",
        "INSERT INTO till.sales VALUES (5)",
        "CREATE MATERIALIZED VIEW kept AS SELECT * FROM big",
    )
    assert [look.table for look in look_database(place.url, place.folder)] == ["big", "kept", "till.sales"]
    assert place.rows("till.sales")[0] == [(5,)]
    assert place.rows("big")[0] == [(1,)]


def test_a_look_passes_over_what_the_user_may_not_read(make: Callable[[str], Place]) -> None:
    place = make("postgresql")
    assert place.server is not None
    place.run("CREATE TABLE a (n INT)", "CREATE TABLE b (n INT)", f"CREATE USER u_{place.name}")
    url = place.server.url(place.name, user=f"u_{place.name}")
    with pytest.raises(DataError, match="has no table that this user may read"):
        look_database(url, place.folder)
    place.run(f"GRANT SELECT ON b TO u_{place.name}")
    assert [look.table for look in look_database(url, place.folder)] == ["b"]


def test_the_cursor_is_json_and_the_fingerprint_of_a_database_is_empty(place: Place) -> None:
    place.run(ORDERS, insert(0, 3))
    _, cursor = place.rows("orders", follow="changed")
    assert json.loads(cursor)[2] == "end"
    assert place.source("orders").fingerprint == ""


def test_a_reading_that_is_left_lets_go_of_the_database(place: Place, tmp_path: Path) -> None:
    place.run(ORDERS, insert(0, 2000))
    reading = place.source("orders", batch_rows=10).batches()
    next(reading)
    reading.close()
    place.run("DROP TABLE orders")
