"""Read a file of rows from its bytes, CSV or Parquet, whatever any row of it holds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from client.data.lines import Cells, Header, Row, read_header, read_lines, split_lines
from client.data.parquet import read_names, read_parquet
from common.disk.reading import read_file
from common.errors import DataError

IsRow = Callable[[dict[str, str]], bool]


@dataclass(frozen=True)
class Table:
    """The rows of one file.

    Attributes
    ----------
    rows
        Text of a CSV file, typed values of a Parquet file. The index is the number of the line in a text editor, or of
        the row from 1.
    unreadable
        Lines of a CSV file that are no rows: an open quote, more cells than the header, bytes that are no UTF-8.
    """

    rows: pd.DataFrame
    unreadable: tuple[int, ...] = ()


def read_table(path: Path, wanted: Collection[str], is_row: IsRow) -> Table:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    wanted
        Columns that the plan names, as far as they may be in this file.
    is_row
        Whether a line is a row of its own, by these cells of it: see `client.data.lines`.

    Raises
    ------
    DataError
        The file is missing, of another kind, or holds a wanted column twice; a Parquet file is damaged. Nothing
        that depends on what a row says.
    """
    _require_file(path)
    try:
        table = _read_csv(path, wanted, is_row) if path.suffix == ".csv" else Table(read_parquet(path))
    except (OSError, ValueError, LookupError) as error:  # LookupError: a Parquet file with other metadata
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"Cannot read {path}: {reason}. Is it a whole {path.suffix} file?") from error
    twice = [name for name in table.rows.columns[table.rows.columns.duplicated()] if name in wanted]
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice; rename one of them.")
    return table


def read_columns(path: Path, wanted: Collection[str]) -> list[str]:
    """Read the names of a file's columns, and nothing else of it.

    Raises
    ------
    DataError
        As `read_table` does.
    """
    _require_file(path)
    try:
        if path.suffix == ".parquet":
            return read_names(path)
        return list(read_header(split_lines(read_file(path)), wanted, origin=str(path)).columns)
    except (OSError, ValueError, LookupError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"Cannot read {path}: {reason}. Is it a whole {path.suffix} file?") from error


def _require_file(path: Path) -> None:
    if path.suffix not in (".csv", ".parquet"):
        raise DataError(f"{path} is neither .csv nor .parquet; convert it to one of them.")
    if not path.is_file():
        raise DataError(f"There is no file {path}; check data.path and --data-root.")


def _read_csv(path: Path, wanted: Collection[str], is_row: IsRow) -> Table:
    header, rows, _ = scan_csv(read_file(path), wanted, is_row, origin=str(path))
    read = [row for row in rows if row.cells is not None]
    columns = zip(*(row.cells for row in read), strict=True) if read else ((),) * len(header.columns)
    cells = {place: pd.Series(list(column), dtype=object) for place, column in enumerate(columns)}
    table = pd.DataFrame(cells)
    table.columns = pd.Index(header.columns, dtype=object)
    table.index = pd.Index([row.first + 1 for row in read], dtype=np.int64)
    return Table(table, tuple(row.first + 1 for row in rows if row.cells is None))


def scan_csv(
    content: bytes, wanted: Collection[str], is_row: IsRow, *, origin: str
) -> tuple[Header, list[Row], list[bytes]]:
    """Cut a CSV file into rows, and give its lines beside them."""
    lines = split_lines(content)
    header = read_header(lines, wanted, origin=origin)
    places = {name: place for place, name in reversed(list(enumerate(header.columns))) if name in wanted}

    def stands_alone(cells: Cells) -> bool:
        return is_row({name: cells[place] for name, place in places.items()})

    return header, list(read_lines(lines, header, stands_alone)), lines
