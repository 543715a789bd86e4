"""What came before, by number: small enough for tens of millions of lines, and fast where nothing comes again."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, UInt64

SLOTS_EACH = 8  # of the filter, for each key; one key in so many is looked for in vain

MOST_SLOTS = 1 << 27


class Seen:
    """A number for each key of 64 bits that came before; the latest counts.

    Sorted runs, merged two and two as they grow alike; a filter of one byte a slot answers at once for most keys that
    are new.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []
        self._filter = np.zeros(1 << 16, bool)
        self._size = 0

    def find(self, keys: UInt64[np.ndarray, " key"], missing: int) -> Int[np.ndarray, " key"]:
        """Give the number of each key, `missing` for one that is new."""
        found = np.full(len(keys), missing, np.int64)
        open_ = np.flatnonzero(self._filter[keys & np.uint64(len(self._filter) - 1)])
        for known, numbers in reversed(self._runs):
            if not len(open_):
                break
            place = np.minimum(np.searchsorted(known, keys[open_]), len(known) - 1)
            hit = known[place] == keys[open_]
            found[open_[hit]] = numbers[place[hit]]
            open_ = open_[~hit]
        return found

    def add(self, keys: UInt64[np.ndarray, " key"], numbers: Int[np.ndarray, " key"]) -> None:
        """Remember a number for each of some distinct keys."""
        if not len(keys):
            return
        order = np.argsort(keys)
        self._runs.append((keys[order], numbers[order]))
        self._size += len(keys)
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            self._merge()
        self._mark(keys)

    def _merge(self) -> None:
        late, early = self._runs.pop(), self._runs.pop()
        keys = np.concatenate([early[0], late[0]])
        order = np.argsort(keys, kind="stable")
        keys, numbers = keys[order], np.concatenate([early[1], late[1]])[order]
        last = np.append(keys[1:] != keys[:-1], True)
        self._runs.append((keys[last], numbers[last]))

    def _mark(self, keys: np.ndarray) -> None:
        if self._size * SLOTS_EACH > len(self._filter) and len(self._filter) < MOST_SLOTS:
            self._filter = np.zeros(min(1 << int(np.ceil(np.log2(self._size * SLOTS_EACH))), MOST_SLOTS), bool)
            keys = np.concatenate([run[0] for run in self._runs])
        self._filter[keys & np.uint64(len(self._filter) - 1)] = True
