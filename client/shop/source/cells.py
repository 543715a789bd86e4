"""Whole columns as numbers and as days, under the dialect of a source; each cell by itself, whatever stands elsewhere.

- **numbers**: `1.200,50`, `1 200,5`, `1'200.50`, with a currency before or behind; negative by a minus on either side
  or parentheses; `12 %` is 0.12. Marks between thousands stand before three digits each: `1.20` is no number where the
  point is such a mark. What the dialect does not allow is null, never a guess.
- **days**: year first in every dialect, and in the dialect's order; months by name; a time, an offset. A time with an
  offset counts on the day that the shop's own clock showed. Two digits of a year are of 1970 to 2069.

Typed columns (Parquet, Excel, a database) go through the same functions and keep what their type says.
"""

from __future__ import annotations

import math
import re
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from client.shop.settings import Dialect
from client.shop.source.moment import Order, Shape, find_shape
from client.shop.source.zone import DAY_SECONDS, SECOND, to_utc, to_wall
from common.plan.schema import FIRST_YEAR, LAST_YEAR

MOST_SHAPES = 64  # of the texts of one column that are read together; the others one by one
LONGEST = 64  # bytes of a moment
BLANKS = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f\u3000", " ") | {"−": "-", "–": "-", "’": "'"})
CURRENCY = r"(?:[A-Z]{3}|[A-Z]{0,3}[$€£¥￥₹₩₽₺₫฿₴₦]|元|kr\.?|zł|Kč|Ft|Fr\.?|RM|лв)"
FIELDS = ("year", "month", "day", "hour", "minute", "second", "micro", "away", "has_time", "has_offset")

