"""A purchase order for each supplier: a workbook that can be sent as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from client.shop.settings import Shop
from common.disk.file import write_whole
from common.errors import ConfigError

COLUMNS = ("Line", "Product", "Name", "Quantity", "Unit cost", "Amount")


def write_purchase_orders(
    table: pa.Table, shop: Shop, folder: Path, *, kind: str = ".xlsx", only: tuple[str, date] | None = None
) -> list[Path]:
    """Write a file for each supplier and day of order; one of the same number is replaced.

    Parameters
    ----------
    table
        All proposals: a supplier's number depends on who else there is, not on who is ordered from.
    only
        This supplier and day alone, under the number that it has among all.

    Raises
    ------
    ConfigError
        The folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"--purchase-orders {folder} cannot be made: {error.strerror}; name another folder."
        ) from error
    written, called = list[Path](), _call(table)
    for (supplier, day), rows in _by_supplier(table):
        if only is not None and (supplier, day) != only:
            continue
        number = f"PO-{day:%Y%m%d}-{called[supplier]}"
        path = folder / f"{number}{kind}"
        write_whole(path, _write_book(number, supplier, day, rows, shop))
        written.append(path)
    return written


def _by_supplier(table: pa.Table) -> Iterator[tuple[tuple[str, date], list[dict[str, Any]]]]:
    found: dict[tuple[str, date], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        if row["quantity"]:
            found.setdefault((row["supplier"] or "", row["order_day"]), []).append(row)
    yield from sorted(found.items())


def _call(table: pa.Table) -> dict[str, str]:
    """Call each supplier so that it can be in a file's name; two whose names are one then are told apart."""
    called, taken = dict[str, str](), Counter[str]()
    for supplier in sorted({name or "" for name in table["supplier"].to_pylist()}):
        plain = _plain(supplier)
        taken[plain.casefold()] += 1
        number = taken[plain.casefold()]
        called[supplier] = plain if number == 1 else f"{plain}~{number}"
    return called


def _plain(name: str) -> str:
    """Write a name so that it can be one of a file."""
    return re.sub(r"[^\w]+", "-", name).strip("-")[:60] or "no-supplier"


def _write_book(number: str, supplier: str, day: date, rows: list[dict[str, Any]], shop: Shop) -> bytes:
    """Write text as text, whatever it begins with: a product called =1+1 is no formula."""
    from openpyxl import Workbook  # type: ignore[import-untyped]
    from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
    from openpyxl.styles import Font  # type: ignore[import-untyped]

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Purchase order")
    sheet.column_dimensions["B"].width = sheet.column_dimensions["C"].width = 32

    def add(values: tuple[object, ...], *, bold: bool = False) -> None:
        cells = [WriteOnlyCell(sheet, value) for value in values]
        for cell, value in zip(cells, values, strict=True):
            cell.data_type = "s" if isinstance(value, str) else cell.data_type
            cell.font = Font(bold=bold)
        sheet.append(cells)

    wanted = max(row["arrives"] for row in rows)
    heads = (("Purchase order", number), ("From", shop.name), ("To", supplier), ("Day", day), ("Expected by", wanted))
    for head in heads:
        add(head)
    add(("Currency", shop.currency))
    add(())
    add(COLUMNS, bold=True)
    for place, row in enumerate(rows, start=1):
        add((place, row["product"], row["name"], row["quantity"], row["unit_cost"], row["cash"]))
    add(("", "", "Total", "", "", sum(row["cash"] or 0.0 for row in rows)), bold=True)
    stream = BytesIO()
    book.save(stream)
    return stream.getvalue()
