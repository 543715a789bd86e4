"""Open a database to read: the transaction is read-only, so that nothing can be written by any mistake of ours.

| system         | why a write is impossible                                              |
|----------------|------------------------------------------------------------------------|
| PostgreSQL     | every transaction begins READ ONLY                                      |
| MariaDB, MySQL | SET SESSION TRANSACTION READ ONLY, before anything else                 |
| SQLite         | the file is opened with mode=ro, and PRAGMA query_only                  |

Moments and numbers of servers come as the text that the server writes, in UTC and ISO order: a date in the year 20000
or "infinity" then costs its own cell (`client.shop.source.sql.value`) and no row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.pool import NullPool

from client.shop.source.sql.address import Address
from common.errors import ConfigError

CONNECT_SECONDS: Final = 10
LOCK_SECONDS: Final = 10  # that a table may be held by somebody else
SILENCE_SECONDS: Final = 900  # that a server may need for its first row: it may have to sort
PATIENCE_SECONDS: Final = 3600  # that the server waits for us between two batches
AS_TEXT: Final = ("date", "timestamp", "timestamptz", "numeric", "json", "jsonb", "time", "timetz", "interval")


class Unreadable:
    """Stands for text that is no UTF-8."""


@contextmanager
def opened(address: Address) -> Iterator[Connection]:
    """Open a connection that can only read; it is closed, not given back, whatever is still on its way.

    Raises
    ------
    ConfigError
        The driver is not installed.
    sqlalchemy.exc.DBAPIError
        Nobody answers, or lets us in.
    """
    engine = _make_engine(address)
    try:
        connection = engine.connect()
        try:
            yield connection
        finally:
            connection.invalidate()  # else the rest of an unbuffered result would be read first
            connection.close()
    finally:
        engine.dispose()


def _make_engine(address: Address) -> Engine:
    try:
        if address.system == "postgresql":
            return _postgresql(address)
        return _mariadb(address) if address.system == "mariadb" else _sqlite(address)
    except ImportError as error:
        name = "PostgreSQL" if address.system == "postgresql" else "MariaDB and MySQL"
        raise ConfigError(
            f"The driver for {name} is not installed, or is broken; install it with: pip install 'hansa[sql]'"
        ) from error


def _url(address: Address, driver: str) -> URL:
    return URL.create(
        driver,
        username=address.user,
        password=address.password,
        host=address.host,
        port=address.port,
        database=address.database,
        query=address.options,
    )


def _postgresql(address: Address) -> Engine:
    from psycopg.types.string import TextLoader

    arguments: dict[str, Any] = {"client_encoding": "utf8", "prepare_threshold": None, "keepalives_idle": 30}
    if "connect_timeout" not in address.options:
        arguments["connect_timeout"] = CONNECT_SECONDS
    engine = create_engine(
        _url(address, "postgresql+psycopg"), poolclass=NullPool, connect_args=arguments, use_native_hstore=False
    ).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        for name in AS_TEXT:
            connection.adapters.register_loader(name, TextLoader)
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
            connection.execute("SET client_encoding TO 'SQL_ASCII'")  # else the server refuses what is no UTF-8
            connection.commit()
            for name in ("text", "varchar", "bpchar", "name"):
                connection.adapters.register_loader(name, _tolerant_loader())

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        settings = {
            "TimeZone": "UTC",
            "DateStyle": "ISO",
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": "0",
        }
        calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
        connection.exec_driver_sql(f"SELECT {calls}")

    return engine


def _tolerant_loader() -> Any:
    """Make a loader for a database whose text may be in any encoding."""
    from psycopg.adapt import Loader

    class Tolerant(Loader):
        def load(self, data: Any) -> Any:
            return decode(bytes(data))

    return Tolerant


def _mariadb(address: Address) -> Engine:
    from pymysql.constants import FIELD_TYPE  # type: ignore[import-untyped]
    from pymysql.converters import conversions  # type: ignore[import-untyped]

    as_text = {
        FIELD_TYPE.DATE,
        FIELD_TYPE.DATETIME,
        FIELD_TYPE.TIMESTAMP,
        FIELD_TYPE.TIME,
        FIELD_TYPE.DECIMAL,
        FIELD_TYPE.NEWDECIMAL,
    }
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "conv": {kind: convert for kind, convert in conversions.items() if kind not in as_text},
        "read_timeout": SILENCE_SECONDS,
    }
    if "connect_timeout" not in address.options:
        arguments["connect_timeout"] = CONNECT_SECONDS
    if address.password is not None:
        arguments["password"] = address.password.encode()  # pymysql would write it in latin-1
    engine = create_engine(_url(address, "mysql+pymysql"), poolclass=NullPool, connect_args=arguments)
    engine.dialect.supports_server_side_cursors = True  # asking for it first would put pymysql's own cursor back
    engine.dialect._sscursor = _stream_cursor()  # type: ignore[attr-defined]

    @event.listens_for(engine, "connect", insert=True)
    def _on_connect(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute(
                f"SET SESSION time_zone = '+00:00', net_write_timeout = {PATIENCE_SECONDS},"
                f" lock_wait_timeout = {LOCK_SECONDS}"
            )

    return engine


def _stream_cursor() -> Any:
    """Make a cursor that can be left: that of pymysql reads the rest first, even of a connection that is gone."""
    from pymysql.cursors import SSCursor  # type: ignore[import-untyped]

    class Stream(SSCursor):  # type: ignore[misc]
        def close(self) -> None:
            if self._result is not None and self._result.unbuffered_active:
                self._result.unbuffered_active = False
                self._result.connection._force_close()
            super().close()

        __del__ = close

    return Stream


def _sqlite(address: Address) -> Engine:
    uri = f"{Path(address.place).absolute().as_uri()}?mode=ro"
    timeout = float(address.options.get("timeout", LOCK_SECONDS))

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=timeout)
        connection.text_factory = decode
        connection.execute("PRAGMA query_only = ON")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def decode(raw: bytes) -> str | type[Unreadable]:
    """Read UTF-8, or say that it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return Unreadable