NOTHING = np.iinfo(np.int64).min  # as NumPy writes a day or a moment that is not there
_MONTHS = (
    np.arange(f"{FIRST_YEAR}-01", f"{LAST_YEAR + 1}-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
)
MONTH_STARTS, MONTH_DAYS = _MONTHS[:-1], np.diff(_MONTHS)
FIRST_DAY, LAST_DAY = int(_MONTHS[0]), int(_MONTHS[-2]) - 1

Parts = Int[np.ndarray, "field cell"]


def read_numbers(column: pa.ChunkedArray | pa.Array, dialect: Dialect) -> Float[np.ndarray, " row"]:
    """Read each cell as a number; NaN where it is none."""
    column = _plain(column)
    kind = column.type
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return _finite(_to_float(column))
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return np.full(len(column), np.nan)
    coded = pc.dictionary_encode(column)
    values = np.append(_read_texts(coded.dictionary, dialect), np.nan)
    return values[pc.fill_null(coded.indices, len(coded.dictionary)).to_numpy(zero_copy_only=False)]


def read_days(
    column: pa.ChunkedArray | pa.Array, dialect: Dialect, zone: ZoneInfo
) -> tuple[np.ndarray, Float[np.ndarray, " row"], np.ndarray]:
    """Read each cell as a day by the shop's clock.

    Parameters
    ----------
    zone
        Where the shop stands. A time without an offset is one of its clock.

    Returns
    -------
    days
        `datetime64[D]`; NaT where the cell is no day.
    seconds
        Of the day, by the clock on the wall; NaN where only the day is known.
    moments
        `datetime64[us]` of UTC; NaT where only the day is known.
    """
    column = _plain(column)
    if pa.types.is_date(column.type):
        return _from_dates(column)
    if pa.types.is_timestamp(column.type):
        return _from_timestamps(column, zone)
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return _nothing(len(column))
    return _from_parts(_read_parts(column.cast(pa.large_string()), dialect.dates), zone)


def _plain(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Give one array, of values and not of places in a dictionary."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # of no chunk, or too much text for one
        column = pa.concat_arrays([chunk.cast(pa.large_string()) for chunk in column.chunks]) if column.chunks else None
    if column is None:
        return pa.array([], pa.string())
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _to_float(column: pa.Array) -> Float[np.ndarray, " row"]:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _finite(values: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    return np.where(np.isfinite(values), values, np.nan)


def _read_texts(texts: pa.Array, dialect: Dialect) -> Float[np.ndarray, " value"]:
    """Read distinct texts: plain digits at once, the others one by one."""
    mark = re.escape(dialect.decimal)
    is_plain = pc.match_substring_regex(texts, rf"^-?[0-9]{{1,15}}(?:{mark}[0-9]{{1,15}})?$")
    values = np.full(len(texts), np.nan)
    plain = pc.replace_substring(texts.filter(is_plain), dialect.decimal, ".")
    where = is_plain.to_numpy(zero_copy_only=False)
    values[where] = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    others = np.flatnonzero(~where)
    values[others] = [read_number(text, dialect) for text in texts.take(pa.array(others)).to_pylist()]
    return values


def read_number(text: str, dialect: Dialect) -> float:
    """Read one text as a number; NaN where it is none."""
    text = _unwrap(text).translate(BLANKS).strip()
    is_negative = text.startswith("(") and text.endswith(")")
    text = text[1:-1].strip() if is_negative else text
    found = _number_pattern(dialect).fullmatch(text)
    signs = [] if found is None else [found[name] for name in ("sign", "sign_", "behind", "behind_") if found[name]]
    if found is None or len(signs) + is_negative > 1 or (found["before"] and found["after"]):
        return math.nan
    whole, fraction, power = re.sub("[^0-9]", "", found["whole"]) or "0", found["fraction"] or "0", found["power"] or ""
    value = float(f"{whole}.{fraction}{power}") / (100 if found["percent"] else 1)
    if not math.isfinite(value):
        return math.nan
    return -value if is_negative or "-" in signs else value


_PATTERNS: dict[tuple[str, str], re.Pattern[str]] = {}


def _number_pattern(dialect: Dialect) -> re.Pattern[str]:
    key = dialect.decimal, dialect.thousands
    if key not in _PATTERNS:
        _PATTERNS[key] = re.compile(_write_pattern(*key))
    return _PATTERNS[key]


def _write_pattern(decimal: str, thousands: str) -> str:
    marks = "|".join(re.escape(mark) for mark in {" ", "'", thousands} - {"", decimal})
    grouped = rf"[0-9]{{1,3}}(?P<mark>{marks})[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*"
    return (
        rf"(?P<sign>[-+])? ?(?P<before>{CURRENCY})? ?(?P<sign_>[-+])? ?"
        rf"(?=.*[0-9])(?P<whole>{grouped}|[0-9]*)(?:{re.escape(decimal)}(?P<fraction>[0-9]*))?"
        r"(?P<power>[eE][-+]?[0-9]{1,3})?(?P<behind>[-+])? ?(?P<percent>%)? ?(?P<after>"
        rf"{CURRENCY})?(?P<behind_>[-+])?"
    )


def _unwrap(text: str) -> str:
    """Take a text out of the formula that keeps a spreadsheet from changing it: `="12"`."""
    text = text.strip()
    return text[2:-1] if text.startswith('="') and text.endswith('"') and len(text) > 2 else text


def _nothing(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.full(size, "NaT", "datetime64[D]"), np.full(size, np.nan), np.full(size, "NaT", "datetime64[us]")


def _from_dates(column: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    days = column.cast(pa.timestamp("ms")).to_numpy(zero_copy_only=False).astype("datetime64[D]")
    _, seconds, moments = _nothing(len(days))
    return _within_years(days), seconds, moments


def _from_timestamps(column: pa.Array, zone: ZoneInfo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take a moment of a zone to the shop's clock; one without a zone is of that clock already.

    A column in which every time is midnight holds days: Excel and many databases have no other type for them. Each
    cell by itself would not know; so midnight is no time here, and costs the day nothing.
    """
    unit = {"s": SECOND, "ms": 1000, "us": 1, "ns": 1}[column.type.unit]
    is_zoned = column.type.tz is not None
    numbers = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    there = column.is_valid().to_numpy(zero_copy_only=False)
    numbers = numbers // 1000 if column.type.unit == "ns" else numbers
    limit = (LAST_YEAR + 1 - 1970) * 366 * DAY_SECONDS * SECOND // unit
    there = there & (np.abs(numbers) < limit)
    micros = np.where(there, numbers, 0) * unit
    wall = to_wall(micros, zone) if is_zoned else micros
    utc = micros if is_zoned else to_utc(micros, zone)
    has_time = there if is_zoned else there & (wall % (DAY_SECONDS * SECOND) != 0)
    return _lay_out(wall, utc, there, has_time)


def _lay_out(
    wall: Int[np.ndarray, " row"],
    utc: Int[np.ndarray, " row"],
    there: Bool[np.ndarray, " row"],
    has_time: Bool[np.ndarray, " row"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    day = wall // (DAY_SECONDS * SECOND)
    there = there & (day >= FIRST_DAY) & (day <= LAST_DAY)
    has_time = has_time & there
    seconds = np.where(has_time, (wall - day * (DAY_SECONDS * SECOND)) / SECOND, np.nan)
    return (
        np.where(there, day, NOTHING).view("datetime64[D]"),
        seconds,
        np.where(has_time, utc, NOTHING).view("datetime64[us]"),
    )


def _within_years(days: np.ndarray) -> np.ndarray:
    number = days.astype(np.int64)
    return np.where((number >= FIRST_DAY) & (number <= LAST_DAY), number, NOTHING).view("datetime64[D]")


def _read_parts(column: pa.Array, order: Order) -> Parts:
    """Read year, month, … of each text; the month of a text that is no moment is 0."""
    parts = np.zeros((len(FIELDS), len(column)), np.int64)
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column) + 1]
    content = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    lengths, there = np.diff(offsets), column.is_valid().to_numpy(zero_copy_only=False)
    left, num_shapes = there & (lengths > 0) & (lengths <= LONGEST), 0
    for length in np.unique(lengths[left]):
        rows = np.flatnonzero(left & (lengths == length))
        letters = _stack(content, offsets[rows], int(length))
        while len(rows) and num_shapes < MOST_SHAPES:
            same = _fill_shape(parts, rows, letters, order)
            rows, letters, num_shapes = rows[~same], letters[~same], num_shapes + 1
        for row, text in zip(rows, letters, strict=True):
            _fill_shape(parts, np.array([row]), text[None], order)
    return parts


def _stack(content: np.ndarray, starts: Int[np.ndarray, " row"], length: int) -> np.ndarray:
    """Lay texts of one length out below each other, without a copy where they already lie so."""
    if len(starts) and starts[-1] - starts[0] == length * (len(starts) - 1) and (np.diff(starts) == length).all():
        return content[starts[0] : starts[-1] + length].reshape(-1, length)
    return content[starts[:, None] + np.arange(length)]


def _fill_shape(parts: Parts, rows: Int[np.ndarray, " row"], letters: np.ndarray, order: Order) -> np.ndarray:
    """Read all texts that have the shape of the first; tell which they are."""
    first = letters[0]
    is_digit = (first >= ord("0")) & (first <= ord("9"))
    same = (letters[:, ~is_digit] == first[~is_digit]).all(1)
    same &= (letters[:, is_digit] - np.uint8(ord("0")) <= 9).all(1)  # what is less wraps around
    text, start = _strip(first)
    shape = None if text is None else find_shape(text, order)
    if shape is not None:
        whole = same.all()
        found = _read_shape(shape, letters if whole else letters[same], start)
        parts[:, rows if whole else rows[same]] = found
    return same


def _strip(letters: np.ndarray) -> tuple[str | None, list[int]]:
    """Take blanks and a formula from around a text; tell at which byte each of its characters stands."""
    try:
        text = letters.tobytes().decode()
    except UnicodeDecodeError:
        return None, []
    start = np.cumsum([0, *(len(letter.encode()) for letter in text)]).tolist()
    bare = _unwrap(text).strip()
    place = text.find(bare)
    return bare.replace("\u00a0", " ").replace("\u202f", " "), start[place : place + len(bare) + 1]


def _read_shape(shape: Shape, letters: np.ndarray, start: list[int]) -> Parts:
    def number(name: str) -> np.ndarray:
        value = np.zeros(len(letters), np.int64)
        low, high = shape.spans.get(name, (0, 0))
        for place in range(low, high):
            value = value * 10 + (letters[:, start[place]] - ord("0"))
        return value

    values = {name: number(name) for name in ("year", "month", "day", "hour", "minute", "second", "away", "away_")}
    if "year" in shape.spans and shape.spans["year"][1] - shape.spans["year"][0] == 2:
        values["year"] += np.where(values["year"] < 70, 2000, 1900)
    if shape.month:
        values["month"][:] = shape.month
    hour = values["hour"]
    wrong = (
        (hour > 23) | (values["minute"] > 59) | (values["second"] > 59) | (values["away"] > 14) | (values["away_"] > 59)
    )
    if shape.half:
        wrong |= (hour > 12) & (shape.half == "am") | (hour == 0) & (shape.half == "pm")
        hour = np.where(hour < 12, hour, np.where(hour == 12, 0, hour - 12)) + (12 if shape.half == "pm" else 0)
    values["month"][wrong] = 0
    away = shape.sign * (values["away"] * 60 + values["away_"]) + shape.zone_hours * 60
    return np.stack(
        [
            *(values[name] for name in ("year", "month", "day")),
            hour,
            values["minute"],
            values["second"],
            _fraction(shape, letters, start),
            away,
            np.full_like(away, shape.has_time),
            np.full_like(away, shape.has_offset),
        ]
    )


def _fraction(shape: Shape, letters: np.ndarray, start: list[int]) -> Int[np.ndarray, " row"]:
    """Read the fraction of a second in microseconds."""
    low, high = shape.spans.get("fraction", (0, 0))
    value = np.zeros(len(letters), np.int64)
    for place in range(low, low + 6):
        value = value * 10 + (letters[:, start[place]] - ord("0") if place < high else 0)
    return value


def _from_parts(parts: Parts, zone: ZoneInfo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    year, month, day, hour, minute, second, micro, away, timed, offset = parts
    there = (month >= 1) & (month <= 12) & (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    number = np.where(there, (year - FIRST_YEAR) * 12 + month - 1, 0)
    there &= (day >= 1) & (day <= MONTH_DAYS[number])
    date = np.where(there, MONTH_STARTS[number] + day - 1, 0)
    time = hour * 3600 + minute * 60 + second
    wall = (date * DAY_SECONDS + time) * SECOND + micro
    has_time, has_offset = there & (timed == 1), there & (offset == 1)
    utc = wall - away * (60 * SECOND)
    if has_offset.any():
        wall = np.where(has_offset, to_wall(utc, zone), wall)
    if (has_time & ~has_offset).any():
        utc = np.where(has_offset, utc, to_utc(wall, zone))
    return _lay_out(wall, utc, there, has_time)
