"""Orders whose products stand in one cell, as "2× Mug, 1× Plate": a row a line."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa

_BETWEEN = re.compile(r",\s*(?=\d+\s*[×x]\s)")
_ITEM = re.compile(r"(\d+)\s*[×x]\s+(.+)", re.DOTALL)


def split_items(rows: pa.Table) -> pa.Table:
    """Give each product of an order's cell a row, with its title and quantity; a cell that says none keeps its row."""
    if "items" not in rows.column_names:
        return rows
    places, titles, quantities = [], [], []
    for place, cell in enumerate(rows["items"].to_pylist()):
        for item in _BETWEEN.split(cell):
            found = _ITEM.fullmatch(item.strip())
            places.append(place)
            titles.append(found[2].strip() if found else "")
            quantities.append(found[1] if found else item.strip())
    rows = rows.drop_columns(["items"]).take(pa.array(np.array(places, np.int64)))
    rows = rows.append_column("title", pa.array(titles, pa.string()))
    return rows.append_column("quantity", pa.array(quantities, pa.string())).combine_chunks()
