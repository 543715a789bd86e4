"""Values of a database as Arrow columns: one that cannot be read costs its own cell and nothing else.

| in the database                              | in a batch                                                     |
|----------------------------------------------|----------------------------------------------------------------|
| integers, unsigned too; NUMERIC(n, 0)        | int64; uint64 where it must be; text of more than 18 digits    |
| NUMERIC, DECIMAL, MONEY                      | float64, the nearest                                           |
| floats                                       | float64; NaN and infinity are empty                            |
| date; timestamp, DATETIME                    | date32; timestamp, as written                                  |
| timestamptz, TIMESTAMP of MariaDB and MySQL  | timestamp in UTC                                               |
| boolean (a TINYINT is a number); BIT         | bool; int64                                                    |
| text, enum, set, uuid, json, arrays, rest    | text as the database writes it                                 |
| bytes                                        | binary                                                         |
| anything in SQLite, batch by batch           | int64, or float64, or text, whichever loses nothing            |
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from client.shop.source.sql.connection import Unreadable
from client.shop.source.sql.shape import Kind

TYPES: Final[dict[Kind, pa.DataType]] = {
    "whole": pa.int64(),
    "number": pa.float64(),
    "digits": pa.string(),
    "float": pa.float64(),
    "money": pa.float64(),
    "day": pa.date32(),
    "moment": pa.timestamp("us"),
    "zoned": pa.timestamp("us", tz="UTC"),
    "flag": pa.bool_(),
    "text": pa.string(),
    "bytes": pa.binary(),
    "bits": pa.int64(),
    "other": pa.string(),
}
FROM_TEXT: Final = frozenset({"number", "money", "day", "moment", "zoned"})  # what servers give as text
EXACT: Final = 2**53  # up to which every whole number is a float


def to_arrow(values: Sequence[Any], kind: Kind, system: str) -> tuple[pa.Array, list[int]]:
    """Convert the values of a column.

    Returns
    -------
    tuple
        The column, and the indices of the values that were there and could not be read.
    """
    if system == "sqlite":
        return _as_they_are(values)
    if kind == "bits":
        values = [int.from_bytes(value, "big") if isinstance(value, bytes) else value for value in values]
    try:
        column = _at_once(values, TYPES[kind], from_text=kind in FROM_TEXT)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        column = _one_by_one(values, _type_of(values, kind))
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type))
    return column, _lost(column, values)


def _at_once(values: Sequence[Any], wanted: pa.DataType, *, from_text: bool) -> pa.Array:
    """Convert a column as a whole; a server's time is in UTC, whether it says so or not."""
    if not from_text:
        return pa.array(values, wanted)
    words = pa.array(values, pa.string())
    if pa.types.is_timestamp(wanted):
        words = pc.replace_substring_regex(words, r"\+00$", "")
        return words.cast(pa.timestamp("us")).cast(wanted)
    return words.cast(wanted)


def _type_of(values: Sequence[Any], kind: Kind) -> pa.DataType:
    if kind in ("whole", "bits") and all(value >= 0 for value in values if isinstance(value, int)):
        return pa.uint64()
    return TYPES[kind]


def _one_by_one(values: Sequence[Any], wanted: pa.DataType) -> pa.Array:
    read = _reader(wanted)
    return pa.array([None if value is None else _try(read, value, wanted) for value in values], wanted)


def _try(read: Callable[[Any], Any], value: Any, wanted: pa.DataType) -> Any:
    try:
        found = read(value)
        pa.scalar(found, wanted)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    return found


def _reader(wanted: pa.DataType) -> Callable[[Any], Any]:
    """Choose how one value is read."""
    if pa.types.is_temporal(wanted):
        return lambda value: _at_once([value], wanted, from_text=True)[0].as_py()
    if pa.types.is_integer(wanted):
        return int
    if pa.types.is_floating(wanted):
        return float
    return as_text if pa.types.is_string(wanted) else lambda value: value


def as_text(value: Any) -> str | None:
    """Write a value as its database would; None where it is no text."""
    if isinstance(value, str):
        return value
    if value is Unreadable:
        return None
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return ",".join(sorted(value)) if isinstance(value, set) else str(value)


def _as_they_are(values: Sequence[Any]) -> tuple[pa.Array, list[int]]:
    """Choose a column's type by what a batch of SQLite holds, whatever was declared."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int}:
        return pa.array(values, pa.int64()), []
    if kinds and kinds <= {int, float} and all(abs(value) <= EXACT for value in values if type(value) is int):
        numbers = [value if value is not None and math.isfinite(value) else None for value in values]
        column = pa.array(numbers, pa.float64())
        return column, _lost(column, values)
    if kinds == {bytes}:
        return pa.array(values, pa.binary()), []
    column = _one_by_one(values, pa.string())
    return column, _lost(column, values)


def _lost(column: pa.Array, values: Sequence[Any]) -> list[int]:
    """Find the values that were there and are empty now."""
    empty: list[int] = np.flatnonzero(pc.is_null(column)).tolist()
    return [index for index in empty if values[index] is not None]
