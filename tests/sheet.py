"""Read a workbook that a command wrote: the name on its only tab, and its rows."""

from pathlib import Path

import openpyxl


def read_sheet(path: Path) -> tuple[str, list[tuple[object, ...]]]:
    (sheet,) = openpyxl.load_workbook(path).worksheets
    return sheet.title, list(sheet.iter_rows(values_only=True))
