"""A Parquet file as columns, each value read by itself: one that cannot be read is an empty cell and nothing else.

A column has one type, but not every value that fits the type can be read: bytes that are no UTF-8, a day after the year
9999. The usual way reads a column at once and fails for all of it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FIRST_DAY, DAYS_AFTER = -719_160, 2_932_890  # from 1970 on, within years 1 to 9999 in every time zone
PER_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def read_parquet(path: Path) -> pd.DataFrame:
    """Read every column by its own name; an index that pandas saved is a column like any other, and joins nothing.

    Raises
    ------
    ValueError, OSError, LookupError
        It is no whole Parquet file.
    """
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error
    rows = pd.DataFrame(dict(enumerate(map(_read_column, table.columns))))
    rows.columns = pd.Index(table.column_names, dtype=object)
    rows.index = pd.RangeIndex(1, table.num_rows + 1)
    return rows


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
    """Empty the cells whose day no calendar has, or has no more in some time zone."""
    per_day = PER_DAY[column.type.unit]
    least, most = max(FIRST_DAY * per_day, -(2**63) + 2 * per_day), min(DAYS_AFTER * per_day, 2**63 - 2 * per_day)
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
