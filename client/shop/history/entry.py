"""The journal: what each import changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from client.shop.record import Kind
from common.data.usable import LeftOut

EntryState = Literal["done", "partial", "undone"]


@dataclass(frozen=True)
class Counts:
    """What became of the records of one kind, each counted once.

    Attributes
    ----------
    new
        Records that the history did not have.
    replaced
        Records that it had in an older version.
    same
        Records that it had as they are.
    older
        Records that it had in a newer version.
    """

    new: int = 0
    replaced: int = 0
    same: int = 0
    older: int = 0


@dataclass(frozen=True)
class Entry:
    """One import.

    Attributes
    ----------
    at
        When it began, in UTC.
    source, origin
        Name and location of the source, as `shop.toml` has them.
    fingerprint
        Of what was read; "" where that was not known.
    state
        `partial` is under way, or ended before its source did; what it committed counts. `undone` counts for nothing.
    counts
        By kind, kinds without records left out.
    """

    number: int
    at: datetime
    source: str
    origin: str
    fingerprint: str
    state: EntryState
    counts: dict[Kind, Counts] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
