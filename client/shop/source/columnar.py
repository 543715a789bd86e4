"""Parquet, row group by row group: typed columns, of which a value that cannot be read costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from client.shop.settings import Dialect, SourceSettings
from client.shop.source.columns import choose_columns
from client.shop.source.day_order import guess_dates
from client.shop.source.delimited import fingerprint_of
from client.shop.source.number_style import guess_numbers, has_pointed_days
from client.shop.source.source import NUM_SAMPLES, Batch, Look
from common.disk.reading import require_file
from common.errors import DataError

BATCH_ROWS = 100_000
LARGEST_WHOLE = 2.0**53
MOST_GROUPS = 10  # that are looked at


class ParquetSource:
    """One file."""

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self._path = path
        self._settings = settings

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file, and of what its columns are read as."""
        return fingerprint_of(self._path, self._settings)

    def batches(self, after: str = "") -> Iterator[Batch]:
        """Read the rows; a file has no cursor, it is read as a whole."""
        try:
            with _open(self._path) as file:
                columns = choose_columns(file.schema_arrow.names, self._settings, origin=str(self._path))
                place, notes = 1, columns.notes
                for batch in file.iter_batches(BATCH_ROWS, columns=list(columns.names)):
                    rows = mend(pa.table(batch)).select(list(columns.names))
                    yield Batch(rows, np.arange(place, place + len(rows)), notes=notes)
                    place, notes = place + len(rows), ()
        except (pa.ArrowException, OSError) as error:
            raise _explain(self._path, error) from error


def look_parquet(path: Path, location: str) -> Look:
    """Look at one file: rows of row groups spread over it.

    Raises
    ------
    DataError
        It is no whole Parquet file.
    """
    try:
        with _open(path) as file:
            settings = SourceSettings(name="look", location=location)
            columns = choose_columns(file.schema_arrow.names, settings, origin=str(path))
            tables = [mend(table) for table in _read_groups(file, list(columns.names))]
            num_rows = file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _explain(path, error) from error
    sample = {
        name: tuple(text for table in tables for text in map(_write, table[name].to_pylist())) for name in columns.names
    }
    texts = {name: list(sample[name]) for name in columns.names if _is_text(file.schema_arrow.field(name).type)}
    decimal, thousands, why_number = guess_numbers(texts, is_continental=has_pointed_days(texts))
    dates, why_dates = guess_dates(texts, prefer_day=decimal == ",", origin=str(path))
    dialect = Dialect(decimal=decimal, thousands=thousands, dates=dates)
    evidence = tuple(sentence for sentence in (why_number, why_dates, *columns.notes) if sentence)
    return Look(
        location, "", "parquet", sample, num_rows, dialect if dialect != Dialect() else None, evidence, columns.doubled
    )


def mend(table: pa.Table) -> pa.Table:
    """Make every value one that can be read by itself: bytes that are no UTF-8 are replaced, lists become text."""
    return pa.table({name: _mend_column(table[name]) for name in table.column_names})


def _mend_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_nested(kind):
        return pa.chunked_array(
            [pa.array([None if each is None else str(each) for each in column.to_pylist()], pa.string())]
        )
    if _is_text(kind):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            column = column.cast(pa.large_binary(), safe=False)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        texts = [None if each is None else each.decode(errors="replace") for each in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    return column


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _write(value: object) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE:
        return str(int(value))  # a gap in a column of whole numbers makes them 12.0
    return "" if value is None else str(value)


def _read_groups(file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.Table]:
    groups = np.unique(np.linspace(0, file.num_row_groups - 1, MOST_GROUPS).astype(int)) if file.num_row_groups else ()
    for group in groups:
        batch = next(file.iter_batches(NUM_SAMPLES // len(groups), row_groups=[int(group)], columns=columns), None)
        if batch is not None:
            yield pa.table(batch)


def _open(path: Path) -> pq.ParquetFile:
    require_file(path)
    return pq.ParquetFile(path)


def _explain(path: Path, error: Exception) -> DataError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return DataError(f"Cannot read {path}: {reason}. Is it a whole Parquet file?")
