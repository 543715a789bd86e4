"""Excel workbooks, old and new, and OpenDocument: each sheet is a table.

A cell is written as text in the way of the source's dialect: a number with its decimal mark, a day as 2024-01-05. A
column has no type then, and a word in one row changes nothing about another row. Titles above the header and empty
rows are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum

from client.shop.settings import Dialect, SourceSettings
from client.shop.source.columns import Columns, choose_columns
from client.shop.source.day_order import guess_dates
from client.shop.source.delimited import fingerprint_of
from client.shop.source.header import find_header
from client.shop.source.number_style import guess_numbers, has_pointed_days
from client.shop.source.source import NUM_SAMPLES, Batch, Look
from common.disk.reading import require_file
from common.errors import DataError

BATCH_ROWS = 50_000
LOOKED_AT = 2000  # rows in which header and dialect are looked for


class SheetSource:
    """One sheet of a workbook."""

    def __init__(self, path: Path, settings: SourceSettings) -> None:
        self._path = path
        self._settings = settings

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the file, and of what its cells are read as."""
        return fingerprint_of(self._path, self._settings)

    def batches(self, after: str = "") -> Iterator[Batch]:
        """Read the rows; a workbook has no cursor, it is read as a whole."""
        sheet = self._find_sheet(open_workbook(self._path))
        dialect = self._settings.dialect or Dialect()
        origin, rows = f"{self._path}, sheet {sheet.name!r}", read_rows(sheet, dialect)
        header_row = dialect.header_row if self._settings.dialect else find_header(_head(sheet), origin=origin)[0]
        header = next(islice(rows, header_row - 1, None), None)
        if header is None:
            raise DataError(
                f"{origin} ends before row {header_row}, where its header should be; mend dialect.header_row."
            )
        columns, place = choose_columns(_names(header), self._settings, origin=origin), header_row + 1
        while batch := list(islice(rows, BATCH_ROWS)):
            yield make_batch(batch, columns, place)
            place += len(batch)

    def _find_sheet(self, workbook: CalamineWorkbook) -> CalamineSheet:
        names = _sheet_names(workbook)
        name = self._settings.table or (names[0] if names else "")
        if name not in names:
            raise DataError(f"{self._path} has no sheet {name!r}; it has {', '.join(names) or 'none'}.")
        return workbook.get_sheet_by_name(name)


def look_workbook(path: Path, location: str) -> tuple[Look, ...]:
    """Look at each sheet that holds a table.

    Raises
    ------
    DataError
        The file cannot be read, or no sheet holds one.
    """
    workbook, looks, faults = open_workbook(path), list[Look](), list[str]()
    for name in _sheet_names(workbook):
        try:
            looks.append(_look_sheet(workbook.get_sheet_by_name(name), location, f"{path}, sheet {name!r}"))
        except (DataError, CalamineError) as error:
            faults.append(str(error))
    if not looks:
        raise DataError(faults[0] if faults else f"{path} has no sheet; give a workbook with a table.")
    return tuple(looks)


def _look_sheet(sheet: CalamineSheet, location: str, origin: str) -> Look:
    head = _head(sheet)
    header_row, why_header = find_header(head, origin=origin)
    settings = SourceSettings(name="look", location=location)
    columns = choose_columns(_names(head[header_row - 1]), settings, origin=origin)
    texts = _texts(sheet, header_row, columns)
    decimal, thousands, why_number = guess_numbers(texts, is_continental=has_pointed_days(texts))
    dates, why_dates = guess_dates(texts, prefer_day=decimal == ",", origin=origin)
    dialect = Dialect(decimal=decimal, thousands=thousands, dates=dates, header_row=header_row)
    step = -(-sheet.height // NUM_SAMPLES) or 1
    chosen, num_rows = list[list[str]](), 0
    for row in islice(read_rows(sheet, dialect), header_row, None):
        if any(row):
            chosen += [row] if num_rows % step == 0 else []
            num_rows += 1
    sample = {
        name: tuple(row[place] for row in chosen) for name, place in zip(columns.names, columns.places, strict=True)
    }
    evidence = tuple(sentence for sentence in (why_header, why_number, why_dates, *columns.notes) if sentence)
    return Look(location, sheet.name, "sheet", sample, num_rows, dialect, evidence, columns.doubled)


def _texts(sheet: CalamineSheet, header_row: int, columns: Columns) -> dict[str, list[str]]:
    """Give the cells that are typed as text, which alone have a dialect."""
    values = list(islice(sheet.iter_rows(), header_row, header_row + LOOKED_AT))
    return {
        name: [cell for cell in (row[place] for row in values) if isinstance(cell, str)]
        for name, place in zip(columns.names, columns.places, strict=True)
    }


def open_workbook(path: Path) -> CalamineWorkbook:
    """Open a workbook.

    Raises
    ------
    DataError
        It is protected by a password, or is no whole workbook.
    """
    try:
        require_file(path)
        return CalamineWorkbook.from_path(path)
    except PasswordError as error:
        raise DataError(f"{path} is protected by a password; save it without one.") from error
    except (CalamineError, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"Cannot read {path} as a workbook ({reason}); save it again from the spreadsheet.") from error


def read_rows(sheet: CalamineSheet, dialect: Dialect) -> Iterator[list[str]]:
    """Read the rows of a sheet as text, from its first one on."""
    for row in sheet.iter_rows():
        yield [write_cell(value, dialect) for value in row]


def write_cell(value: object, dialect: Dialect) -> str:
    """Write what a cell holds in the way of the dialect; days with the year first, which every dialect reads."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        whole = float(value).is_integer() and abs(value) < 1e15
        return str(int(value)) if whole else repr(float(value)).replace(".", dialect.decimal)
    if isinstance(value, datetime):
        has_time = value.time() != time(0)
        return value.isoformat(sep=" ", timespec="seconds") if has_time else value.date().isoformat()
    return value.isoformat() if isinstance(value, date | time) else str(value) if isinstance(value, timedelta) else ""


def make_batch(rows: Sequence[list[str]], columns: Columns, first_place: int) -> Batch:
    """Lay rows out as columns; empty rows are left out."""
    there = [(place, row) for place, row in enumerate(rows, start=first_place) if any(row)]
    table = {
        name: pa.array([row[number] for _, row in there], pa.string())
        for name, number in zip(columns.names, columns.places, strict=True)
    }
    return Batch(pa.table(table), np.array([place for place, _ in there], np.int64), notes=columns.notes)


def _names(row: Sequence[str]) -> list[str]:
    return [" ".join(cell.split()) for cell in row]


def _head(sheet: CalamineSheet) -> list[list[str]]:
    """Give the first rows, each up to its last cell that is not empty."""
    rows = islice(read_rows(sheet, Dialect()), LOOKED_AT)
    return [row[: max((number for number, cell in enumerate(row, start=1) if cell), default=0)] for row in rows]


def _sheet_names(workbook: CalamineWorkbook) -> list[str]:
    return [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
