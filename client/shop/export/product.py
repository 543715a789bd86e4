"""What products are called: from the lines they were sold in, or from a table of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from client.shop.export.cells import Cells
from client.shop.export.order import ROW
from client.shop.export.order_line import name_products
from client.shop.export.sieve import Sieve
from client.shop.record import schema_of


class ProductNames:
    """Gives each name of each product once."""

    def __init__(self) -> None:
        self._given: set[tuple[str, str, str]] = set()

    def convert(self, cells: Cells, sieve: Sieve) -> pa.Table:
        """Give the names that did not come before, of lines that became records."""
        if not (cells.has("title") or cells.has("category")):
            return schema_of("products").empty_table()
        row = cells.rows[ROW].combine_chunks()
        columns = {"product": name_products(cells), "name": cells.text("title"), "category": cells.text("category")}
        return self.give(pa.table({ROW: row, **columns}).filter(pa.array(sieve.kept)))

    def give(self, rows: pa.Table) -> pa.Table:
        """Give the rows that say something for the first time."""
        schema = schema_of("products")
        first = rows.group_by(["product", "name", "category"], use_threads=False).aggregate([(ROW, "min")])
        said = list(zip(*(first[name].to_pylist() for name in ("product", "name", "category")), strict=True))
        new = np.array([each not in self._given for each in said], bool)
        self._given.update(said)
        first = first.rename_columns({f"{ROW}_min": ROW}).filter(pa.array(new, pa.bool_()))
        first = first.append_column("updated", pa.nulls(len(first), pa.timestamp("us")))
        return first.select(schema.names).cast(schema).combine_chunks()
