"""Rows that are still kept, and why the others are not: the first reason counts."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int

from common.data.usable import LeftOut


class Sieve:
    """Which rows become records. An example is the place of a row and never what it says."""

    def __init__(self, places: Int[np.ndarray, " row"]) -> None:
        self._places = places
        self.kept = np.ones(len(places), bool)
        self.left_out: list[LeftOut] = []
        self.notes: list[LeftOut] = []

    def leave_out(self, wrong: Bool[np.ndarray, " row"], reason: str, advice: str = "") -> None:
        """Leave rows out; with no advice there is nothing wrong with them."""
        wrong = wrong & self.kept
        if wrong.any():
            self.left_out.append(self._say(wrong, reason, advice))
            self.kept = self.kept & ~wrong

    def note(self, rows: Bool[np.ndarray, " row"], reason: str, advice: str) -> None:
        """Say something of rows that are kept."""
        rows = rows & self.kept
        if rows.any():
            self.notes.append(self._say(rows, reason, advice))

    def _say(self, rows: Bool[np.ndarray, " row"], reason: str, advice: str) -> LeftOut:
        first = int(self._places[rows].min())
        return LeftOut(reason, int(rows.sum()), bool(advice), f"the first in row {first}", advice)


def add_up(found: list[LeftOut]) -> tuple[LeftOut, ...]:
    """Put what was left out for one reason into one; the first example stays."""
    by_reason: dict[str, LeftOut] = {}
    for each in found:
        same = by_reason.get(each.reason)
        count = each.count + (same.count if same else 0)
        example = same.example if same else each.example
        by_reason[each.reason] = LeftOut(each.reason, count, each.is_fault, example, each.advice)
    return tuple(by_reason.values())
