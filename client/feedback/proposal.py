"""What was proposed, held against what was needed: pieces that were short, and pieces that were left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from client.feedback.kept import Kept
from client.feedback.past import Past


@dataclass(frozen=True)
class Outcome:
    """What came of the proposals of one kind.

    Attributes
    ----------
    lines, waiting
        Lines whose days have come, and those whose days have not.
    needed, covered
        Pieces: sold on the days of the lines, and there for them.
    short, left
        Pieces that were needed and not covered, and covered and not needed; in money where prices are known.
    """

    kind: str
    lines: int
    waiting: int
    needed: float
    covered: float
    short: float
    left: float
    short_money: float
    left_money: float


def judge_proposals(past: Past, kind: str, kept: Iterable[Kept]) -> Outcome:
    """Hold every line against what was sold on its days; of lines of the same product and days the last one counts."""
    newest: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for proposal in kept:
        for line in proposal.payload.get("lines", ()):
            if {"product", "first", "last", "covered"} <= line.keys():
                newest[line["product"], line["first"], line["last"]] = line
    rows = past.rows_of([key[0] for key in newest])
    judged, waiting = list[tuple[float, float, float]](), 0
    for row, line in zip(rows, newest.values(), strict=True):
        first, last = (past.column(date.fromisoformat(line[name])) for name in ("first", "last"))
        if last >= len(past.open):
            waiting += 1
        elif row >= 0:
            sold = float(past.units[row, max(first, 0) : last + 1].sum())
            judged.append((sold, float(line["covered"]), float(past.price[row])))
    needed, covered, price = np.array(judged).reshape(-1, 3).T
    short, left = np.maximum(needed - covered, 0.0), np.maximum(covered - needed, 0.0)
    known = np.isfinite(price)
    money = [float((pieces * price)[known].sum()) if known.any() else float("nan") for pieces in (short, left)]
    return Outcome(kind, len(judged), waiting, *(float(v.sum()) for v in (needed, covered, short, left)), *money)
