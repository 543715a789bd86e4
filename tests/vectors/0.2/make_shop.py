"""Make the shop of this folder, once, with the first code that wrote one; it is never made again.

    PYTHONPATH=$PWD:$PWD/tests python tests/vectors/0.2/make_shop.py

shop.toml has every key that there was, and shop.json what it says. history.duckdb is of schema 2, the first with what
the owner said over the sources: a day counted otherwise, a number that stands for another, a visitor left out.
cursors.json has for each kind of table what a reading remembered that stopped in the middle or at the end, and which
rows it reads when it goes on. The key is no secret: 32 bytes from 0 to 31.
"""

from __future__ import annotations

import json
import lzma
import sqlite3
import tempfile
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa

from client.shop.history.history import History
from client.shop.record import Kind as RecordKind
from client.shop.record import schema_of
from client.shop.settings import Days, Dialect, PlanSettings, Shop, SourceSettings
from client.shop.setup.writing import write_shop
from client.shop.source.database import DatabaseSource
from client.shop.source.sql.shape import Kind
from shop_records import make_records

HERE = Path(__file__).parent / "shop"
NOON = "'2024-01-0{} 12:00:00'"
TABLES: dict[str, tuple[list[str], str, str]] = {  # statements, the table to read, what is followed
    "whole number": (["CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)"], "t", ""),
    "followed number": (["CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)"], "t", "id"),
    "followed moment": (["CREATE TABLE t (id INTEGER PRIMARY KEY, a TIMESTAMP)"], "t", "a"),
    "followed day": (["CREATE TABLE t (id INTEGER PRIMARY KEY, a DATE NOT NULL)"], "t", "a"),
    "two columns": (["CREATE TABLE t (id INTEGER NOT NULL, a VARCHAR(9) NOT NULL, PRIMARY KEY (a, id))"], "t", ""),
    "bytes": (["CREATE TABLE t (id INTEGER, a BLOB NOT NULL PRIMARY KEY)"], "t", ""),
    "decimals": (["CREATE TABLE t (id INTEGER, a DECIMAL(8, 2) NOT NULL PRIMARY KEY)"], "t", ""),
    "rows without a key": (["CREATE TABLE t (id INTEGER, a TEXT)"], "t", ""),
    "a view": (
        ["CREATE TABLE t (id INTEGER PRIMARY KEY, a TIMESTAMP)", "CREATE VIEW v AS SELECT id, a FROM t"],
        "v",
        "a, id",
    ),
}
VALUES = {
    "followed moment": ["NULL", *(NOON.format(1 + number // 2) for number in range(5))],
    "followed day": [f"'2024-01-0{1 + number // 2}'" for number in range(6)],
    "bytes": [f"X'00{number}0'" for number in range(6)],
    "decimals": [f"{number}.50" for number in range(6)],
    "a view": [NOON.format(1 + number // 2) for number in range(6)],
}


def main(scratch: Path) -> None:
    HERE.mkdir(exist_ok=True)
    shop = make_settings()
    (HERE / "shop.toml").write_text("schema = 1\n" + write_shop(shop))
    (HERE / "shop.json").write_text(dump(shop.model_dump(mode="json")))
    make_history(scratch)
    for name in ("history.duckdb", "customer.key"):
        (HERE / f"{name}.xz").write_bytes(lzma.compress((scratch / name).read_bytes(), preset=9))
    cursors = [make_cursor(scratch, name, is_whole=is_whole) for name in TABLES for is_whole in (False, True)]
    (HERE / "cursors.json").write_text(dump({"kinds": get_args(Kind), "cursors": cursors}))


def make_settings() -> Shop:
    till = SourceSettings(
        name="till",
        location="till/*.csv",
        table="Sheet 1",
        dialect=Dialect(encoding="cp1252", separator=";", decimal=",", thousands=".", dates="dmy", header_row=3),
        columns={"day": "Datum", "product": "Artikel", "quantity": "Menge", "price": "Preis", "updated": "geändert"},
        states={"sold": ("bezahlt",), "cancelled": ("storniert",), "test": ("Test",), "unpaid": ()},
        same_as="web",
    )
    web = SourceSettings(name="web", location="sqlite:///web.db", table="orders", format="shopify", follow="changed")
    return Shop(
        name='Kiosk "Süd"',
        time_zone="Europe/Berlin",
        currency="EUR",
        country="DE",
        subdivision="BY",
        rates={"CHF": 1.05, "SEK": 0.09},
        closed_weekdays=("sunday",),
        closed_dates=(date(2024, 12, 24), date(2024, 12, 31)),
        closed_holidays=True,
        days=Days(closed="told", out="guess"),
        missing_ahead="refuse",
        sources=(till, web),
        plans=(PlanSettings(path="plan.toml", data_root="mine", columns={"sales": "units"}),),
    )


def make_history(scratch: Path) -> None:
    (scratch / "customer.key").write_bytes(bytes(range(32)))
    (scratch / "customer.key").chmod(0o600)
    history = History.open(scratch)
    with history.begin("till", fingerprint="f1") as one:
        one.append("sales", make_records("sales", {"quantity": 90.0}, {"line": "2", "product": "old", "quantity": 2.0}))
        one.append("views", make_records("views", {}, {"session": "robot", "quantity": 500.0}))
        one.finish()
    visitor = next(row["session"] for row in history.records("views").to_pylist() if row["session"])
    said: dict[RecordKind, dict[str, Any]] = {
        "corrections": {
            "product": "tea",
            "day": date(2024, 1, 1),
            "was": 92.0,
            "quantity": 3.0,
            "reason": "outlier",
        },
        "aliases": {"product": "old", "stands_for": "tea"},
        "ignored": {"column": "session", "value": visitor},
    }
    for kind, row in said.items():
        with history.begin("owner", origin=f"check --accept {kind}") as one:
            one.append(kind, pa.Table.from_pylist([{"row": 1, **row}], schema=schema_of(kind)))
            one.finish()


def make_cursor(scratch: Path, name: str, *, is_whole: bool) -> dict[str, Any]:
    """Read six rows, four or all of them, and see what is left to go on with."""
    made, table, follow = TABLES[name]
    values = VALUES.get(name, [f"'a{number}'" for number in range(6)])
    rows = [f"INSERT INTO t VALUES ({number}, {value})" for number, value in enumerate(values)]  # noqa: S608
    place = scratch / f"{name} {is_whole}.sqlite"
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        for statement in (*made, *rows):
            connection.execute(statement)
    settings = SourceSettings(name="shop", location=f"sqlite:///{place}", table=table, follow=follow)
    batches = list(DatabaseSource(settings, scratch, batch_rows=2, page_rows=2).batches())
    cursor = (batches[-1] if is_whole else batches[1]).cursor
    rest = DatabaseSource(settings, scratch).batches(cursor)
    return {
        "name": name,
        "stopped": "at the end" if is_whole else "in the middle",
        "statements": [*made, *rows],
        "table": table,
        "follow": follow,
        "cursor": cursor,
        "rest": [number for batch in rest for number in batch.rows["id"].to_pylist()],
    }


def dump(said: object) -> str:
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
