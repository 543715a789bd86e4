"""A time zone over many moments at once: from Greenwich to the clock on the wall, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from jaxtyping import Bool, Int

SECOND, DAY_SECONDS = 1_000_000, 86_400  # microseconds; seconds
DAY = SECOND * DAY_SECONDS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_wall(moments: Int[np.ndarray, " row"], zone: ZoneInfo) -> Int[np.ndarray, " row"]:
    """Move moments, in microseconds of UTC, to the clock on the wall."""
    offset, is_steady = _offset_of_days(moments // DAY, zone)
    wall = moments + SECOND * offset
    if not is_steady.all():
        near = np.flatnonzero(~is_steady)
        wall[near] = moments[near] + SECOND * offset_seconds(moments[near], zone)
    return wall


def to_utc(wall: Int[np.ndarray, " row"], zone: ZoneInfo) -> Int[np.ndarray, " row"]:
    """Move times on the wall, in microseconds, to UTC, as Python does.

    An hour that comes twice is its first one; one that is left out is counted by the clock before it.
    """
    offset, is_steady = _offset_of_days(wall // DAY, zone)
    utc = wall - SECOND * offset
    if not is_steady.all():
        near = np.flatnonzero(~is_steady)
        utc[near] = _to_utc_near_change(wall[near], zone)
    return utc


def _to_utc_near_change(wall: Int[np.ndarray, " row"], zone: ZoneInfo) -> Int[np.ndarray, " row"]:
    before, after = (wall - SECOND * offset_seconds(wall + shift, zone) for shift in (-DAY, DAY))
    is_before, is_after = (moments + SECOND * offset_seconds(moments, zone) == wall for moments in (before, after))
    return np.where(is_before & is_after, np.minimum(before, after), np.where(is_after & ~is_before, after, before))


def _offset_of_days(
    days: Int[np.ndarray, " row"], zone: ZoneInfo
) -> tuple[Int[np.ndarray, " row"], Bool[np.ndarray, " row"]]:
    """Tell how far the clock is ahead, in seconds, and whether it is so on the two days around as well."""
    if not len(days):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    first, last = int(days.min()), int(days.max())
    edges = offset_seconds(np.arange(first - 2, last + 4) * DAY, zone)
    change = np.cumsum(np.append(0, np.diff(edges) != 0))
    is_steady = change[5:] == change[:-5]
    return edges[2:-3][days - first], is_steady[days - first]


def offset_seconds(moments: Int[np.ndarray, " row"], zone: ZoneInfo) -> Int[np.ndarray, " row"]:
    """Tell how far the clock on the wall is ahead of UTC at each moment, in seconds."""
    if not len(moments):
        return np.zeros(0, np.int64)
    seconds = moments // SECOND
    first, last = ((EPOCH + timedelta(seconds=int(each))).year for each in (seconds.min(), seconds.max()))
    years = [_changes(zone, year) for year in range(first, last + 1)]
    since = np.concatenate([year[0] for year in years])
    offsets = np.concatenate([year[1] for year in years])
    return offsets[np.searchsorted(since, seconds, side="right") - 1]


@lru_cache(maxsize=4096)
def _changes(zone: ZoneInfo, year: int) -> tuple[np.ndarray, np.ndarray]:
    """List from which second of a year (of UTC) on which offset holds, the year's first second included."""
    first = int((datetime(year, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    days = [first + number * DAY_SECONDS for number in range(367)]
    offsets = [_offset(zone, day) for day in days]
    since, values = [first], [offsets[0]]
    for day, before, after in zip(days, offsets, offsets[1:], strict=False):
        if before != after:
            since.append(_find_change(zone, day, day + DAY_SECONDS))
            values.append(after)
    end = int((datetime(year + 1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
    kept = [place for place, second in enumerate(since) if second < end]
    return np.array(since)[kept], np.array(values)[kept]


def _find_change(zone: ZoneInfo, low: int, high: int) -> int:
    """Find the first second with the offset of `high`."""
    after = _offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(zone, middle) == after else (middle, high)
    return high


def _offset(zone: ZoneInfo, second: int) -> int:
    away = (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    return 0 if away is None else int(away.total_seconds())
