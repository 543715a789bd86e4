"""Imports commute: any order, repetition and overlap of exports gives one history, and undone is never imported.

Held in memory, so that many small shops can be tried; other tests do it on the disk. There are few days, orders and
products, so that records collide.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.shop.history.appending import commit_group
from client.shop.history.daily import select_daily
from client.shop.history.journal import Beginning, read_entries
from client.shop.history.table import list_columns, migrate
from client.shop.history.undoing import undo
from client.shop.history.view import make_views
from client.shop.record import KINDS, Kind, schema_of

FIRST, NOW = date(2024, 1, 1), datetime(2024, 6, 1)
ANNA, BOB = "a" * 32, "b" * 32
Row = tuple[Kind, dict[str, Any]]
File = list[list[Row]]  # groups that are committed one by one

DAYS = st.integers(0, 2).map(lambda days: FIRST + timedelta(days=days))
UPDATED = st.one_of(st.none(), st.integers(0, 3).map(lambda days: datetime(2024, 1, 1) + timedelta(days=days)))
WHO = st.sampled_from([None, ANNA, BOB])
ONE_OR_TWO = st.sampled_from([1.0, 2.0])
STATES = st.sampled_from(["sold", "cancelled", "unpaid", "test"])


def rows(kind: Kind, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({"updated": UPDATED, **fields}).map(lambda row: (kind, row))


PRODUCTS = st.sampled_from(["tea", "cup"])
ORDERS, LINES = st.sampled_from(["", "1", "2"]), st.sampled_from(["", "1"])
BOUGHT = {"order": ORDERS, "line": LINES, "day": DAYS, "product": PRODUCTS, "customer": WHO, "quantity": ONE_OR_TWO}
SEEN = {"day": DAYS, "product": PRODUCTS, "customer": WHO, "session": st.none(), "quantity": ONE_OR_TWO}
ANY_ROW = st.one_of(
    rows("sales", **BOUGHT, amount=st.sampled_from([0.1, 0.2, None]), currency=st.just(""), state=STATES),
    rows("sales", **BOUGHT, amount=st.sampled_from([0.1, 0.2, None]), currency=st.just(""), state=STATES),
    rows("returns", **BOUGHT),
    rows("views", **SEEN),
    rows("stock", day=DAYS, product=PRODUCTS, on_hand=st.sampled_from([0.0, 3.0])),
    rows("prices", first_day=DAYS, last_day=st.one_of(st.none(), DAYS), product=PRODUCTS, price=ONE_OR_TWO),
    rows("products", product=PRODUCTS, name=st.sampled_from(["Tea", "A cup"]), category=st.just("")),
)
FILES = st.lists(st.lists(st.lists(ANY_ROW, min_size=1, max_size=6), min_size=1, max_size=2), min_size=1, max_size=3)


def begin(number: int, *, export: int | None = None) -> Beginning:
    return Beginning(number, number if export is None else export, NOW, "till", "", "", "", None)


def tell(connection: duckdb.DuckDBPyConnection, file: File, beginning: Beginning) -> None:
    """Import a file group by group, as `Import` does."""
    place = 0
    for last, group in enumerate(file, start=1 - len(file)):
        tables: dict[Kind, pa.Table] = {}
        for kind in KINDS:
            said = [{**row, "row": place + n} for n, (of, row) in enumerate(group) if of == kind]
            if said:
                tables[kind] = pa.Table.from_pylist(said, schema=schema_of(kind))
        place += len(group)
        commit_group(connection, beginning, tables, cursor=None, state="partial" if last else "done")


def make_empty() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"threads": 1})
    migrate(connection)
    return connection


def make_from(files: Sequence[File]) -> duckdb.DuckDBPyConnection:
    connection = make_empty()
    for number, file in enumerate(files, start=1):
        tell(connection, file, begin(number))
    return connection


def look(connection: duckdb.DuckDBPyConnection, *, tables: Sequence[str] = ("now",)) -> dict[str, Any]:
    """Everything that is known, without the numbers of the imports that said it."""
    seen: dict[str, Any] = {}
    for kind in KINDS:
        columns = list_columns(kind).replace("number, ", "")
        for table in tables:
            query = f"SELECT {columns} FROM {table}_{kind}"  # noqa: S608
            seen[f"{table} {kind}"] = Counter(connection.execute(query).fetchall())
    make_views(connection)
    daily = select_daily(currency="", rates={}, chosen=False, has_prices=True)
    return {**seen, "daily": connection.execute(daily).fetchall()}


def contributions(files: Sequence[File]) -> Iterator[tuple[Any, Any, tuple[Any, ...]]]:
    """Say over again in plain Python what each file says of which record, with the version of its word."""
    rank = {"sold": 1, "test": 2, "cancelled": 3}
    for file in files:
        flat = [row for group in file for row in group]
        moments = [row.get("updated") for _, row in flat]
        moments += [
            datetime.combine(row["day"], datetime.min.time())
            for kind, row in flat
            if kind not in ("prices", "products")
        ]
        moment = max((found for found in moments if found), default=None)
        seen: Counter[Any] = Counter()
        for kind, row in flat:
            said = tuple(sorted((name, value) for name, value in row.items() if name != "updated"))
            order = row.get("order")
            if kind in ("sales", "returns") and order and row["line"]:
                key: Any = (kind, order, row["line"], row["day"] if kind == "returns" else None)
                nth = 0
            elif kind in ("sales", "returns") and order:
                key = (kind, order, row["product"], row["day"] if kind == "returns" else None)
                nth = seen[key]
            elif kind in ("stock", "prices", "products"):
                key, nth = (kind, row["product"], row.get("day"), row.get("first_day")), 0
            else:
                key = (kind, said)
                nth = seen[key]
            seen[key] += 1
            version = row.get("updated") or moment
            order_of_state = rank.get(row["state"], 0) if kind == "sales" else int(row.get("out") or False)
            yield (key, nth), (version is not None, version, order_of_state), said


def check_against_plain_words(connection: duckdb.DuckDBPyConnection, files: Sequence[File]) -> None:
    """Each record is there once, in a version than which none is later."""
    best: dict[Any, Any] = {}
    allowed: dict[Any, list[Any]] = defaultdict(list)
    for record, version, said in contributions(files):
        if record not in best or version > best[record]:
            best[record], allowed[record] = version, []
        if version == best[record]:
            allowed[record].append(said)
    remaining = Counter[Kind](record[0][0] for record in best)
    for kind in KINDS:
        found = connection.execute(f"SELECT * FROM now_{kind}").to_arrow_table().to_pylist()  # noqa: S608
        assert len(found) == remaining[kind]
        legal = [dict(said) for record, words in allowed.items() if record[0][0] == kind for said in words]
        for row in found:
            assert any(all(plain(row[name]) == plain(value) for name, value in said.items()) for said in legal)


def plain(value: Any) -> Any:
    return (
        str(value).replace("-", "")
        if isinstance(value, str) or (hasattr(value, "hex") and len(str(value)) > 30)
        else value
    )


def check_any_order(files: list[File], shuffled: list[File]) -> None:
    with closing(make_from(files)) as one, closing(make_from(shuffled)) as other:
        check_against_plain_words(one, files)
        assert look(one) == look(other)


def check_undo(files: list[File], undone: int) -> None:
    with closing(make_from(files)) as one, closing(make_from(files[:undone] + files[undone + 1 :])) as never:
        undo(one, undone + 1)
        assert look(one, tables=("now", "other")) == look(never, tables=("now", "other"))
        tell(one, files[undone], begin(99))
        with closing(make_from(files)) as whole:
            assert look(one) == look(whole)
        assert [entry.state for entry in read_entries(one)].count("undone") == 1


@st.composite
def shuffles(draw: st.DrawFn) -> tuple[list[File], list[File]]:
    """Files, and the same in another order, some of them more than once and cut into other groups."""
    files = draw(FILES)
    again = draw(st.permutations([*files, *draw(st.lists(st.sampled_from(files), max_size=2))]))
    return files, [[[row for group in file for row in group]] if draw(st.booleans()) else file for file in again]


@st.composite
def undoings(draw: st.DrawFn) -> tuple[list[File], int]:
    files = draw(FILES)
    return files, draw(st.integers(0, len(files) - 1))


@settings(max_examples=4)
@given(shuffles())
def test_any_order_repetition_and_overlap_of_exports_gives_one_history(drawn: tuple[list[File], list[File]]) -> None:
    check_any_order(*drawn)


@pytest.mark.slow
@settings(max_examples=500)
@given(shuffles())
def test_any_order_of_many_more_exports_gives_one_history(drawn: tuple[list[File], list[File]]) -> None:
    check_any_order(*drawn)


@settings(max_examples=4)
@given(undoings())
def test_an_import_that_is_undone_was_never_there(drawn: tuple[list[File], int]) -> None:
    check_undo(*drawn)


@pytest.mark.slow
@settings(max_examples=500)
@given(undoings())
def test_an_import_of_many_more_that_is_undone_was_never_there(drawn: tuple[list[File], int]) -> None:
    check_undo(*drawn)


VIEW: Row = (
    "views",
    {"day": FIRST, "product": "tea", "customer": None, "session": None, "quantity": 1.0, "updated": None},
)


def num_views(connection: duckdb.DuckDBPyConnection) -> int:
    (number,) = connection.execute("SELECT count(*) FROM now_views").fetchone() or (0,)
    return int(number)


def test_equal_rows_of_two_overlapping_exports_are_counted_once_and_those_of_one_export_each() -> None:
    with closing(make_from([[[VIEW] * 3], [[VIEW], [VIEW]]])) as connection:
        assert num_views(connection) == 3


def test_an_export_that_goes_on_where_it_ended_adds_its_equal_rows() -> None:
    with closing(make_from([[[VIEW] * 2]])) as connection:
        tell(connection, [[VIEW] * 3], begin(2, export=1))
        assert num_views(connection) == 5
        tell(connection, [[VIEW] * 4], begin(3))
        assert num_views(connection) == 5, "another export, of the same"


@pytest.mark.parametrize("undone", [1, 2, 3])
def test_undoing_a_part_of_an_export_leaves_what_the_other_parts_say(undone: int) -> None:
    parts = {1: 2, 2: 3, 3: 1}
    with closing(make_empty()) as one, closing(make_empty()) as never:
        for number, times in parts.items():
            tell(one, [[VIEW] * times], begin(number, export=1))
            if number != undone:
                tell(never, [[VIEW] * times], begin(number, export=1))
        tell(one, [[VIEW] * 4], begin(4))
        tell(never, [[VIEW] * 4], begin(4))
        undo(one, undone)
        assert look(one, tables=("now", "other")) == look(never, tables=("now", "other"))


def test_a_version_that_lost_in_the_first_group_wins_once_its_export_proves_later() -> None:
    """The state of an order as of 3 January, in a file whose first rows are old."""
    sale = {"order": "1", "line": "1", "product": "tea", "customer": None, "quantity": 1.0, "state": "sold"}
    sold: Row = ("sales", {**sale, "day": FIRST})
    later: Row = ("sales", {**sale, "order": "2", "day": FIRST + timedelta(days=1)})
    unpaid: Row = ("sales", {**sold[1], "state": "unpaid"})
    much_later: Row = ("sales", {**sale, "order": "3", "day": FIRST + timedelta(days=2)})
    with closing(make_from([[[sold, later]], [[unpaid], [much_later]]])) as connection:
        found = connection.execute("SELECT state FROM now_sales WHERE \"order\" = '1'").fetchall()
        assert found == [("unpaid",)]
        (entry,) = read_entries(connection)[1:]
        assert (entry.counts["sales"].replaced, entry.counts["sales"].older) == (1, 0)


def test_a_day_that_was_mistyped_as_far_ahead_makes_no_file_the_latest() -> None:
    sale = {"order": "1", "line": "1", "day": FIRST, "product": "tea", "customer": None, "quantity": 1.0}
    wrong: Row = ("sales", {**sale, "order": "2", "day": date(2099, 1, 1), "state": "sold"})
    late: Row = ("sales", {**sale, "order": "3", "day": FIRST + timedelta(days=9), "state": "sold"})
    sold: Row = ("sales", {**sale, "state": "sold"})
    unpaid: Row = ("sales", {**sale, "state": "unpaid"})
    with closing(make_from([[[sold, wrong]], [[unpaid, late]]])) as connection:
        assert connection.execute("SELECT state FROM now_sales WHERE \"order\" = '1'").fetchall() == [("unpaid",)]
