"""Reading a shop's export and adding it up to daily demand, beside pandas alone.

Three exports of the same orders: UTF-8 with commas, GB18030 with Chinese names, and Windows-1252 with semicolons,
decimal commas and days first. pandas does it twice: all columns, as one begins, and only those that are needed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from jaxtyping import Float, Int

from client.shop.settings import Dialect, SourceSettings
from client.shop.source.cells import read_days, read_numbers
from client.shop.source.opening import open_source
from common.errors import DataError
from simulation.bench.clock import compare, describe_timings, peak_bytes, time_side_by_side

LINES, QUICK_LINES, WARM_LINES = 1_000_000, 20_000, 1000
PRODUCTS, CUSTOMERS, SPAN_DAYS, CHUNK_LINES = 20_000, 500_000, 1000, 100_000
DAY_COLUMN, PRODUCT_COLUMN, UNITS_COLUMN = "Paid at", "SKU", "Units"
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Export:
    """How one export is written."""

    dialect: Dialect
    title: str
    clock: str

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.dialect.encoding}.csv"


EXPORTS = (
    Export(Dialect(), "Product no.", "%Y-%m-%d %H:%M:%S"),
    Export(Dialect(encoding="gb18030"), "红色茶杯，大号", "%Y-%m-%d %H:%M:%S"),
    Export(
        Dialect(encoding="cp1252", separator=";", decimal=",", thousands=".", dates="dmy"),
        "Größe für Gäste",
        "%d.%m.%Y %H:%M:%S",
    ),
)


def time_reading(*, lines: int, patience_seconds: float) -> Iterator[dict[str, Any]]:
    """Time each export, and measure the memory that each way takes.

    Raises
    ------
    DataError
        The two ways do not add up to the same.
    """
    with TemporaryDirectory() as folder:
        for number, export in enumerate(EXPORTS):
            path = Path(folder) / export.name
            write_export(path, export, lines)
            write_export(path.with_suffix(".warm.csv"), export, WARM_LINES)
            yield _time_export(path, number, lines, patience_seconds)
            path.unlink()


def _time_export(path: Path, number: int, lines: int, patience_seconds: float) -> dict[str, Any]:
    ways = {"hansa": read_with_hansa, "pandas": read_with_pandas, "pandas_columns": read_with_few_columns}
    sums = {name: way(str(path), number, warm=False) for name, way in ways.items()}
    if len(set(sums.values())) > 1:
        raise DataError(f"The ways of reading do not agree about {path.name}: {sums}.")
    timings = time_side_by_side(
        {name: lambda way=way: way(str(path), number, warm=False) for name, way in ways.items()},  # type: ignore[misc]
        patience_seconds=patience_seconds,
    )
    peaks = {name: peak_bytes(way, str(path), number) for name, way in ways.items()}
    memory = {"of": "hansa", "to": "pandas", "what": "peak_bytes", "ratio": peaks["hansa"] / max(peaks["pandas"], 1)}
    return {
        "encoding": EXPORTS[number].dialect.encoding,
        "lines": lines,
        "file_bytes": path.stat().st_size,
        "timings": describe_timings(timings),
        "peak_bytes": peaks,
        "comparisons": [
            compare(timings, "pandas", "hansa"),
            compare(timings, "pandas_columns", "hansa"),
            memory,
        ],
    }


def read_with_hansa(path: str, number: int, *, warm: bool) -> tuple[int, float]:
    """Read an export by hansa's way; give how many days of products have demand, and all of it."""
    place, dialect = _place(path, warm=warm), EXPORTS[number].dialect
    columns = {"day": DAY_COLUMN, "product": PRODUCT_COLUMN, "quantity": UNITS_COLUMN}
    settings = SourceSettings(name="bench", location=place.name, dialect=dialect, columns=columns)
    products, days, units, zone = list[pa.Array](), list[np.ndarray](), list[np.ndarray](), ZoneInfo("Europe/Berlin")
    for batch in open_source(settings, place.parent).batches():
        products.append(batch.rows[PRODUCT_COLUMN].combine_chunks().dictionary_encode())
        days.append(read_days(batch.rows[DAY_COLUMN], dialect, zone)[0].view(np.int64).astype(np.int32))
        units.append(read_numbers(batch.rows[UNITS_COLUMN], dialect))
    codes = pa.chunked_array(products).unify_dictionaries()
    product = np.concatenate([chunk.indices.to_numpy() for chunk in codes.chunks])
    demand = add_up(product, np.concatenate(days), np.concatenate(units))
    return len(demand), float(demand.sum())


