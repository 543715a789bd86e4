"""Merchants of like size, and entities or merchants of like history: groups that do not overlap, to be told apart.

Sizes are whole numbers of entities, and merchants of one size are in one group, so a group's label names no size of
another's. Histories are months from the first row to the origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool

SIZE_GROUPS = 10
MONTH_DAYS = 30
HISTORY_MONTHS = (0, 3, 6, 12, 24)  # from where on each group of histories begins


@dataclass(frozen=True)
class SizeGroup:
    """Merchants with `smallest` to `largest` entities."""

    smallest: int
    largest: int
    merchants: tuple[str, ...]


@dataclass(frozen=True)
class HistoryGroup:
    """Rows with a history from `since` to below `until` months; None where there is no end.

    Attributes
    ----------
    chosen
        Which rows these are.
    """

    since: int
    until: int | None
    chosen: Bool[np.ndarray, " row"]


def group_by_size(sizes: Mapping[str, float]) -> list[SizeGroup]:
    """Make ten groups of like number, or fewer where one would hold a single merchant, or only sizes of another.

    Parameters
    ----------
    sizes
        MERCHANT → mean number of entities, rounded to a whole one.
    """
    whole = {name: round(size) for name, size in sizes.items()}
    ordered = sorted(whole, key=lambda name: whole[name])
    groups = np.array_split(np.array(ordered, dtype=object), max(1, min(SIZE_GROUPS, len(ordered) // 2)))
    of_size: dict[int, int] = {}
    for place, names in enumerate(groups):
        for name in names:
            of_size.setdefault(whole[name], place)
    members: dict[int, list[str]] = {}
    for name in ordered:
        members.setdefault(of_size[whole[name]], []).append(name)
    return [SizeGroup(whole[names[0]], whole[names[-1]], tuple(names)) for names in members.values()]


def group_by_history(months: pd.Series) -> list[HistoryGroup]:
    """Group rows by their months of history; none where all are of one group, or where it is not known."""
    if months.isna().any():
        return []
    since = np.array(HISTORY_MONTHS)
    place = np.searchsorted(since, months.to_numpy(), side="right") - 1
    found = [
        HistoryGroup(int(first), int(since[number + 1]) if number + 1 < len(since) else None, place == number)
        for number, first in enumerate(since)
        if (place == number).any()
    ]
    return found if len(found) > 1 else []
