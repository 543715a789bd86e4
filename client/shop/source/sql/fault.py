"""What a database or its driver says, as one sentence of ours: what, where, what to do; never with a password.

PostgreSQL tells by a code of five characters once a connection stands, and before that by words alone; MariaDB and
MySQL by a number; SQLite by words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from client.shop.source.sql.address import Address
from common.errors import DataError

Fault = Literal[
    "unreachable", "host", "silent", "password", "database", "starting", "full", "table", "column", "right", "lost",
    "time", "locked", "changed", "not_sqlite", "closed", "damaged", "encryption", "other",
]  # fmt: skip
SENTENCES: Final[dict[Fault, str]] = {
    "unreachable": "Nobody answers at {place}; start the database, or correct host and port in the URL.",
    "host": "The host of {place} cannot be found; correct it in the URL.",
    "silent": "{place} did not answer in time; see whether it runs and whether a firewall is between.",
    "password": "{place} does not let this user in; {password}.",
    "database": "There is no such database as {place}, or this user may not see it; correct its name in the URL.",
    "starting": "{place} is starting or stopping just now; run the same again in a minute.",
    "full": "{place} has too many connections already; run the same again later.",
    "table": "The table {table!r} is not in {place} any more; name another one, or bring it back and run the same "
    "again.",
    "column": "A column of the table {table!r} in {place} is not there any more ({words}); run hansa-client init anew.",
    "right": "The user of {place} may not read {table!r}; grant it: GRANT SELECT ON {table} TO that user.",
    "lost": "The connection to {place} was lost while {table!r} was read; what was read before stands: run the same "
    "again, and it goes on from there.",
    "time": "{place} ended the reading of {table!r} because it took too long or stood in the way of others; what was "
    "read before stands: run the same again, and it goes on from there.",
    "locked": "{place} is held by another program, which did not let go of {table!r} in time; run the same again when "
    "that is done.",
    "changed": "The table {table!r} in {place} was changed while it was read; what was read before stands: run the "
    "same again, and it goes on from there.",
    "not_sqlite": "{place} is no SQLite database; give the file of one, or leave off sqlite:// where it is an export.",
    "closed": "The SQLite database {place} cannot be opened; see that its file and its folder may be read.",
    "damaged": "The SQLite database {place} is damaged; take it from a backup, or mend it with `.recover` of sqlite3.",
    "encryption": "{place} and this machine agree on no way of encryption; see sslmode or ssl_ca in the URL.",
    "other": "{place} did not answer for {table!r} as it should: {words}.",
}
HINT: Final = "give the password by ${NAME} in the URL, or correct user and password"
STATES: Final[dict[str, Fault]] = {  # PostgreSQL, longest first
    "28": "password",
    "3D000": "database",
    "57P03": "starting",
    "53300": "full",
    "42P01": "table",
    "3F000": "table",
    "42703": "column",
    "42501": "right",
    "57P": "lost",
    "08": "lost",
    "57014": "time",
    "40001": "time",
    "25P03": "lost",
    "55P03": "locked",
    "40P01": "locked",
    "42883": "changed",
    "22007": "changed",
    "22P02": "changed",
    "0A000": "changed",
}
NUMBERS: Final[dict[int, Fault]] = {  # MariaDB and MySQL
    1045: "password",
    1698: "password",
    1044: "database",
    1049: "database",
    1040: "full",
    1203: "full",
    1226: "full",
    1146: "table",
    1051: "table",
    1356: "table",
    1054: "column",
    1142: "right",
    1143: "right",
    0: "lost",
    1053: "lost",
    1927: "lost",
    2006: "lost",
    2013: "lost",
    1317: "time",
    1969: "time",
    3024: "time",
    1205: "locked",
    1213: "locked",
    1412: "changed",
    2026: "encryption",
    3159: "encryption",
}
WORDS: Final[
    tuple[tuple[str, Fault], ...]
] = (  # of PostgreSQL before a connection stands, and of SQLite; in this order
    (r"file is not a database|file is encrypted", "not_sqlite"),
    (r"unable to open database", "closed"),
    (r"database (table )?is locked|database schema is locked", "locked"),
    (r"malformed|disk I/O error", "damaged"),
    (r"no such table", "table"),
    (r"no such column", "column"),
    (r"database \S+ does not exist", "database"),
    (r"authentication failed|no password supplied|role .+ does not exist|no pg_hba\.conf entry", "password"),
    (r"starting up|shutting down", "starting"),
    (r"too many (clients|connections)|connection slots", "full"),
    (r"could not translate host name|failed to resolve host|Name or service not known|getaddrinfo", "host"),
    (r"timeout expired|timed out", "silent"),
    (r"SSL|certificate|TLS", "encryption"),
    (r"refused|No such file or directory|unreachable|No route to host|Can't connect", "unreachable"),
    (r"server closed the connection|terminating connection|connection is lost|connection not open", "lost"),
)


@contextmanager
def explained(address: Address, table: str = "") -> Iterator[None]:
    """Let whatever a database or a driver raises become one sentence.

    Raises
    ------
    DataError
        Something did.
    """
    try:
        yield
    except (SQLAlchemyError, OSError, UnicodeError) as error:
        raise DataError(explain(error, address, table)) from error


def explain(error: BaseException, address: Address, table: str = "") -> str:
    """Say in a sentence what went wrong."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    words = _hide(_first_line(cause), address)
    fault = _recognise(cause)
    hint = HINT if address.password is None else "correct user and password"
    return SENTENCES[fault].format(place=address.place, table=table or address.place, words=words, password=hint)


def is_right(error: DBAPIError) -> bool:
    """Whether a user lacks the right to read."""
    return error.orig is not None and _recognise(error.orig) == "right"


def _recognise(cause: Any) -> Fault:
    first = cause.args[0] if getattr(cause, "args", ()) else None
    if isinstance(first, int) and first in NUMBERS:  # before the code, which is a wide one there
        return NUMBERS[first]
    state = getattr(cause, "sqlstate", None)
    if state and not isinstance(first, int):
        return next((STATES[state[:size]] for size in (5, 3, 2) if state[:size] in STATES), "other")
    text = str(cause)
    return next((fault for pattern, fault in WORDS if re.search(pattern, text, re.IGNORECASE)), "other")


def _first_line(cause: Any) -> str:
    args = getattr(cause, "args", ())
    text = str(args[-1] if args else cause) or type(cause).__name__
    return text.splitlines()[0].strip().rstrip(".")


def _hide(words: str, address: Address) -> str:
    return words.replace(address.password, "…") if address.password else words
