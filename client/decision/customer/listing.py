"""Read a list of letters again, as it was written or as a spreadsheet saved it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from client.shop.forecast.table import require_table_suffix
from common.errors import DataError

TEXT = ("customer", "written_on", "hold_out")


def read_list(path: Path) -> pa.Table:
    """Read a list.

    Raises
    ------
    DataError
        There is none, or it cannot be read.
    """
    require_table_suffix(path, "--measure")
    try:
        if path.suffix == ".csv":
            options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(TEXT, pa.string()))
            return pyarrow.csv.read_csv(path, convert_options=options)
        if path.suffix == ".parquet":
            return pyarrow.parquet.read_table(path)
        return _read_sheet(path)
    except FileNotFoundError as error:
        raise DataError(f"There is no list at {path}; give the file that --write wrote.") from error
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        raise DataError(f"{path} cannot be read as a list of letters; give the file that --write wrote.") from error


def _read_sheet(path: Path) -> pa.Table:
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    try:
        rows = list(load_workbook(path, read_only=True).active.iter_rows(values_only=True))
    except Exception as error:  # openpyxl raises whatever a broken file makes it raise
        raise ValueError("no workbook") from error
    head, *body = rows or [()]
    names = [str(name) for name in head]
    return pa.table({name: pa.array([str(row[place]) for row in body]) for place, name in enumerate(names)})
