"""Read a merchant's raw rows from where they are kept; nothing is changed and nothing leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from common.errors import DataError
from common.panel import as_text
from common.plan import DataPlan


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str)  # a guessed type would be a function of everyone's rows


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".parquet": pd.read_parquet, ".csv": _read_csv}


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
                    f"data.lookups needs the column {column!r} in {name}; it has {', '.join(map(str, where.columns))}."
                )
        keys = pd.Index(as_text(table[lookup.column]))
        if keys.has_duplicates:
            raise DataError(
                f"Column {lookup.column!r} of {lookup.path} has a value twice; a lookup needs one row each."
            )
        table = table.drop(columns=[lookup.column])
        both = rows.columns.intersection(table.columns)
        if len(both):
            raise DataError(f"Both {plan.path} and {lookup.path} have the column {both[0]!r}; rename one of them.")
        rows = rows.join(table.set_index(keys).reindex(as_text(rows[lookup.key])).set_index(rows.index))
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
    except (OSError, ValueError, LookupError) as error:  # LookupError: a Parquet file with other metadata
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"Cannot read {path}: {reason}. Is it a whole {path.suffix} file?") from error
