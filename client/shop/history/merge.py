"""How an import's word joins what the history knows: each record in the version that counts, all else kept beside it.

Of one record's versions counts what is largest by

    (when the source changed it, or else the latest moment in the data of its import; rank; content)

a maximum, hence the same in any order and however often: imports commute. Where several imports say the same content,
the row with the latest `updated` stands for them.

Most rows of an import are new, or the same as before; they are judged by one join. Where versions differ, every word on
these records is taken out of both tables, weighed, and put back (`settle`).
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from client.shop.history.entry import Counts
from client.shop.history.identity import content_of, key_of, rank_of, repeats_in, select_clean
from client.shop.history.table import list_columns
from client.shop.record import Kind

Connection = duckdb.DuckDBPyConnection


def merge(connection: Connection, kind: Kind, records: pa.Table, *, number: int, numbering: str = "") -> Counts:
    """Merge records of one import, and count what became of them.

    Parameters
    ----------
    records
        With the columns of the kind, customers as hashes.
    numbering
        As in `client.shop.history.identity.key_of`.
    """
    _stage(connection, kind, records, numbering)
    _count_repeats(connection, kind, number)
    _judge(connection, kind, number)
    columns = list_columns(kind)
    connection.execute(f"INSERT INTO now_{kind} SELECT {columns} FROM judged WHERE verdict = 'new'")
    connection.execute(f"INSERT INTO other_{kind} SELECT {columns} FROM judged WHERE verdict <> 'new'")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE unsettled AS "
        "SELECT key, nth, any_value(known) AS known FROM judged WHERE verdict = 'unclear' GROUP BY ALL"
    )
    settle(connection, kind)
    counts = _count(connection, kind)
    for table in ("staged", "judged", "unsettled"):
        connection.execute(f"DROP TABLE {table}")
    return counts


def settle(connection: Connection, kind: Kind) -> None:
    """Weigh all that was said about the records whose `key` and `nth` are in the table `unsettled`."""
    if not connection.execute("SELECT 1 FROM unsettled LIMIT 1").fetchone():
        return
    columns = list_columns(kind)
    words = " UNION ALL ".join(
        f"SELECT {columns} FROM {table}_{kind} SEMI JOIN unsettled USING (key, nth)" for table in ("now", "other")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE weighed AS
        WITH word AS (
            SELECT word.*, coalesce(word.updated, greatest(import.moment, import.given_moment)) AS version
            FROM ({words}) word JOIN import USING (number)
        ), best AS (
            SELECT *, first_value(content) OVER (
                PARTITION BY key, nth ORDER BY version DESC NULLS LAST, {rank_of(kind)} DESC, content DESC
            ) AS best_content FROM word
        )
        SELECT {columns}, row_number() OVER (
            PARTITION BY key, nth ORDER BY content = best_content DESC, updated DESC NULLS LAST, number
        ) AS place FROM best
        """
    )
    for table in ("now", "other"):
        connection.execute(
            f"DELETE FROM {table}_{kind} USING unsettled "
            f"WHERE {table}_{kind}.key = unsettled.key AND {table}_{kind}.nth = unsettled.nth"
        )
    connection.execute(f"INSERT INTO now_{kind} SELECT {columns} FROM weighed WHERE place = 1")
    connection.execute(f"INSERT INTO other_{kind} SELECT {columns} FROM weighed WHERE place > 1")
    connection.execute("DROP TABLE weighed")


def settle_late(connection: Connection, kind: Kind, *, number: int) -> int:
    """Weigh again what an import said and what lost, now that its latest moment is known; count what was replaced."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unsettled AS
        SELECT DISTINCT other.key, other.nth, now.content AS known
        FROM other_{kind} other JOIN now_{kind} now USING (key, nth)
        WHERE other.number = {number} AND other.updated IS NULL AND other.content <> now.content
        """
    )
    settle(connection, kind)
    found = connection.execute(
        f"SELECT count(*) FROM now_{kind} now JOIN unsettled USING (key, nth) WHERE now.content <> unsettled.known"
    ).fetchone()
    connection.execute("DROP TABLE unsettled")
    return int(found[0]) if found else 0


def forget(connection: Connection, kind: Kind, *, number: int) -> None:
    """Take out everything that an import said, as if it had never been."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unsettled AS
        SELECT DISTINCT key, nth FROM (
            SELECT key, nth FROM now_{kind} WHERE number = {number}
            UNION ALL SELECT key, nth FROM other_{kind} WHERE number = {number}
        ) SEMI JOIN (SELECT key, nth FROM other_{kind} WHERE number <> {number}) USING (key, nth)
        """
    )
    _note_gaps(connection, kind, number)
    for table in ("now", "other"):
        connection.execute(f"DELETE FROM {table}_{kind} WHERE number = {number}")
    _close_gaps(connection, kind, number)
    settle(connection, kind)
    connection.execute("DROP TABLE unsettled")


