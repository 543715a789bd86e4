"""What a table or view looks like: its columns, what kind of value each holds, and what tells its rows apart."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy
from sqlalchemy import types
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Connection
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import DBAPIError, SAWarning
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import FromClause

from client.shop.source.sql.address import Address
from common.errors import DataError

Kind = Literal[
    "whole", "number", "digits", "float", "money", "day", "moment", "zoned", "flag", "text", "bytes", "bits", "other"
]
ORDERED: Final = frozenset({"whole", "number", "digits", "day", "moment", "zoned", "text", "bytes"})
MOST_DIGITS: Final = 18  # that an int64 holds, whatever they are
ROW_NAMES: Final = ("rowid", "_rowid_", "oid")  # of SQLite, unless a column is called so
HIDDEN_SCHEMAS: Final = frozenset({"information_schema", "pg_catalog"})


@dataclass(frozen=True)
class Column:
    """A column, and whether its values can be put in order and found again by comparing them."""

    name: str
    kind: Kind
    nullable: bool
    ordered: bool


@dataclass(frozen=True)
class Shape:
    """A table or view.

    Attributes
    ----------
    title
        As `SourceSettings.table` has it.
    key
        Columns that together tell its rows apart and are never empty; () where no such are declared.
    """

    title: str
    name: str
    schema: str | None
    columns: dict[str, Column]
    key: tuple[str, ...]
    is_view: bool

    @property
    def table(self) -> FromClause:
        """The table in a statement."""
        return sqlalchemy.table(self.name, schema=self.schema)

    def expression(self, name: str, system: str) -> ColumnElement[Any]:
        """Give what to select for a column, without a type, so that nothing is converted on the way.

        Money, and what has no reading of its own, is cast by PostgreSQL itself.
        """
        plain: ColumnElement[Any] = sqlalchemy.column(name)
        column = self.columns.get(name)
        if system != "postgresql" or column is None:
            return plain
        if column.kind == "other":
            return sqlalchemy.cast(plain, types.Text()).label(name)
        return sqlalchemy.cast(plain, types.Numeric()).label(name) if column.kind == "money" else plain


def list_tables(connection: Connection) -> list[str]:
    """List tables and views as `Shape.title` has them, those of the schema that needs no name first."""
    inspector = sqlalchemy.inspect(connection)
    with _quietly():
        titles = _names(inspector, None)
        if connection.dialect.name == "postgresql":
            children = set(_partitions(connection))
            own = inspector.default_schema_name
            others = [name for name in inspector.get_schema_names() if name not in {own, *HIDDEN_SCHEMAS}]
            titles += [f"{schema}.{name}" for schema in others for name in _names(inspector, schema)]
            titles = [title for title in titles if title not in children]
    return titles


def _names(inspector: Inspector, schema: str | None) -> list[str]:
    names = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    with suppress(NotImplementedError):
        names += inspector.get_materialized_view_names(schema)
    return sorted(set(names))


def _partitions(connection: Connection) -> Iterator[str]:
    """Name the parts that a table is made of: the table has all of their rows."""
    rows = connection.exec_driver_sql(
        "SELECT n.nspname, c.relname, n.nspname = current_schema() FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relispartition"
    )
    return (name if own else f"{schema}.{name}" for schema, name, own in rows)


def read_shape(connection: Connection, title: str, address: Address) -> Shape:
    """Look up a table or view.

    Raises
    ------
    DataError
        There is none of that name.
    """
    inspector = sqlalchemy.inspect(connection)
    schema, _, rest = title.partition(".")
    for name, inside in ((title, None), (rest, schema)):
        if name and inspector.has_table(name, inside):
            return _read_shape(connection, inspector, title, name, inside)
    there = list_tables(connection)
    raise DataError(
        f"There is no table or view {title!r} in {address.place}; "
        + (f"it has {', '.join(there[:12])}." if there else "it holds none that this user may see.")
    )


def _read_shape(connection: Connection, inspector: Inspector, title: str, name: str, schema: str | None) -> Shape:
    with _quietly():
        columns = {
            found["name"]: Column(
                name=found["name"],
                kind=(kind := _kind_of(found["type"], connection.dialect.name)),
                nullable=bool(found["nullable"]),
                ordered=_is_ordered(found["type"], kind, connection.dialect.name),
            )
            for found in inspector.get_columns(name, schema)
        }
        is_table = name in inspector.get_table_names(schema)
        key = _declared_key(inspector, name, schema, columns)
    if connection.dialect.name == "sqlite" and is_table and not key:
        key = _row_name(connection, name, columns)
    return Shape(title, name, schema, columns, key, not is_table)


def _declared_key(inspector: Inspector, name: str, schema: str | None, columns: dict[str, Column]) -> tuple[str, ...]:
    """Find the primary key, or else a unique index, of columns that are never empty."""
    candidates: list[list[str | None]] = [list(inspector.get_pk_constraint(name, schema)["constrained_columns"])]
    candidates += [list(found["column_names"]) for found in inspector.get_unique_constraints(name, schema)]
    for index in inspector.get_indexes(name, schema):
        partial = any("where" in option for option in index.get("dialect_options", {}))
        if index["unique"] and not partial and "expressions" not in index:
            candidates.append(list(index["column_names"]))
    for names in candidates:
        known = [columns[part] for part in names if part in columns]
        if known and len(known) == len(names) and all(part.ordered and not part.nullable for part in known):
            return tuple(part.name for part in known)
    return ()


def _row_name(connection: Connection, name: str, columns: dict[str, Column]) -> tuple[str, ...]:
    free = next((row for row in ROW_NAMES if row not in {column.lower() for column in columns}), None)
    if free is None:
        return ()
    try:
        connection.execute(sqlalchemy.select(sqlalchemy.column(free)).select_from(sqlalchemy.table(name)).limit(0))
    except DBAPIError:  # a table WITHOUT ROWID
        return ()
    return (free,)


def _kind_of(declared: Any, system: str) -> Kind:
    if system == "sqlite":  # which declares what it likes: a value is what it is
        return "other"
    if isinstance(declared, postgresql.DOMAIN):
        return _kind_of(declared.data_type, system)
    if isinstance(declared, types.Boolean):
        return "flag"
    if isinstance(declared, (types.Integer, mysql.YEAR)):
        return "whole"
    if isinstance(declared, types.Float):
        return "float"
    if isinstance(declared, types.Numeric):
        return _kind_of_number(declared)
    if isinstance(declared, types.DateTime):
        return "zoned" if declared.timezone or isinstance(declared, mysql.TIMESTAMP) else "moment"
    if isinstance(declared, types.Date):
        return "day"
    if isinstance(declared, (types.LargeBinary, types.BINARY, types.VARBINARY)):
        return "bytes"
    return _kind_of_rest(declared)


def _kind_of_number(declared: Any) -> Kind:
    if declared.scale == 0 and declared.precision:
        return "whole" if declared.precision <= MOST_DIGITS else "digits"
    return "number"


def _kind_of_rest(declared: Any) -> Kind:
    if isinstance(declared, postgresql.MONEY):
        return "money"
    if isinstance(declared, mysql.BIT):
        return "bits"
    if isinstance(declared, (types.String, types.Uuid, types.JSON)):
        return "text"
    return "other"


def _is_ordered(declared: Any, kind: Kind, system: str) -> bool:
    """Whether `>` and ORDER BY agree: words of an enum are in their own order, JSON may have none."""
    if isinstance(declared, (types.Enum, mysql.SET, types.JSON)):
        return False
    return kind in ORDERED or system == "sqlite"


@contextmanager
def _quietly() -> Iterator[None]:
    """Warn of nothing: a type that SQLAlchemy does not know is read as text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield
