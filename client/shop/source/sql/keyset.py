"""Statements that read a table in the order of a key, from behind a key on.

The rows behind (x, y) in the order of (a, b) are those with a >= x AND (a > x OR b > y). Written so, every system can
use an index on a; a comparison of pairs, `(a, b) > (x, y)`, is not understood by the optimizer of MariaDB.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy
from sqlalchemy import Select, and_, bindparam, not_, or_
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from client.shop.source.sql.position import Key
from client.shop.source.sql.shape import Shape


def behind(shape: Shape, names: Sequence[str], key: Key, system: str) -> ColumnElement[bool]:
    """Say which rows come behind a key in the order of these columns."""
    column: ColumnElement[Any] = sqlalchemy.column(names[0])
    value = _bind(shape, names[0], key[0], system)
    if len(names) == 1:
        return column > value
    return and_(column >= value, or_(column > value, behind(shape, names[1:], key[1:], system)))


def select_rows(
    shape: Shape,
    names: Sequence[str],
    system: str,
    *,
    where: Sequence[ColumnElement[bool]] = (),
    order: Sequence[str] = (),
    limit: int | None = None,
) -> Select[Any]:
    """Select columns of a table in an order."""
    statement = sqlalchemy.select(*(shape.expression(name, system) for name in names)).select_from(shape.table)
    statement = statement.where(*where) if where else statement
    statement = statement.order_by(*map(sqlalchemy.column, order)) if order else statement
    return statement if limit is None else statement.limit(limit)


def between(shape: Shape, names: Sequence[str], first: Key | None, last: Key, system: str) -> list[ColumnElement[bool]]:
    """Say which rows come behind the first key, and not behind the last."""
    conditions = [sqlalchemy.column(names[0]).is_not(None), not_(behind(shape, names, last, system))]
    return conditions if first is None else [*conditions, behind(shape, names, first, system)]


def _bind(shape: Shape, name: str, value: Any, system: str) -> ColumnElement[Any]:
    """Hand a value over as it was read, without a type: the server takes it as one of the column's."""
    column = shape.columns.get(name)
    if system == "mariadb" and column is not None and column.kind in ("number", "digits"):
        value = Decimal(value)  # text would be compared as a float
    return bindparam(None, value, type_=NullType(), unique=True)
