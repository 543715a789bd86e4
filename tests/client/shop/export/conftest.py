import csv
from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from client.shop.export.conversion import Converted, Converter, merge
from client.shop.settings import Dialect, Shop, SourceSettings
from client.shop.source.source import Batch, Look

Convert = Callable[..., Converted]


def read_rows(text: str, separator: str = ",") -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(text.strip("\n").splitlines(), delimiter=separator)
    return header, [row + [""] * (len(header) - len(row)) for row in rows]


def as_batch(header: list[str], rows: list[list[str]], places: Iterable[int]) -> Batch:
    columns = {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(header)}
    return Batch(pa.table(columns), np.array(list(places), np.int64))


def convert_rows(
    header: list[str], rows: list[list[str]], settings: SourceSettings, shop: Shop, cuts: Iterable[int] = ()
) -> Converted:
    """Convert rows in batches that end at `cuts`; a row's place is its line in a text editor."""
    converter = Converter(settings, shop)
    bounds = [0, *sorted(cuts), len(rows)]
    parts = [
        converter.convert(as_batch(header, rows[start:end], range(start + 2, end + 2)))
        for start, end in pairwise(bounds)
    ]
    return merge((*parts, converter.finish()))


@pytest.fixture
def shop() -> Shop:
    return Shop(name="tea", time_zone="Europe/Berlin", currency="EUR", rates={"USD": 0.9, "CNY": 0.13})


@pytest.fixture
def convert(shop: Shop) -> Convert:
    """Convert the text of one export, or of several that one pattern names; keywords are the source's settings."""

    def run(text: str | list[str], format_: str = "table", *, separator: str = ",", **settings) -> Converted:
        source = SourceSettings(name="orders", location="orders.csv", format=format_, **settings)
        converter = Converter(source, shop)
        parts = []
        for each in [text] if isinstance(text, str) else text:
            header, rows = read_rows(each, separator)
            parts.append(converter.convert(as_batch(header, rows, range(2, len(rows) + 2))))
        return merge((*parts, converter.finish()))

    return run


@pytest.fixture
def in_batches(shop: Shop) -> Convert:
    """Convert rows in batches that end where it is said."""

    def run(header: list[str], rows: list[list[str]], cuts: Iterable[int] = (), **settings) -> Converted:
        return convert_rows(header, rows, SourceSettings(name="orders", location="orders.csv", **settings), shop, cuts)

    return run


@pytest.fixture
def look() -> Callable[..., Look]:
    """Look at the text of a table."""

    def run(text: str, *, separator: str = ",", dialect: Dialect | None = None, location: str = "orders.csv") -> Look:
        header, rows = read_rows(text, separator)
        sample = {name: tuple(row[place] for row in rows) for place, name in enumerate(header)}
        return Look(location, "", "delimited", sample, len(rows), dialect or Dialect(separator=separator))

    return run


def facts(converted: Converted, kind: str, *columns: str) -> list[tuple]:
    """List some columns of a kind of record, in the order of rows."""
    if kind not in converted.records:
        return []
    table = converted.records[kind].sort_by("row")
    return list(zip(*(table[name].to_pylist() for name in columns), strict=True))


@pytest.fixture(name="facts")
def facts_fixture() -> Callable[..., list[tuple]]:
    return facts
