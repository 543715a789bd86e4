"""How far a table has been read, as a text that outlives the process.

A position is the key of the last row that was given, never a number of rows to skip: rows that are added or removed
elsewhere do not move it. It holds no value of any column that is no part of the key.

Marks make late rows visible. Rows are written by several hands, and one that began earlier may be written behind one
that was read already. So a position knows how many rows there were since some earlier key, and a sum over their keys;
where the table says otherwise now, everything since that mark is read once more.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

WINDOW_ROWS: Final = 10_000  # at least so many are looked at again for late ones
MARK_ROWS: Final = 2_500
FORM: Final = 1

Key = tuple[Any, ...]
Stage = Literal["empty", "values", "end"]


@dataclass(frozen=True)
class Mark:
    """A key, and the rows from behind it up to the position: how many, and the sum of their keys' hashes."""

    at: Key | None
    row: int
    count: int
    digest: int


START: Final = Mark(None, 0, 0, 0)


@dataclass(frozen=True)
class Position:
    """How far a table has been read.

    Attributes
    ----------
    by
        The table and the columns in whose order it is read, with their kinds: it means nothing in another order.
    stage
        Among the rows that have nothing in the followed column, among the others, or at the end.
    row
        How many rows have been given.
    empty, at
        Key of the last row given of either stage; None before the first.
    """

    by: tuple[str, ...]
    stage: Stage
    row: int = 0
    empty: Key | None = None
    at: Key | None = None
    marks: tuple[Mark, ...] = (START,)

    def write(self) -> str:
        """Write it as a cursor; "" where it cannot be continued, or would keep somebody's e-mail address."""
        if len(self.by) == 1 or any("@" in part for key in self._keys() for part in key if isinstance(part, str)):
            return ""
        fields = [_pack(self.empty), _pack(self.at), [[_pack(mark.at), *_numbers(mark)] for mark in self.marks]]
        return json.dumps([FORM, list(self.by), self.stage, self.row, *fields], ensure_ascii=False)

    def _keys(self) -> list[Key]:
        return [key for key in (self.empty, self.at, *(mark.at for mark in self.marks)) if key is not None]

    def advance(self, at: Key | None, *, num_rows: int, count: int, digest: int) -> Position:
        """Go on to the key `at`.

        Parameters
        ----------
        num_rows
            So many rows more have been given.
        count, digest
            Of the keys behind the old position and not behind the new one.
        """
        marks = [replace(mark, count=mark.count + count, digest=(mark.digest + digest) % 2**64) for mark in self.marks]
        row = self.row + num_rows
        if at != self.at and marks[-1].count >= MARK_ROWS:
            marks.append(Mark(at, row, 0, 0))
        while len(marks) > 1 and marks[1].count >= WINDOW_ROWS:
            del marks[0]
        return replace(self, at=at, row=row, marks=tuple(marks))

    def back(self) -> Position:
        """Go back to the first mark."""
        first = self.marks[0]
        return replace(self, at=first.at, row=first.row, marks=(replace(first, count=0, digest=0),))


def read_position(cursor: str, by: tuple[str, ...]) -> Position | None:
    """Read a cursor; None where it is of another order, or of another version of hansa."""
    try:
        form, order, stage, row, empty, at, marks = json.loads(cursor)
        if form != FORM or tuple(order) != by:
            return None
        known = tuple(Mark(_unpack(key), *numbers) for key, *numbers in marks)
        return Position(by, stage, row, _unpack(empty), _unpack(at), known)
    except (ValueError, TypeError):
        return None


def digest_of(keys: Sequence[Key]) -> int:
    """Sum a hash over keys, in whatever order they come."""
    if not keys:
        return 0
    words = np.array(list(map(repr, keys)), dtype=object)
    return int(pd.util.hash_array(words, categorize=False).sum(dtype=np.uint64))


def _numbers(mark: Mark) -> tuple[int, int, int]:
    return mark.row, mark.count, mark.digest


def _pack(key: Key | None) -> list[Any] | None:
    if key is None:
        return None
    return [{"bytes": base64.b64encode(part).decode()} if isinstance(part, bytes) else part for part in key]


def _unpack(key: list[Any] | None) -> Key | None:
    if key is None:
        return None
    return tuple(base64.b64decode(part["bytes"]) if isinstance(part, dict) else part for part in key)
