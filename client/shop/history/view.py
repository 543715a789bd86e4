"""What the owner said over what the sources say: products under one number, visitors left out, days counted otherwise.

Readers ask the views `current_KIND`; the tables stay as the sources told them.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from client.shop.record import COLUMNS, KINDS, LISTS, Kind

Connection = duckdb.DuckDBPyConnection
VISITED: tuple[Kind, ...] = ("views", "carts")
ABOUT_PRODUCTS: tuple[Kind, ...] = (*VISITED, "sales", "returns", "reviews", "stock", "prices", "promotions", *LISTS)


def make_views(connection: Connection) -> None:
    """Make a view `current_KIND` of each kind: the records that count, as the owner wants them read.

    In `told_KIND` visitors that are left out are still there, and `renamed` tells whose product had another number.
    """
    aliases = resolve(connection.execute("SELECT product, stands_for FROM now_aliases").fetchall())
    if aliases:
        names = pa.table({"product": list(aliases), "stands_for": list(aliases.values())})
        connection.register("alias_table", names)
        connection.execute("CREATE OR REPLACE TEMP TABLE alias AS SELECT * FROM alias_table")
        connection.unregister("alias_table")
    for kind in KINDS:
        said = f"({select_newest(kind)})" if kind in LISTS else f"now_{kind}"
        query = told = f"SELECT said.*, FALSE AS renamed FROM {said} said"
        if aliases and kind in ABOUT_PRODUCTS:
            query = told = (
                "SELECT said.* REPLACE (coalesce(alias.stands_for, said.product) AS product), "
                f"alias.stands_for IS NOT NULL AS renamed FROM {said} said LEFT JOIN alias USING (product)"
            )
        connection.execute(f"CREATE OR REPLACE TEMP VIEW told_{kind} AS {told}")
        if kind in VISITED:
            for column in ("customer", "session"):
                query += (
                    f" ANTI JOIN (SELECT value FROM now_ignored WHERE \"column\" = '{column}') {column}_ignored "
                    f"ON replace(said.{column}::VARCHAR, '-', '') = {column}_ignored.value"
                )
        connection.execute(f"CREATE OR REPLACE TEMP VIEW current_{kind} AS {query}")


def select_newest(kind: Kind) -> str:
    """Select what the newest list of each source says, where a later one leaves out what no longer holds."""
    words = f"SELECT * FROM now_{kind} UNION ALL SELECT * FROM other_{kind}"
    sources = f"SELECT DISTINCT source FROM ({words}) JOIN import USING (number)"
    newest = (
        f"SELECT max(export) FROM import SEMI JOIN ({sources}) USING (source) WHERE state <> 'undone' GROUP BY source"
    )
    return (
        f"SELECT DISTINCT ON (key, nth) word.* FROM ({words}) word JOIN import USING (number) "
        f"WHERE import.export IN ({newest})"
    )


def resolve(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Follow each number to the one that counts in the end; numbers that go round in a circle stay what they are."""
    direct = dict(pairs)
    final: dict[str, str] = {}
    for product in direct:
        seen, place = {product}, direct[product]
        while place in direct and place not in seen:
            seen.add(place)
            place = direct[place]
        if place not in seen:
            final[product] = place
    return final


def list_shown(kind: Kind, hashed: tuple[str, ...]) -> str:
    """List the fields of a kind for SQL as records show them: hashes as 32 hexadecimal digits, "" for nobody."""
    return ", ".join(
        f"replace(coalesce(\"{field}\"::VARCHAR, ''), '-', '') AS \"{field}\"" if field in hashed else f'"{field}"'
        for field in COLUMNS[kind]
    )
