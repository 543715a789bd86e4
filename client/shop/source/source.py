"""What every source gives, file or database: its columns and a few rows to guess from, and all rows in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from client.shop.settings import Dialect

NUM_SAMPLES = 1000  # rows that are looked at to guess what the columns mean


@dataclass(frozen=True)
class Look:
    """A source at first sight.

    Attributes
    ----------
    location, table
        As in `client.shop.settings.SourceSettings`; a workbook or a database gives a look for each table.
    sample
        Up to `NUM_SAMPLES` rows spread over the source, as text ("" where there is nothing), a column each.
    num_rows
        Of the whole source, or about; None where that would take long.
    dialect
        Of delimited text, as guessed; None elsewhere.
    evidence
        What the dialect was guessed from, a sentence each, for a person.
    doubled
        Names of columns that are there more than once, of which none is in the sample.
    """

    location: str
    table: str
    kind: Literal["delimited", "sheet", "parquet", "database"]
    sample: dict[str, tuple[str, ...]]
    num_rows: int | None
    dialect: Dialect | None = None
    evidence: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Some rows of a source.

    Attributes
    ----------
    rows
        The source's own columns: text of delimited files, typed values of others.
    places
        Where each row stands: its line in a text editor, or its row from 1.
    unreadable
        Places of rows that cannot be read at all, left out here.
    cursor
        How far the source has been read with this batch, for `Source.batches`; "" where it cannot be continued.
    """

    rows: pa.Table
    places: Int[np.ndarray, " row"]
    unreadable: tuple[int, ...] = ()
    cursor: str = ""
    notes: tuple[str, ...] = field(default=())


@runtime_checkable
class Source(Protocol):
    """A file or a table of a database, as `shop.toml` describes it."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what would be read, where that is known before reading; "" for a database."""
        ...

    def batches(self, after: str = "") -> Iterator[Batch]:
        """Read the rows in batches of bounded size, from the cursor `after` on.

        Raises
        ------
        DataError
            It cannot be opened or goes away; batches that came before stand.
        """
        ...
