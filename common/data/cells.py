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
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int, Shaped

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
PART_ROWS = 1 << 20  # of a long column of text, read at a time
PLAIN_NUMBER = r"^-?[0-9]{1,15}(?:\.[0-9]{1,15})?$"
CLOCK = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?$"


def as_names(column: pd.Series) -> np.ndarray:
    """Write each value as the name that it stands for; "" where there is none."""
    return _by_value(column, canonical_name, "", object)


def as_numbers(column: pd.Series) -> Float[np.ndarray, " row"]:
    """Read each value as a number; NaN where it is none."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_extension_array_dtype(column):
        return column.to_numpy(np.float64)
    if isinstance(column.dtype, pd.ArrowDtype):
        return _numbers_of_text(_chunks(column))
    return _by_value(column, _number, math.nan, np.float64)


def is_empty(column: pd.Series) -> Bool[np.ndarray, " row"]:
    """Tell which cells hold nothing."""
    if pd.api.types.is_numeric_dtype(column):
        return column.isna().to_numpy()
    return _by_value(column, lambda value: canonical_name(value) == "", True, bool)


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

    def read(value: object) -> date | None:
        return parse_day(canonical_name(value), zone)

    if isinstance(column.dtype, pd.ArrowDtype):
        return _by_text(map(_cut_clock, _chunks(column)), read, None, "datetime64[D]")
    return _by_value(column, read, None, "datetime64[D]")


def _cut_clock(text: pa.Array) -> pa.Array:
    """Leave the day alone of text that has a time without an offset behind it: there are fewer days than seconds."""
    has_clock = pc.match_substring_regex(text, CLOCK)
    return pc.if_else(has_clock, pc.utf8_slice_codeunits(text, 0, 10), text) if has_clock.true_count else text


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
    if isinstance(column.dtype, pd.ArrowDtype):
        return _by_text(_chunks(column), read, gap, dtype)
    seen: dict[object, int] = {}
    there = column.notna().to_numpy()
    codes = np.full(len(column), -1)
    codes[there] = [seen.setdefault(value, len(seen)) for value in column[there].astype(object)]
    read_once = np.empty(len(seen) + 1, dtype=object)
    for value, place in seen.items():
        read_once[place] = read(value)
    read_once[-1] = gap  # a gap has code -1
    return read_once.astype(dtype)[codes]


def _chunks(column: pd.Series) -> Iterator[pa.Array]:
    """Cut a column of text that Arrow holds into parts: of some size, since a name is read once in each."""
    values = pa.array(column.array)
    if isinstance(values, pa.ChunkedArray):
        ends = np.cumsum([len(chunk) for chunk in values.chunks], dtype=np.int64) // PART_ROWS
        for part in np.unique(ends):
            first, last = np.searchsorted(ends, [part, part + 1])
            yield pa.concat_arrays(values.chunks[first:last])
    else:
        yield values


def _by_text(
    chunks: Iterable[pa.Array], read: Callable[[object], object], gap: object, dtype: Any
) -> Shaped[np.ndarray, " row"]:
    """Do the same for text that Arrow holds, and which it tells apart to the last byte; a part at a time."""
    known, parts = dict[object, object](), [np.empty(0, dtype)]
    for chunk in chunks:
        coded = chunk.dictionary_encode()
        texts = coded.dictionary.to_pylist()
        known |= {text: read(text) for text in texts if text not in known}
        read_once = np.empty(len(texts) + 1, dtype=object)
        read_once[:-1] = [known[text] for text in texts]
        read_once[-1] = gap
        parts.append(read_once.astype(dtype)[_codes(coded)])
    return np.concatenate(parts)


def _numbers_of_text(chunks: Iterable[pa.Array]) -> Float[np.ndarray, " row"]:
    """Read text as `_number` does: plain digits at once, which is the same to the last bit, the others one by one."""
    parts = [np.empty(0)]
    for chunk in chunks:
        coded = chunk.dictionary_encode()
        texts = coded.dictionary
        is_plain = pc.match_substring_regex(texts, PLAIN_NUMBER).to_numpy(zero_copy_only=False)
        values = np.full(len(texts) + 1, math.nan)
        values[:-1][is_plain] = texts.filter(pa.array(is_plain)).cast(pa.float64()).to_numpy()
        others = np.flatnonzero(~is_plain)
        values[others] = [_number(text) for text in texts.take(pa.array(others)).to_pylist()]
        parts.append(values[_codes(coded)])
    return np.concatenate(parts)


def _codes(coded: pa.DictionaryArray) -> Int[np.ndarray, " row"]:
    """Give each row's place in the dictionary; one behind its end where there is nothing."""
    codes: np.ndarray = coded.indices.fill_null(len(coded.dictionary)).to_numpy()
    return codes
