"""Read a merchant's raw rows from where they are kept; nothing is changed and nothing leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from common.errors import DataError
from common.plan import DataPlan

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".parquet": pd.read_parquet, ".csv": pd.read_csv}


def read_rows(plan: DataPlan, root: Path) -> pd.DataFrame:
    """Read the table of the plan and join its lookups.

    Raises
    ------
    DataError
        A file is missing or unreadable, or a lookup does not fit.
    """
    rows = read_table(root / plan.path)
    for lookup in plan.lookups:
        table = read_table(root / lookup.path)
        for column, where, name in ((lookup.key, rows, plan.path), (lookup.column, table, lookup.path)):
            if column not in where:
                raise DataError(
                    f"data.lookups needs the column {column!r} in {name}; it has {', '.join(where.columns)}."
                )
        if table[lookup.column].duplicated().any():
            raise DataError(
                f"Column {lookup.column!r} of {lookup.path} has a value twice; a lookup needs one row each."
            )
        rows = rows.merge(
            table, how="left", left_on=lookup.key, right_on=lookup.column, suffixes=("", "_lookup")
        )
    return rows


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file."""
    reader = READERS.get(path.suffix)
    if reader is None:
        raise DataError(f"{path} is neither .csv nor .parquet; convert it to one of them.")
    if not path.is_file():
        raise DataError(f"There is no file {path}; check data.path and --data-root.")
    try:
        return reader(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"Cannot read {path}: {str(error).splitlines()[0]}. Is it a whole {path.suffix} file?"
        ) from error
