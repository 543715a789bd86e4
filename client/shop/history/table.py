"""The tables of a history, and the steps that bring an older one forward.

Each kind of record has two tables of the same columns. `now_KIND` holds each record once, in the version that counts;
`other_KIND` holds what imports said of the same records beside that: older versions, and the same once more. So every
import's word is kept, and taking an import back is forgetting its word.

| column    | what it is                                                                                     |
|-----------|------------------------------------------------------------------------------------------------|
| `key`     | 128 bits of MD5 of what makes two records the same one (`client.shop.history.identity`)         |
| `nth`     | which of several records of one key, from 0; always 0 where the key alone tells records apart   |
| `number`  | the import that said it                                                                        |
| `content` | 64 bits of MD5 of all that is said; equal where nothing changed                                |
| `updated` | when the source last changed it, null where it does not say                                    |
| others    | the fields of the kind; a customer as a hash                                                   |

`row` of a record is not kept: a place is only one in the file that it came from.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from client.shop.record import COLUMNS, KINDS, Kind
from common.errors import DataError

STORAGE_VERSION = "v1.4.0"  # of DuckDB's file; every later 1.x reads it
HASHED = ("customer", "session")
# The kinds and their fields as they were when a step was written: a later field is a step of its own.
_FIRST_FIELDS: dict[Kind, str] = {
    "sales": '"order" VARCHAR, line VARCHAR, day DATE, second BIGINT, product VARCHAR, customer UUID, quantity DOUBLE, '
    "amount DOUBLE, currency VARCHAR, state VARCHAR",
    "returns": '"order" VARCHAR, line VARCHAR, day DATE, product VARCHAR, customer UUID, quantity DOUBLE, '
    "amount DOUBLE, currency VARCHAR",
    "views": "day DATE, product VARCHAR, customer UUID, session UUID, quantity DOUBLE",
    "carts": "day DATE, product VARCHAR, customer UUID, session UUID, quantity DOUBLE",
    "searches": "day DATE, words VARCHAR, customer UUID, quantity DOUBLE",
    "reviews": "day DATE, product VARCHAR, customer UUID, rating DOUBLE, text VARCHAR",
    "stock": "day DATE, product VARCHAR, on_hand DOUBLE, out BOOLEAN",
    "prices": "first_day DATE, last_day DATE, product VARCHAR, price DOUBLE, currency VARCHAR",
    "promotions": "first_day DATE, last_day DATE, product VARCHAR, category VARCHAR, name VARCHAR, discount DOUBLE, "
    "known_from DATE",
    "closures": "first_day DATE, last_day DATE, name VARCHAR",
    "events": "first_day DATE, last_day DATE, name VARCHAR, known_from DATE",
    "products": "product VARCHAR, name VARCHAR, category VARCHAR",
}
_FIRST = (
    "CREATE TABLE meta (name VARCHAR NOT NULL, value VARCHAR NOT NULL)",
    "CREATE TABLE import (number INTEGER NOT NULL, export INTEGER NOT NULL, began TIMESTAMP NOT NULL, "
    "source VARCHAR NOT NULL, origin VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL, after VARCHAR NOT NULL, "
    "cursor VARCHAR NOT NULL, state VARCHAR NOT NULL, moment TIMESTAMP, given_moment TIMESTAMP)",
    "CREATE TABLE change (number INTEGER NOT NULL, kind VARCHAR NOT NULL, new BIGINT NOT NULL, "
    "replaced BIGINT NOT NULL, same BIGINT NOT NULL, older BIGINT NOT NULL)",
    "CREATE TABLE left_out (number INTEGER NOT NULL, reason VARCHAR NOT NULL, count BIGINT NOT NULL, "
    "is_fault BOOLEAN NOT NULL, example VARCHAR NOT NULL, advice VARCHAR NOT NULL)",
    *(
        f"CREATE TABLE {table}_{kind} (key UHUGEINT NOT NULL, nth INTEGER NOT NULL, number INTEGER NOT NULL, "
        f"content UBIGINT NOT NULL, updated TIMESTAMP, {fields})"
        for kind, fields in _FIRST_FIELDS.items()
        for table in ("now", "other")
    ),
)
_OWNER_FIELDS: dict[Kind, str] = {
    "corrections": "product VARCHAR, day DATE, was DOUBLE, quantity DOUBLE, reason VARCHAR",
    "aliases": "product VARCHAR, stands_for VARCHAR",
    "ignored": '"column" VARCHAR, value VARCHAR',
}
_OWNER = tuple(
    f"CREATE TABLE {table}_{kind} (key UHUGEINT NOT NULL, nth INTEGER NOT NULL, number INTEGER NOT NULL, "
    f"content UBIGINT NOT NULL, updated TIMESTAMP, {fields})"
    for kind, fields in _OWNER_FIELDS.items()
    for table in ("now", "other")
)
_ORDER_FIELDS: dict[Kind, str] = {
    "terms": "product VARCHAR, supplier VARCHAR, unit_cost DOUBLE, currency VARCHAR, lead_days DOUBLE, "
    "lead_spread_days DOUBLE, review_days DOUBLE, minimum_quantity DOUBLE, pack_size DOUBLE, shelf_life_days DOUBLE, "
    "service_level DOUBLE, out_cost DOUBLE",
    "on_order": '"order" VARCHAR, product VARCHAR, supplier VARCHAR, quantity DOUBLE, ordered_day DATE, '
    "expected_day DATE, arrived_day DATE",
}
_ORDER = tuple(
    f"CREATE TABLE {table}_{kind} (key UHUGEINT NOT NULL, nth INTEGER NOT NULL, number INTEGER NOT NULL, "
    f"content UBIGINT NOT NULL, updated TIMESTAMP, {fields})"
    for kind, fields in _ORDER_FIELDS.items()
    for table in ("now", "other")
)
STEPS: tuple[tuple[str, ...], ...] = (
    _FIRST,
    _OWNER,
    _ORDER,
)  # one that was released is never changed


def schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """Tell which schema a history has, 0 for one that was only just made."""
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'meta'").fetchone():
        return 0
    return int(read_meta(connection, "schema") or 0)


def migrate(connection: duckdb.DuckDBPyConnection, steps: Sequence[tuple[str, ...]] = STEPS) -> None:
    """Take the steps that a history has not seen yet, all of them or none.

    Parameters
    ----------
    steps
        From schema 0 on, in order.
    """
    version = schema_version(connection)
    if version >= len(steps):
        return
    connection.execute("BEGIN")
    try:
        for statement in (statement for step in steps[version:] for statement in step):
            connection.execute(statement)
        write_meta(connection, "schema", str(len(steps)))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def read_meta(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """Read what a history remembers about itself; "" where it does not."""
    found = connection.execute("SELECT value FROM meta WHERE name = ?", [name]).fetchone()
    return str(found[0]) if found else ""


def write_meta(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> None:
    """Remember something."""
    connection.execute("DELETE FROM meta WHERE name = ?", [name])
    connection.execute("INSERT INTO meta VALUES (?, ?)", [name, value])


def list_fields(kind: Kind, prefix: str = "") -> str:
    """List the fields of a kind for SQL."""
    return ", ".join(f'{prefix}"{field}"' for field in COLUMNS[kind])


def list_columns(kind: Kind, prefix: str = "") -> str:
    """List all columns of a kind's tables for SQL."""
    own = ("key", "nth", "number", "content", "updated")
    return ", ".join([*(f"{prefix}{column}" for column in own), list_fields(kind, prefix)])


def require_kind(kind: str) -> None:
    """Refuse a kind of record that there is not.

    Raises
    ------
    DataError
        There is none of this name.
    """
    if kind not in KINDS:
        raise DataError(f"There are no records of the kind {kind!r}; there are {', '.join(KINDS)}.")
