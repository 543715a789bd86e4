"""overrides.json: what a person expects in place of what is forecast, with author, reason and what it changed.

Nothing in the file is ever forgotten: an override that is taken back stays in it with the day of that, so that it can
still be held against what happened. One file, written whole, read by every forecast of the shop's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import Field, ValidationError, model_validator

from common.disk.file import write_whole
from common.disk.lock import hold
from common.errors import ConfigError, DataError
from common.plan.reading import explain_faults, refuse_newer
from common.plan.schema import Document, Section

FILE_NAME, LOCK_NAME = "overrides.json", "overrides.lock"
Of = Literal["product", "category", "shop"]
LARGEST_FACTOR, LARGEST_NUMBER = 100.0, 1e9


class Override(Section):
    """What a person expects.

    Attributes
    ----------
    of, name
        Of a product, of the products of a category, or of the whole shop, whose name is "".
    factor
        On what would be forecast; None where `total` is given.
    total
        Of all days from `first` to `last` together, in place of what would be forecast; None where `factor` is given.
    made, removed
        Days on which it was said and taken back.
    without, with_it
        What was forecast of these days on the day it was made, without and with it.
    """

    number: Annotated[int, Field(ge=1)]
    of: Of
    name: str = ""
    first: date
    last: date
    factor: Annotated[float, Field(ge=0.0, le=LARGEST_FACTOR)] | None = None
    total: Annotated[float, Field(ge=0.0, le=LARGEST_NUMBER)] | None = None
    author: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    made: date
    removed: date | None = None
    without: float | None = None
    with_it: float | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Override:
        if (self.factor is None) == (self.total is None):
            raise ValueError("an override has either a factor or a total")
        if self.last < self.first:
            raise ValueError(f"it ends on {self.last}, before it begins on {self.first}")
        if (self.of == "shop") != (self.name == ""):
            raise ValueError("an override of the shop has no name; one of a product or category has")
        return self

    def was_active(self, day: date | None) -> bool:
        """Whether it holds: now, or on an earlier day."""
        if day is None:
            return self.removed is None
        return self.made <= day and (self.removed is None or self.removed > day)


class _File(Document):
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True)
class Overrides:
    """The overrides of a shop's folder."""

    folder: Path

    @property
    def path(self) -> Path:
        """Where they are kept."""
        return self.folder / FILE_NAME

    def read(self) -> tuple[Override, ...]:
        """Give all that were ever made, in that order.

        Raises
        ------
        DataError
            The file is damaged, or of a later version.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"Cannot read {self.path}; bring a copy back, or move it away.") from error
        try:
            found = _File.model_validate_json(text)
        except ValidationError as error:
            refuse_newer(error, self.path)
            raise DataError(
                f"{self.path} is damaged ({explain_faults(error, _File)}); bring a copy back, or move it away to "
                "forecast without anybody's overrides."
            ) from error
        return found.overrides

    def add(self, made: Override) -> Override:
        """Keep one more, under the next number."""
        with _held(self.folder):
            all_made = self.read()
            numbered = made.model_copy(update={"number": 1 + max((each.number for each in all_made), default=0)})
            self._write((*all_made, numbered))
        return numbered

    def remove(self, number: int, day: date) -> Override:
        """Take one back; it stays in the file.

        Raises
        ------
        ConfigError
            There is no such override, or it was taken back already.
        """
        with _held(self.folder):
            all_made = self.read()
            found = next((each for each in all_made if each.number == number), None)
            if found is None:
                raise ConfigError(f"There is no override {number}; see: hansa-client override list")
            if found.removed is not None:
                raise ConfigError(f"Override {number} was taken back on {found.removed} already.")
            taken = found.model_copy(update={"removed": day})
            self._write([taken if each.number == number else each for each in all_made])
        return taken

    def _write(self, overrides: Sequence[Override]) -> None:
        text = _File(overrides=tuple(overrides)).model_dump_json(indent=2)
        write_whole(self.path, f"{text}\n".encode())


def _held(folder: Path) -> FileLock:
    return hold(folder / LOCK_NAME, taken=f"Another override of {folder.resolve()} is being written; try again.")
