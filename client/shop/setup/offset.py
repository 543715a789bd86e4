"""In which time zone a shop's clock stands, by the offsets that its own times carry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa

from client.shop.export.moment import read_times
from client.shop.record import COLUMNS, DAY
from client.shop.settings import Dialect
from client.shop.setup.survey import Surveyed

OFFSET = re.compile(r".*\d[: ]?\d\d(?:[.,]\d+)? ?([+-])(\d\d):?(\d\d)?")
MOST = 0.99  # of the times, whose offsets a zone must have; others may be slips
COMMON = (
    "Europe/Berlin", "Europe/London", "Asia/Shanghai", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "Asia/Tokyo", "Australia/Sydney", "Europe/Helsinki", "Asia/Kolkata", "Asia/Dubai",
    "America/Sao_Paulo", "Europe/Moscow", "Africa/Johannesburg", "Pacific/Auckland",
)  # fmt: skip
Told = tuple[datetime, timedelta]  # a moment of UTC, and how far the clock was ahead of it


def find_offsets(surveyed: Sequence[Surveyed]) -> list[Told]:
    """List the times that say how far from Greenwich they are; none where all of them are told in Greenwich's own."""
    told = [each for source in surveyed for each in _offsets_of(source)]
    return told if any(away for _, away in told) else []


def _offsets_of(source: Surveyed) -> Iterable[Told]:
    settings = source.settings
    fields = COLUMNS[settings.kind]
    column = next((settings.columns.get(name, "") for name, kind in fields.items() if kind == DAY), "")
    cells = [cell for cell in source.look.sample.get(column, ()) if OFFSET.fullmatch(cell.strip())]
    dialect = settings.dialect or Dialect()
    times = read_times(pa.chunked_array([pa.array(cells, pa.string())]), dialect, written_in="", shop_zone="UTC")
    for cell, moment in zip(cells, times.moments.tolist(), strict=True):
        found = OFFSET.fullmatch(cell.strip())
        if moment is not None and found is not None:
            away = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
            yield moment.replace(tzinfo=UTC), -away if found[1] == "-" else away


def find_zone(told: Sequence[Told], zones: Iterable[str]) -> str:
    """Find the first zone whose clocks were as far from Greenwich as the times say; "" where there is none."""
    return next((zone for zone in dict.fromkeys((*zones, *COMMON)) if _fits(told, ZoneInfo(zone))), "")


def _fits(told: Sequence[Told], zone: ZoneInfo) -> bool:
    return sum(moment.astimezone(zone).utcoffset() == away for moment, away in told) >= MOST * len(told)


def write_offsets(told: Sequence[Told]) -> str:
    """Name the offsets for a sentence, as +01:00 and +02:00."""
    minutes = sorted({round(away.total_seconds() / 60) for _, away in told})
    return " and ".join(f"{'-' if each < 0 else '+'}{abs(each) // 60:02}:{abs(each) % 60:02}" for each in minutes[:3])
