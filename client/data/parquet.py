"""A Parquet file as columns, each value read by itself: one that cannot be read is an empty cell and nothing else.

A column has one type, but not every value that fits the type can be read: bytes that are no UTF-8, a day after the year
9999. The usual way reads a column at once and fails for all of it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from common.disk.reading import require_file
from common.plan.schema import FIRST_YEAR, LAST_YEAR

EPOCH = date(1970, 1, 1)
PLAIN_DAYS = date(1, 1, 3), date(9999, 12, 29)  # in the calendar, with a day of room
ZONED_DAYS = date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31)  # before 1677 pandas' tables of time zones end in a crash
PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def read_parquet(path: Path) -> pd.DataFrame:
    """Read every column by its own name; an index that pandas saved is a column like any other, and joins nothing.

    Raises
    ------
    ValueError, OSError, LookupError
        It is no whole Parquet file.
    """
    require_file(path)
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    rows = pd.DataFrame(dict(enumerate(map(_read_column, table.columns))))
    rows.columns = pd.Index(table.column_names, dtype=object)
    rows.index = pd.RangeIndex(1, table.num_rows + 1)
    return rows


def read_names(path: Path) -> list[str]:
    """Read the names of the columns alone.

    Raises
    ------
    ValueError, OSError
        It is no whole Parquet file.
    """
    try:
        return list(map(str, pq.read_schema(path).names))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _read_column(column: pa.ChunkedArray) -> pd.Series:
    """Read a column, value by value where that cannot be done at once."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type):
        column = _drop_far_days(column)
    if not pa.types.is_nested(column.type):
        try:
            return column.to_pandas(integer_object_nulls=True)
        except (pa.ArrowException, ValueError, OverflowError):
            pass
    return pd.Series([_read_value(value) for value in column], dtype=object)


def _drop_far_days(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Empty the cells whose day no calendar has, or no table of time zones."""
    per_day = PER_DAY[column.type.unit]
    first, last = ((day - EPOCH).days * per_day for day in (ZONED_DAYS if column.type.tz else PLAIN_DAYS))
    least, most = max(first, -(2**63) + 2 * per_day), min(last, 2**63 - 2 * per_day)
    moment = column.cast(pa.int64())
    is_near = pc.and_(pc.greater_equal(moment, least), pc.less(moment, most))
    return pc.if_else(is_near, column, pa.scalar(None, column.type))


def _read_value(value: pa.Scalar) -> object:
    """Read one value: lists and records as text, which is no number and no day; None where it cannot be read."""
    try:
        plain = value.as_py()
    except UnicodeDecodeError:
        return value.as_buffer().to_pybytes().decode(errors="replace")
    except (pa.ArrowException, ValueError, OverflowError):
        return None
    return str(plain) if isinstance(plain, list | dict) else plain
