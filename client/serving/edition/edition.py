"""An edition: everything that is served, made of one state of the shop; it never changes once it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from client.serving.edition.forecasts import Forecasts, arrange
from client.serving.edition.part import Name, Part
from common import __version__
from common.errors import DataError


class Imprint(BaseModel):
    """What an edition is, as `edition.json` keeps it.

    Attributes
    ----------
    name
        The beginning of its key, and when it was made; by it an answer says where it comes from.
    key
        Hash over everything that it depends on (`client.serving.key`).
    day
        The shop's own, on which it was made.
    version
        Of hansa.
    parts
        Names of those that are there.
    troubles
        Part → why it is not there, in a sentence.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: str
    key: str
    made: datetime
    day: date
    shop: str
    currency: str
    time_zone: str
    version: str = __version__
    parts: tuple[Name, ...]
    troubles: dict[Name, str]


class NotThere(DataError):
    """Report a part that could not be made; the text says why."""


@dataclass(frozen=True)
class Edition:
    """Everything that is served, of one state of the shop.

    Guarantee: nothing in it changes; who has taken it answers wholly from it, whatever is current by then.
    """

    imprint: Imprint
    parts: Mapping[Name, Part]

    @property
    def name(self) -> str:
        """By which every answer names it."""
        return self.imprint.name

    @property
    def tag(self) -> str:
        """Its name as an entity tag of HTTP."""
        return f'"{self.imprint.name}"'

    def part(self, name: Name) -> Part:
        """Give a part.

        Raises
        ------
        NotThere
            It could not be made.
        """
        if name not in self.parts:
            raise NotThere(self.imprint.troubles.get(name, "It was not made; ask for a new edition."))
        return self.parts[name]

    def rows(self, name: Name) -> pa.Table:
        """Give the rows of a part.

        Raises
        ------
        NotThere
            It could not be made.
        """
        table = self.part(name).table
        return pa.table({}) if table is None else table

    @cached_property
    def by_day(self) -> Forecasts:
        """Give the forecasts of the next 28 days; NotThere where they could not be made."""
        return self._arrange("day")

    @cached_property
    def by_week(self) -> Forecasts:
        """Give the forecasts of the next weeks; NotThere where they could not be made."""
        return self._arrange("week")

    def _arrange(self, by: Name) -> Forecasts:
        part = self.part(by)
        return arrange(self.rows(by), part.document)
