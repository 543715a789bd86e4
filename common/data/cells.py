"""One cell at a time: its text as a name, a number or a day, whatever stands in any other cell.

A column of a CSV file is text; a column of a Parquet file has a type, and a gap in one row may change that type for
all of them (whole numbers become floats). So nothing here looks at a type where the value says the same:

- **names**: `7`, `7.0` and `"7 "` are one name, "7"; `007` is another; NA, null and None are names like any other;
  an empty cell, or one of blanks, is none.
- **numbers**: as Python reads them, without underscores; true, yes, on are 1 and false, no, off are 0, also
  in German and Chinese.
- **days**: year first (2024-01-05, 2024/1/5, 2024.01.05, 2024 01 05, 20240105), with or without a time after it. A time
  with an offset counts as the local day that is written, unless the plan names a time zone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

WORDS = {
    **dict.fromkeys(("true", "yes", "y", "on", "ja", "wahr", "是"), 1.0),
    **dict.fromkeys(("false", "no", "n", "off", "nein", "falsch", "否"), 0.0),
}
ZERO = "␀"  # for a zero byte, at which NumPy and pandas would end a text
WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
DAY = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/. ])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})|(?P<month_>\d\d)(?P<day_>\d\d))"
    r"(?:[T ]\s*(?P<time>\d{1,2}(?::?\d\d){1,2}(?:[.,]\d+)?)\s*(?P<offset>Z|z|UTC|[+-]\d\d(?::?\d\d)?)?)?"
)


def as_names(column: pd.Series) -> np.ndarray:
    """Write each value as the name that it stands for; "" where there is none."""
    return _by_value(column, canonical_name, "", object)


def as_numbers(column: pd.Series) -> Float[np.ndarray, " row"]:
    """Read each value as a number; NaN where it is none."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_extension_array_dtype(column):
        return column.to_numpy(np.float64)
    return _by_value(column, _number, math.nan, np.float64)


def is_empty(column: pd.Series) -> Bool[np.ndarray, " row"]:
    """Tell which cells hold nothing."""
    if pd.api.types.is_numeric_dtype(column):
        return column.isna().to_numpy()
    return as_names(column) == ""


def as_days(column: pd.Series, time_zone: str = "") -> np.ndarray:
    """Read each value as a day, `datetime64[D]`; NaT where it is none.

    Parameters
    ----------
    time_zone
        Where the shop stands, for times with an offset; if empty, the day is the one that is written.
    """
    zone = ZoneInfo(time_zone) if time_zone else None
    if pd.api.types.is_datetime64_any_dtype(column):
        if zone is not None and column.dt.tz is not None:
            column = column.dt.tz_convert(zone)
        return column.dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    return _by_value(column, lambda value: parse_day(canonical_name(value), zone), None, "datetime64[D]")


def canonical_name(value: object) -> str:
    """Write a value as the name that it stands for: without blanks around it, and whole numbers without a point."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = str(value).strip().replace("\0", ZERO)
    if isinstance(value, float | np.floating) and math.isfinite(value) and float(value).is_integer():
        return str(int(value))
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole else text


def parse_day(text: str, zone: ZoneInfo | None = None) -> date | None:
    """Read a day, year first; None where it is none."""
    found = DAY.fullmatch(text)
    if found is None:
        return None
    try:
        day = date(int(found["year"]), int(found["month"] or found["month_"]), int(found["day"] or found["day_"]))
        return day if zone is None or not found["offset"] else _local_day(day, found["time"], found["offset"], zone)
    except (ValueError, OverflowError):
        return None


def has_offset(text: str) -> bool:
    """Whether a time says that it is counted from Greenwich: Z, UTC or an offset of zero, at another hour than 0:00."""
    found = DAY.fullmatch(text)
    return bool(
        found
        and found["offset"]
        and not found["offset"].strip("ZzUTC+-0:")
        and found["time"].replace(":", "").strip("0.,")
    )


def _local_day(day: date, time: str, offset: str, zone: ZoneInfo) -> date:
    digits = re.sub(r"\D", "", time.split(".")[0].split(",")[0])
    digits = digits.rjust(len(digits) + len(digits) % 2, "0").ljust(6, "0")  # 9:30 is 09:30
    moment = datetime(day.year, day.month, day.day) + timedelta(
        hours=int(digits[:2]), minutes=int(digits[2:4]), seconds=int(digits[4:6])
    )
    written = re.sub(r"\D", "", offset).ljust(4, "0")
    away = timedelta(hours=int(written[:2]), minutes=int(written[2:4])) * (-1 if offset.startswith("-") else 1)
    return (moment - away).replace(tzinfo=ZoneInfo("UTC")).astimezone(zone).date()


def _number(value: object) -> float:
    if isinstance(value, bool | np.bool_):
        return float(value)
    text = canonical_name(value)
    word = WORDS.get(text.lower())
    if word is not None:
        return word
    try:
        return math.nan if "_" in text else float(text)
    except ValueError:
        return math.nan


def _by_value(column: pd.Series, read: Callable[[object], object], gap: object, dtype: Any) -> np.ndarray:
    """Read each distinct value once, by itself.

    Told apart by Python: pandas takes two texts for one where they differ after a zero byte only.
    """
    seen: dict[object, int] = {}
    there = column.notna().to_numpy()
    codes = np.full(len(column), -1)
    codes[there] = [seen.setdefault(value, len(seen)) for value in column[there].astype(object)]
    read_once = np.empty(len(seen) + 1, dtype=object)
    for value, place in seen.items():
        read_once[place] = read(value)
    read_once[-1] = gap  # a gap has code -1
    return read_once.astype(dtype)[codes]
