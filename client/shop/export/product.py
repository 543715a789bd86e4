"""What products are called, from the lines they were sold in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from client.shop.export.description import NAMING
from client.shop.export.order import ROW
from client.shop.export.sieve import Sieve
from client.shop.export.text import first_filled, nothing
from client.shop.record import schema_of


class ProductNames:
    """Gives each name of each product once."""

    def __init__(self) -> None:
        self._given: set[tuple[str, str, str]] = set()

    def convert(self, rows: pa.Table, sieve: Sieve) -> pa.Table:
        """Give the names that did not come before, of lines that became records."""
        schema = schema_of("products")
        if not {"title", "category"} & set(rows.column_names):
            return schema.empty_table()
        kept = rows.filter(pa.array(sieve.kept))
        size = len(kept)
        product = first_filled([_text(kept, name) for name in NAMING if name in kept.column_names], size)
        texts = [product, _text(kept, "title"), _text(kept, "category")]
        named = pa.table({ROW: kept[ROW], "product": texts[0], "name": texts[1], "category": texts[2]})
        first = named.group_by(["product", "name", "category"], use_threads=False).aggregate([(ROW, "min")])
        given = list(zip(*(first[name].to_pylist() for name in ("product", "name", "category")), strict=True))
        new = np.array([each not in self._given for each in given], bool)
        self._given.update(given)
        first = first.filter(pa.array(new, pa.bool_()))
        first = first.append_column("updated", pa.nulls(len(first), pa.timestamp("us"))).rename_columns(
            {f"{ROW}_min": ROW}
        )
        return first.select(schema.names).cast(schema).combine_chunks()


def _text(rows: pa.Table, name: str) -> pa.Array:
    return rows[name].combine_chunks() if name in rows.column_names else nothing(len(rows))