def _stage(connection: Connection, kind: Kind, records: pa.Table, numbering: str) -> None:
    connection.register("incoming", records)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE staged AS
        SELECT {key_of(kind, numbering)} AS key, {content_of(kind)} AS content, {repeats_in(kind)} AS repeats, clean.*
        FROM ({select_clean(kind, "incoming")}) clean
        """
    )
    connection.unregister("incoming")


def _count_repeats(connection: Connection, kind: Kind, number: int) -> None:
    """Tell equal keys apart by how many of them the same import, or the same export, has said before."""
    connection.execute("CREATE OR REPLACE TEMP TABLE said (key UHUGEINT, before BIGINT)")
    for where, numbers in (("import", f"= {number}"), ("export", f"IN ({_numbers_of_export(number)})")):
        words = " UNION ALL ".join(
            f"SELECT key, nth FROM {table}_{kind} "
            f"SEMI JOIN (SELECT key FROM staged WHERE repeats = '{where}') USING (key) WHERE number {numbers}"
            for table in ("now", "other")
        )
        if _has_repeats(connection, where) and _has_said(connection, numbers):
            connection.execute(f"INSERT INTO said SELECT key, max(nth) + 1 FROM ({words}) GROUP BY key")


def _numbers_of_export(number: int) -> str:
    return f"SELECT number FROM import WHERE export = (SELECT export FROM import WHERE number = {number})"


def _note_gaps(connection: Connection, kind: Kind, number: int) -> None:
    """Note the keys of which an export says fewer once this import is forgotten, where others went on from it."""
    counted = repeats_in(kind)
    words = " UNION ALL ".join(
        f"SELECT key FROM {table}_{kind} WHERE number = {number} AND {counted} = 'export'" for table in ("now", "other")
    )
    later = f"SELECT 1 FROM import WHERE number > {number} AND number IN ({_numbers_of_export(number)})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE gap AS SELECT DISTINCT key FROM ({words}) WHERE EXISTS ({later})")


def _close_gaps(connection: Connection, kind: Kind, number: int) -> None:
    """Count the equal rows of an export anew, without those that were forgotten."""
    words = " UNION ALL ".join(
        f"SELECT {list_columns(kind)} FROM {table}_{kind} SEMI JOIN gap USING (key) "
        f"WHERE number IN ({_numbers_of_export(number)})"
        for table in ("now", "other")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE moved AS
        SELECT word.* REPLACE ((row_number() OVER (PARTITION BY key ORDER BY nth) - 1)::INTEGER AS nth), nth AS was
        FROM ({words}) word
        """
    )
    connection.execute("DELETE FROM moved WHERE nth = was")
    for table in ("now", "other"):
        connection.execute(
            f"DELETE FROM {table}_{kind} said USING moved "
            "WHERE said.key = moved.key AND said.nth = moved.was AND said.number = moved.number"
        )
    connection.execute(f"INSERT INTO other_{kind} SELECT {list_columns(kind)} FROM moved")
    connection.execute(
        "INSERT INTO unsettled SELECT DISTINCT key, nth FROM "
        "(SELECT key, nth FROM moved UNION SELECT key, was FROM moved) ANTI JOIN unsettled USING (key, nth)"
    )
    for table in ("gap", "moved"):
        connection.execute(f"DROP TABLE {table}")


def _has_repeats(connection: Connection, where: str) -> bool:
    return connection.execute("SELECT 1 FROM staged WHERE repeats = ? LIMIT 1", [where]).fetchone() is not None


def _has_said(connection: Connection, numbers: str) -> bool:
    """Tell whether these imports committed anything yet."""
    return connection.execute(f"SELECT 1 FROM change WHERE number {numbers} LIMIT 1").fetchone() is not None


def _judge(connection: Connection, kind: Kind, number: int) -> None:
    """Say of each record whether it is new, the same as before, or must be weighed."""
    single = list_columns(kind, "counted.").replace("counted.number", f"{number}::INTEGER AS number")
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE judged AS
        WITH counted AS (
            SELECT staged.*, (CASE WHEN repeats IS NULL THEN 0 ELSE coalesce(before, 0) - 1 + row_number() OVER (
                PARTITION BY key ORDER BY row, updated, content
            ) END)::INTEGER AS nth FROM staged LEFT JOIN said USING (key)
        ), once AS (
            SELECT *, count(*) OVER (PARTITION BY key, nth) AS times FROM counted
        )
        SELECT {single.replace("counted.", "once.")}, now.content AS known, CASE
            WHEN times > 1 THEN 'unclear'
            WHEN now.content IS NULL THEN 'new'
            WHEN now.content <> once.content THEN 'unclear'
            WHEN once.updated > now.updated OR (now.updated IS NULL AND once.updated IS NOT NULL) THEN 'unclear'
            ELSE 'same' END AS verdict
        FROM once LEFT JOIN now_{kind} now USING (key, nth)
        """
    )
    connection.execute("DROP TABLE said")


def _count(connection: Connection, kind: Kind) -> Counts:
    found = connection.execute(
        f"""
        WITH outcome AS (
            SELECT verdict, known, judged.content = now.content AS is_best
            FROM judged LEFT JOIN now_{kind} now USING (key, nth) WHERE verdict = 'unclear'
        ), single AS (
            SELECT count(*) FILTER (WHERE unsettled.known IS NULL) AS new,
                count(*) FILTER (WHERE unsettled.known <> now.content) AS replaced
            FROM unsettled JOIN now_{kind} now USING (key, nth)
        )
        SELECT (SELECT count(*) FROM judged), (SELECT count(*) FROM judged WHERE verdict = 'new') + single.new,
            single.replaced, (SELECT count(*) FROM outcome WHERE NOT is_best)
        FROM single
        """
    ).fetchone()
    total, new, replaced, older = found or (0, 0, 0, 0)
    return Counts(new=new, replaced=replaced, older=older, same=max(0, total - new - replaced - older))