def add_up(
    product: Int[np.ndarray, " line"], day: Int[np.ndarray, " line"], units: Float[np.ndarray, " line"]
) -> Float[np.ndarray, " cell"]:
    """Add up what was sold of each product on each day; only where a line says so.

    Days stand outside, products within: exports are in order of time, so neighbours in the file are neighbours here.
    """
    first, num_products = int(day.min()), int(product.max()) + 1
    cell = (day - first).astype(np.int64) * num_products + product
    demand = np.bincount(cell, weights=units)
    is_there = np.zeros(len(demand), bool)
    is_there[cell] = True
    return demand[is_there]


def read_with_pandas(path: str, number: int, *, warm: bool) -> tuple[int, float]:
    """Do the same by pandas alone, as one begins."""
    return _add_up_with_pandas(_place(path, warm=warm), EXPORTS[number], None)


def read_with_few_columns(path: str, number: int, *, warm: bool) -> tuple[int, float]:
    """Do the same by pandas alone, which is told what columns are needed."""
    return _add_up_with_pandas(_place(path, warm=warm), EXPORTS[number], [DAY_COLUMN, PRODUCT_COLUMN, UNITS_COLUMN])


def _add_up_with_pandas(path: Path, export: Export, columns: list[str] | None) -> tuple[int, float]:
    dialect = export.dialect
    rows = pd.read_csv(
        path,
        sep=dialect.separator,
        encoding=dialect.encoding,
        decimal=dialect.decimal,
        thousands=dialect.thousands or None,
        usecols=columns,
    )
    rows["day"] = pd.to_datetime(rows[DAY_COLUMN], format=export.clock).dt.normalize()
    demand = rows.groupby([PRODUCT_COLUMN, "day"])[UNITS_COLUMN].sum()
    return len(demand), float(demand.sum())


def _place(path: str, *, warm: bool) -> Path:
    return Path(path).with_suffix(".warm.csv") if warm else Path(path)


def write_export(path: Path, export: Export, lines: int, *, seed: int = 0) -> None:
    """Write an invented export of so many order lines, in order of time."""
    generator = np.random.default_rng(seed)
    with path.open("wb") as file:
        for first in range(0, lines, CHUNK_LINES):
            rows = _draw_lines(generator, export, first, min(CHUNK_LINES, lines - first), lines)
            stream = io.BytesIO()
            options = pyarrow.csv.WriteOptions(
                include_header=first == 0,
                delimiter=export.dialect.separator,
                quoting_style="none",
                quoting_header="none",
            )
            pyarrow.csv.write_csv(rows, stream, options)
            file.write(stream.getvalue().decode().encode(export.dialect.encoding))


def _draw_lines(generator: np.random.Generator, export: Export, first: int, size: int, lines: int) -> pa.Table:
    step = SPAN_DAYS * 86_400 / lines
    seconds = ((first + np.sort(generator.random(size)) * size) * step).astype("timedelta64[s]")
    moments = pa.array(np.datetime64("2022-01-01T00:00:00") + seconds)
    product = pc.cast(pa.array(generator.integers(0, PRODUCTS, size)), pa.string())
    price = pc.cast(pa.array(generator.integers(100, 9999, size) / 100), pa.string())
    customer = pc.cast(pa.array(generator.integers(0, CUSTOMERS, size)), pa.string())
    return pa.table({
        "Order": pa.array(np.arange(first, first + size) + 1_000_000),
        DAY_COLUMN: pc.strftime(moments, format=export.clock),
        PRODUCT_COLUMN: pc.binary_join_element_wise("SKU", product, "-"),
        "Title": pc.binary_join_element_wise(export.title, product, " "),
        UNITS_COLUMN: pa.array(generator.integers(1, 5, size)),
        "Price": pc.replace_substring(price, ".", export.dialect.decimal),
        "Customer": pc.binary_join_element_wise("customer", customer, "-"),
        "Note": pa.array([""] * size),
    })  # fmt: skip
