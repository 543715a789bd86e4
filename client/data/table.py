"""Read a file of rows from its bytes, CSV or Parquet, whatever any row of it holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Int

from client.data.lines import Cells, Header, Row, read_header, read_lines, split_lines
from client.data.parquet import read_names, read_parquet
from client.data.window import cut_windows, open_plain
from client.data.window_reader import Part, WindowReader, read_ahead
from common.disk.reading import open_file, read_file
from common.errors import DataError

IsRow = Callable[[dict[str, str]], bool]
TEXT = pd.ArrowDtype(pa.string())


@dataclass(frozen=True)
class Table:
    """The rows of one file.

    Attributes
    ----------
    rows
        Text of a CSV file (`TEXT`), typed values of a Parquet file; those columns that were wanted, or all. The index
        is the number of the line in a text editor, or of the row from 1.
    columns
        Names of all columns of the file.
    unreadable
        Lines of a CSV file that are no rows: an open quote, more cells than the header, bytes that are no UTF-8.
    """

    rows: pd.DataFrame
    columns: tuple[str, ...]
    unreadable: tuple[int, ...] = ()


def read_table(path: Path, wanted: Collection[str], is_row: IsRow, *, whole: bool = False) -> Table:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    wanted
        Columns that the plan names, as far as they may be in this file.
    is_row
        Whether a line is a row of its own, by these cells of it: see `client.data.lines`.
    whole
        Whether the other columns are read too.

    Raises
    ------
    DataError
        The file is missing, of another kind, or holds a wanted column twice; a Parquet file is damaged. Nothing
        that depends on what a row says.
    """
    _require_file(path)
    try:
        if path.suffix == ".csv":
            table = _read_csv(path, wanted, is_row, whole=whole)
        else:
            table = _read_typed(path, wanted, whole=whole)
    except (OSError, ValueError, LookupError) as error:  # LookupError: a Parquet file with other metadata
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"Cannot read {path}: {reason}. Is it a whole {path.suffix} file?") from error
    twice = [name for name in wanted if table.columns.count(name) > 1]
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


def _read_typed(path: Path, wanted: Collection[str], *, whole: bool) -> Table:
    rows = read_parquet(path)
    columns = tuple(map(str, rows.columns))
    return Table(rows if whole else rows.loc[:, [name in wanted for name in columns]], columns)


def _read_csv(path: Path, wanted: Collection[str], is_row: IsRow, *, whole: bool) -> Table:
    with open_file(path) as stream:
        header, opened = open_plain(stream, wanted, origin=str(path))
        stands_alone = _make_test(header, wanted, is_row)
        places = [place for place, name in enumerate(header.columns) if whole or name in wanted]
        reader = WindowReader(header, places or [0], stands_alone)  # none at all would be all of them
        parts = list(read_ahead(cut_windows(opened, header, stands_alone), reader))
    first = header.first_row + np.cumsum([1, *(part.num_lines for part in parts)])
    lines = [part.places + start for part, start in zip(parts, first, strict=False)]
    unreadable = (line + start for part, start in zip(parts, first, strict=False) for line in part.unreadable)
    rows = pd.DataFrame({place: _join_column(parts, place) for place in range(len(places))}, index=_number(lines))
    rows.columns = pd.Index([header.columns[place] for place in places], dtype=object)
    return Table(rows, header.columns, tuple(map(int, unreadable)))


def _join_column(parts: Sequence[Part], place: int) -> pd.api.extensions.ExtensionArray:
    """Put the cells of one column below each other, as Arrow's text: a tenth of the memory of Python's."""
    chunks = [chunk for part in parts for chunk in part.rows.column(place).chunks]
    return pd.array(pa.chunked_array(chunks, pa.string()), dtype=TEXT)


def _number(lines: Sequence[Int[np.ndarray, " _"]]) -> pd.Index:
    """Give rows the number of the line that each begins on; a range where each stands on the next line."""
    number = np.concatenate(lines) if lines else np.zeros(0, np.int64)
    if len(number) and (np.diff(number) == 1).all():
        return pd.RangeIndex(int(number[0]), int(number[-1]) + 1)
    return pd.Index(number, dtype=np.int64)


def _make_test(header: Header, wanted: Collection[str], is_row: IsRow) -> Callable[[Cells], bool]:
    places = {name: place for place, name in reversed(list(enumerate(header.columns))) if name in wanted}

    def stands_alone(cells: Cells) -> bool:
        return is_row({name: cells[place] for name, place in places.items()})

    return stands_alone


def scan_csv(
    content: bytes, wanted: Collection[str], is_row: IsRow, *, origin: str
) -> tuple[Header, list[Row], list[bytes]]:
    """Cut a CSV file into rows, and give its lines beside them."""
    lines = split_lines(content)
    header = read_header(lines, wanted, origin=origin)
    return header, list(read_lines(lines, header, _make_test(header, wanted, is_row))), lines
