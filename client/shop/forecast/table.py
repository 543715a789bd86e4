"""Write a table of a shop as CSV, Parquet or a sheet of Excel, whole or not at all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from common.disk.file import require_place, write_whole
from common.errors import ConfigError

SUFFIXES = (".csv", ".parquet", ".xlsx")
MOST_SHEET_ROWS = 1_000_000  # a sheet has 1,048,576


def require_table_suffix(path: Path, option: str = "--out") -> None:
    """Refuse a file of another kind, named by the option that it was given by.

    Raises
    ------
    ConfigError
        With what to do.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{option} {path} is none of {', '.join(SUFFIXES)}; choose one of them.")


def require_table_file(path: Path, option: str = "--out") -> None:
    """Refuse a file of another kind, or one that cannot be written.

    Raises
    ------
    ConfigError
        With what to do.
    """
    require_table_suffix(path, option)
    require_place(path)


def write_rows(table: pa.Table, path: Path, *, sheet: str) -> None:
    """Write a table in the form that the file's ending names; an older file is replaced.

    Parameters
    ----------
    sheet
        What the rows are, in a word: the name on the tab in Excel.

    Raises
    ------
    ConfigError
        The ending is none of `SUFFIXES`, a sheet is too short for the table, or there is no room.
    """
    require_table_suffix(path)
    stream = BytesIO()
    if path.suffix == ".csv":
        pyarrow.csv.write_csv(table, stream)
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(table, stream)
    else:
        _write_sheet(table, path, stream, sheet)
    write_whole(path, stream.getvalue())


def _write_sheet(table: pa.Table, path: Path, stream: BytesIO, name: str) -> None:
    """Write text as text, whatever it begins with: a product called =1+1 is no formula."""
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]

    if table.num_rows > MOST_SHEET_ROWS:
        raise ConfigError(f"--out {path} would have {table.num_rows} rows, more than a sheet has; choose .parquet.")
    book = Workbook(write_only=True)
    sheet = book.create_sheet(name)
    sheet.append(table.column_names)
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        cells = [WriteOnlyCell(sheet, value) for value in row]
        for cell, value in zip(cells, row, strict=True):
            if isinstance(value, str):
                cell.data_type = "s"
        sheet.append(cells)
    book.save(stream)
