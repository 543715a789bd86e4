"""A table at first sight: a few rows spread over it, as text, and about how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import sqlalchemy
from sqlalchemy import func
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import ColumnElement

from client.shop.source.source import NUM_SAMPLES, Look
from client.shop.source.sql.address import Address
from client.shop.source.sql.keyset import select_rows
from client.shop.source.sql.shape import Shape
from client.shop.source.sql.value import to_arrow

NUM_SLICES = 20  # of the rows in the order of their numbers, from each of which some are taken


def read_look(connection: Connection, shape: Shape, address: Address, location: str) -> Look:
    """Look at a table or view."""
    rows = _read_sample(connection, shape, address)
    columns = list(zip(*rows, strict=True)) or [()] * len(shape.columns)
    sample = {
        name: tuple(map(_write, to_arrow(values, shape.columns[name].kind, address.system)[0].to_pylist()))
        for name, values in zip(shape.columns, columns, strict=True)
    }
    return Look(
        location=location,
        table=shape.title,
        kind="database",
        sample=sample,
        num_rows=len(rows) if len(rows) < NUM_SAMPLES else _estimate(connection, shape),
        evidence=(_say_key(shape),),
    )


def _say_key(shape: Shape) -> str:
    if not shape.key:
        return "No key is declared that tells its rows apart."
    return f"Its rows are told apart by {', '.join(shape.key)}."


def _read_sample(connection: Connection, shape: Shape, address: Address) -> list[Any]:
    """Take slices where the rows are numbered, and else the first rows."""
    names = list(shape.columns)
    first = select_rows(shape, names, address.system, order=shape.key, limit=NUM_SAMPLES)
    rows = list(connection.execute(first))
    if len(rows) < NUM_SAMPLES or len(shape.key) != 1:
        return rows
    number: ColumnElement[Any] = sqlalchemy.column(shape.key[0])
    ends = connection.execute(sqlalchemy.select(func.min(number), func.max(number)).select_from(shape.table)).one()
    if not all(isinstance(end, int) for end in ends) or ends[1] - ends[0] < NUM_SAMPLES:
        return rows
    taken: list[Any] = []
    for start, end in _slices(*ends):
        where = [number >= start, number < end]
        limit = NUM_SAMPLES // NUM_SLICES
        taken += connection.execute(
            select_rows(shape, names, address.system, where=where, order=shape.key, limit=limit)
        ).all()
    return taken


def _slices(first: int, last: int) -> Iterator[tuple[int, int]]:
    edges = [first + (last + 1 - first) * number // NUM_SLICES for number in range(NUM_SLICES + 1)]
    return pairwise(edges)


def _estimate(connection: Connection, shape: Shape) -> int | None:
    """Ask the database about how many rows there are; of a view nobody knows without reading it."""
    if shape.is_view:
        return None
    system = connection.dialect.name
    if system == "sqlite":
        return connection.execute(sqlalchemy.select(func.count()).select_from(shape.table)).scalar_one()
    words = {"name": shape.name, "schema": shape.schema}
    if system == "postgresql":
        ask = (
            "SELECT sum(c.reltuples) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
            " ON n.oid = c.relnamespace WHERE c.relname = :name AND n.nspname = coalesce(:schema, current_schema())"
        )
    else:
        ask = (
            "SELECT table_rows FROM information_schema.tables"
            " WHERE table_name = :name AND table_schema = coalesce(:schema, database())"
        )
    found = connection.execute(sqlalchemy.text(ask), words).scalar()
    return None if found is None or found < 0 else int(found)


def _write(value: Any) -> str:
    """Write a value as text of a file has it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return value.hex() if isinstance(value, bytes) else str(value)
