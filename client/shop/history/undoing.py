"""Take an import back, whichever it was: what the others said is weighed as if it had never been.

Where an export came in several imports (`after`), equal rows of the later ones were counted on from the earlier ones;
these are counted anew.
"""

from __future__ import annotations

import duckdb

from client.shop.history.journal import read_state
from client.shop.history.merge import forget
from common.errors import DataError


def undo(connection: duckdb.DuckDBPyConnection, number: int) -> None:
    """Forget what an import said, and note that it was undone.

    Raises
    ------
    DataError
        There is no such import, or it was undone already.
    """
    state = read_state(connection, number)
    if state is None:
        raise DataError(f"There is no import {number}; see: hansa-client history")
    if state == "undone":
        raise DataError(f"Import {number} is undone already; see: hansa-client history")
    for (kind,) in connection.execute("SELECT DISTINCT kind FROM change WHERE number = ?", [number]).fetchall():
        forget(connection, kind, number=number)
    connection.execute("UPDATE import SET state = 'undone' WHERE number = ?", [number])
