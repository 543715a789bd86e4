"""A merchant's files as bytes: what an audit changes, so that a round reads what it would read.

Rows that are kept are the very bytes of the file; rows that are made up are written as its format writes them. Copies
all of it: nothing is written back.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO, StringIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool

from client.data.root import Root, as_root
from client.data.rows import rows_of
from client.data.table import TEXT, read_table, scan_csv
from common.data.cells import as_names, canonical_name
from common.disk.reading import read_file
from common.plan.reads import columns_of, files_of
from common.plan.schema import DataPlan

MOST_UNREADABLE = 20  # lines that are no rows, kept as they are

Part = pd.DataFrame | bytes


@dataclass(frozen=True)
class Source:
    """The file that a plan reads, row by row, and the files beside it.

    Attributes
    ----------
    path
        Of the file, below the data root.
    rows
        Its cells, without those of any lookup.
    lines
        The bytes of each row of a CSV file; empty for a Parquet file.
    header
        The bytes before the first row.
    unreadable
        Lines that are no rows.
    lookups
        Bytes of the files beside it by their paths: lookups, and tables of what lies ahead.
    """

    path: str
    rows: pd.DataFrame = field(repr=False)
    lines: tuple[bytes, ...] = field(default=(), repr=False)
    header: bytes = b""
    separator: str = ","
    unreadable: tuple[bytes, ...] = field(default=(), repr=False)
    lookups: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def is_text(self) -> bool:
        """Whether rows are lines."""
        return self.path.endswith(".csv")

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        return self.encode([self.part(np.ones(len(self.rows), bool)), *(line + b"\n" for line in self.unreadable)])

    def part(self, chosen: Bool[np.ndarray, " row"]) -> Part:
        """Give some rows as they stand in the file."""
        if self.is_text:
            return b"".join(self.lines[place] + b"\n" for place in np.flatnonzero(chosen))
        return self.rows[chosen]

    def keep(self, chosen: Bool[np.ndarray, " row"]) -> Source:
        """Leave the other rows out."""
        lines = tuple(self.lines[place] for place in np.flatnonzero(chosen)) if self.is_text else ()
        return replace(self, rows=self.rows[chosen], lines=lines)

    def names(self, column: str) -> np.ndarray:
        """Read a column of names."""
        return as_names(self.rows[column])

    def write_lines(self, rows: pd.DataFrame) -> bytes:
        """Write rows that are made up as lines."""
        stream = StringIO()
        writer = csv.writer(stream, delimiter=self.separator, lineterminator="\n")
        writer.writerows(rows.astype(object).where(rows.notna(), "").to_numpy().tolist())
        return stream.getvalue().encode()

    def encode(self, parts: Iterable[Part]) -> bytes:
        """Write a file of these rows, in this order."""
        if self.is_text:
            texts = (part if isinstance(part, bytes) else self.write_lines(part) for part in parts)
            return self.header + b"\n" + b"".join(texts)
        tables = [part for part in parts if isinstance(part, pd.DataFrame)]
        with warnings.catch_warnings():  # of what pandas makes of a column of whole numbers and one of none
            warnings.simplefilter("ignore", FutureWarning)
            return _write_parquet(pd.concat(tables, ignore_index=True))


def lookups_with(source: Source, plan: DataPlan, copies: Mapping[str, Sequence[object]]) -> dict[str, bytes]:
    """Give copies of entities their rows in the lookups of entities: those of the entity that each is a copy of.

    Parameters
    ----------
    copies
        The new names by the name of the entity that they are copies of.
    """
    found: dict[str, bytes] = {}
    joined = [(lookup.path, lookup.column) for lookup in plan.lookups if lookup.key == plan.entity]
    joined += [(table.path, table.entity) for table in plan.ahead if table.entity]
    for path, column in joined:
        if path != source.path:
            add = _add_lines if path.endswith(".csv") else _add_rows
            found[path] = add(found.get(path, source.lookups[path]), column, copies)
    return found


def _add_lines(content: bytes, column: str, copies: Mapping[str, Sequence[object]]) -> bytes:
    lines = list(csv.reader(StringIO(content.decode(errors="replace"))))
    if not lines or column not in (header := [cell.strip() for cell in lines[0]]):
        return content
    place, stream = header.index(column), StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for cells in lines[1:]:
        for name in copies.get(canonical_name(cells[place]), ()) if len(cells) > place else ():
            writer.writerow([*cells[:place], name, *cells[place + 1 :]])
    return content.rstrip(b"\r\n") + b"\n" + stream.getvalue().encode()


def _add_rows(content: bytes, column: str, copies: Mapping[str, Sequence[object]]) -> bytes:
    rows = pq.read_table(BytesIO(content)).to_pandas()
    if column not in rows:
        return content
    names = as_names(rows[column])
    added = [
        rows.iloc[[place]].assign(**{column: pd.Series([name], index=rows.index[[place]])})
        for place, known in enumerate(names)
        for name in copies.get(known, ())
    ]
    return _write_parquet(pd.concat([rows, *added], ignore_index=True))


def read_source(plan: DataPlan, root: Root) -> Source:
    """Copy the bytes of a plan's files.

    Raises
    ------
    DataError
        As `client.data.rows.read` does.
    """
    root, is_row = as_root(root), rows_of(plan)
    path, wanted = root.find(plan.path), root.choose(plan.path, columns_of(plan))
    table = read_table(path, wanted, is_row, whole=True)
    beside = [file for file in files_of(plan) if file != plan.path]
    source = Source(plan.path, _spell_out(table.rows), lookups={file: read_file(root.find(file)) for file in beside})
    if not source.is_text:
        return source
    header, rows, lines = scan_csv(read_file(path), wanted, is_row, origin=plan.path)
    return replace(
        source,
        header=b"\n".join(lines[: header.first_row]),
        separator=header.separator,
        lines=tuple(b"\n".join(lines[row.first : row.end]) for row in rows if row.cells is not None),
        unreadable=tuple(lines[row.first] for row in rows if row.cells is None)[:MOST_UNREADABLE],
    )


def _spell_out(rows: pd.DataFrame) -> pd.DataFrame:
    """Give text as Python's, which may stand beside anything else in a column."""
    return rows.astype({place: object for place, kind in rows.dtypes.items() if kind == TEXT})


def make_source(rows: pd.DataFrame, path: str) -> Source:
    """Make the file of rows that are nowhere on a disk."""
    empty = Source(path, rows)
    if not empty.is_text:
        return empty
    lines = tuple(empty.write_lines(rows).splitlines())
    return replace(empty, lines=lines, header=empty.write_lines(rows.columns.to_frame().T).rstrip(b"\n"))


def _write_parquet(rows: pd.DataFrame) -> bytes:
    """Write a table; a column whose values have no type in common is written as text."""
    columns = {}
    for name, column in rows.items():
        try:
            columns[str(name)] = pa.array(column, from_pandas=True)
        except (pa.ArrowException, ValueError, OverflowError):
            columns[str(name)] = pa.array([text or None for text in as_names(column)], pa.string())
    stream = BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()
