"""Bring what is new of a source into the history, batch by batch: what was committed stays, whatever comes after."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from client.shop.export.conversion import Converted, Converter
from client.shop.export.sieve import add_up
from client.shop.history.appending import Import
from client.shop.history.entry import Entry
from client.shop.history.history import History
from client.shop.settings import Shop, SourceSettings
from client.shop.source.opening import open_source
from client.shop.source.source import Batch, Source
from common.data.usable import LeftOut

COMMIT_SECONDS = 5.0  # what an interruption may cost at most


@dataclass
class SourceImport:
    """One source and the history that it is read into.

    Attributes
    ----------
    entry
        What it changed; None until all steps are done, and where the very same was imported before.
    """

    history: History
    shop: Shop
    settings: SourceSettings
    folder: Path
    entry: Entry | None = None
    notes: list[LeftOut] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def steps(self) -> Iterator[int]:
        """Import, and yield how many rows have been read so far; a file that was imported as it is is not read again.

        Raises
        ------
        DataError
            The source cannot be opened, goes away, or lacks what `shop.toml` says of it; what was committed stays.
        """
        name, source = self.settings.name, open_source(self.settings, self.folder)
        after = self.history.cursor(name, fingerprint=source.fingerprint)
        with self.history.begin(
            name,
            fingerprint=source.fingerprint,
            origin=self._origin,
            after=after,
            numbering=self.settings.same_as or name,
        ) as importing:
            if importing.same_as is None:
                yield from self._read(source, importing, after)
                self.entry = importing.finish()

    def _read(self, source: Source, importing: Import, after: str) -> Iterator[int]:
        converter, num_rows, last = Converter(self.settings, self.shop), 0, time.monotonic()
        for batch in source.batches(after):
            self._take(importing, converter.convert(batch), batch)
            num_rows += batch.rows.num_rows
            yield num_rows
            if importing.is_full or (batch.cursor and time.monotonic() - last > COMMIT_SECONDS):
                importing.commit()
                last = time.monotonic()
        self._take(importing, converter.finish(), None)
        self.notes[:] = add_up(self.notes)

    def _take(self, importing: Import, converted: Converted, batch: Batch | None) -> None:
        for kind, records in converted.records.items():
            if records.num_rows:
                importing.append(kind, records)
        if converted.left_out:
            importing.left_out(list(converted.left_out))
        self.notes += converted.notes  # added up at the end
        if batch is not None:
            self.remarks += [remark for remark in batch.notes if remark not in self.remarks]
            if batch.cursor:
                importing.remember(batch.cursor)

    @property
    def _origin(self) -> str:
        table = f", {self.settings.table}" if self.settings.table else ""
        return f"{self.settings.location}{table}"
