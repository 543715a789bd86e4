"""Whole columns as numbers and as days, under the dialect of a source; each cell by itself, whatever stands elsewhere.

- **numbers**: `1.200,50`, `1 200,5`, `1'200.50`, with a currency before or behind, or pieces (`5 pcs`, `5件`); negative
  by a minus on either side or parentheses; `12 %` is 0.12. Marks between thousands stand before three digits each:
  `1.20` is no number where the point is such a mark. What the dialect does not allow is null, never a guess.
- **days**: year first in every dialect, and in the dialect's order; months by name; a time, an offset. A time with an
  offset counts on the day that the shop's own clock showed. Two digits of a year are of 1970 to 2069.

Typed columns (Parquet, Excel, a database) go through the same functions and keep what their type says.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from client.shop.settings import Dialect
from client.shop.source.moment import NUMBERS, Order, Shape, find_shape
from client.shop.source.plain import write_plainly
from client.shop.source.zone import DAY_SECONDS, SECOND, to_utc, to_wall
from common.plan.schema import FIRST_YEAR, LAST_YEAR

MOST_SHAPES = 64  # of the texts of one column that are read together; the others one by one
LONGEST = 64  # bytes of a moment
PIECES = r"(?:(?:pcs?|pieces?|pkt|units?|ea|stk|stück|st)\.?|[x×件个個只枚])"  # a unit that leaves the number as it is
CURRENCY = r"(?:[A-Z]{3}|[A-Z]{0,3}[$€£¥￥₹₩₽₺₫฿₴₦]|元|kr\.?|zł|Kč|Ft|Fr\.?|RM|лв)"
ISO = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))  # where its numbers stand, from year to second
MOST_MINUTES = 14 * 60 + 59  # from Greenwich

NOTHING = np.iinfo(np.int64).min  # as NumPy writes a day or a moment that is not there
_MONTHS = (
    np.arange(f"{FIRST_YEAR}-01", f"{LAST_YEAR + 1}-02", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
)
MONTH_STARTS, MONTH_DAYS = _MONTHS[:-1], np.diff(_MONTHS)
FIRST_DAY, LAST_DAY = int(_MONTHS[0]), int(_MONTHS[-2]) - 1


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
    if pa.types.is_floating(column.type):
        column = _whole(column)
    if pa.types.is_integer(column.type):
        column = column.cast(pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return _nothing(len(column))
    return _from_written(_read_written(column.cast(pa.large_string()), dialect.dates), zone)


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
    text = write_plainly(_unwrap(text))
    text = re.sub(rf"(?<=[0-9]){re.escape(dialect.decimal)}-{{1,2}}", "", text)  # 5,- is five, and nothing behind it
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
    if thousands == ",":
        grouped = rf"{grouped}|[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}"  # lakhs and crores
    return (
        rf"(?P<sign>[-+])? ?(?P<before>{CURRENCY})? ?(?P<sign_>[-+])? ?"
        rf"(?=.*[0-9])(?P<whole>{grouped}|[0-9]*)(?:{re.escape(decimal)}(?P<fraction>[0-9]*))?"
        r"(?P<power>[eE][-+]?[0-9]{1,3})?(?P<behind>[-+])? ?(?P<percent>%)? ?(?P<after>"
        rf"{CURRENCY})?(?P<behind_>[-+])?(?: ?(?i:{PIECES}))?"
    )


def _unwrap(text: str) -> str:
    """Take a text out of the formula that keeps a spreadsheet from changing it: `="12"`."""
    text = text.strip()
    return text[2:-1] if text.startswith('="') and text.endswith('"') and len(text) > 2 else text


def _whole(column: pa.Array) -> pa.Array:
    """Take whole numbers for what they are: 20260131 becomes 20260131.0 beside a gap."""
    values = column.cast(pa.float64())
    is_whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), 2.0**53))
    return pc.if_else(pc.fill_null(is_whole, False), values, pa.scalar(None, pa.float64())).cast(pa.int64())


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


@dataclass(frozen=True)
class _Written:
    """What cells say: a time in microseconds, minutes that its clock is ahead of Greenwich, and how much is said."""

    wall: Int[np.ndarray, " cell"]
    away: Int[np.ndarray, " cell"]
    kind: Int[np.ndarray, " cell"]  # 0 nothing, 1 a day, 2 a time, 3 a time with an offset


def _read_written(column: pa.Array, order: Order) -> _Written:
    """Read the texts shape by shape."""
    size = len(column)
    written = _Written(np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int8))
    offsets = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + size + 1]
    content = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    lengths, there = np.diff(offsets), column.is_valid().to_numpy(zero_copy_only=False)
    left, num_shapes = there & (lengths > 0) & (lengths <= LONGEST), 0
    for length in np.flatnonzero(np.bincount(lengths[left])):
        rows = np.flatnonzero(left & (lengths == length))
        letters = _stack(content, offsets[rows], int(length))
        while len(rows) and num_shapes < MOST_SHAPES:
            same = _fill_shape(written, rows, letters, order)
            rows, letters, num_shapes = rows[~same], letters[~same], num_shapes + 1
        for row, text in zip(rows, letters, strict=True):
            _fill_shape(written, np.array([row]), text[None], order)
    return written


def _stack(content: np.ndarray, starts: Int[np.ndarray, " row"], length: int) -> np.ndarray:
    """Lay texts of one length out below each other, without a copy where they already lie so."""
    if len(starts) and starts[-1] - starts[0] == length * (len(starts) - 1) and (np.diff(starts) == length).all():
        return content[starts[0] : starts[-1] + length].reshape(-1, length)
    return content[starts[:, None] + np.arange(length)]


def _fill_shape(
    written: _Written, rows: Int[np.ndarray, " row"], letters: np.ndarray, order: Order
) -> Bool[np.ndarray, " row"]:
    """Read all texts that have the shape of the first; tell which they are."""
    first = letters[0]
    is_digit = (first >= ord("0")) & (first <= ord("9"))
    least = np.where(is_digit, ord("0"), first).astype(np.uint8)
    fits = letters - least <= np.where(is_digit, 9, 0).astype(np.uint8)  # what is less wraps around
    same: Bool[np.ndarray, " row"] = np.ones(len(letters), bool) if fits.all() else np.asarray(fits.all(1))
    text, start = _strip(first)
    shape = None if text is None else find_shape(text, order)
    if shape is not None:
        if not same.all():
            rows, letters = rows[same], letters[same]
        where = slice(None) if len(rows) == len(written.wall) else rows
        wall = _read_iso(shape, letters, start)
        written.wall[where], is_day = _read_shape(shape, letters, start) if wall is None else (wall, True)
        kind = 3 if shape.has_offset else 2 if shape.has_time else 1
        away = shape.sign * (_number(shape, letters, start, "away") * 60 + _number(shape, letters, start, "away_"))
        written.away[where] = away + shape.zone_hours * 60
        written.kind[where] = np.where(is_day & (abs(away) <= MOST_MINUTES), kind, 0)
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


def _number(shape: Shape, letters: np.ndarray, start: list[int], name: str) -> Int[np.ndarray, " row"]:
    """Read one number of each text; 0 where the shape has none."""
    value = np.zeros(len(letters), np.int64)
    low, high = shape.spans.get(name, (0, 0))
    for place in range(low, high):
        value = value * 10 + (letters[:, start[place]] - ord("0"))
    return value


def _read_iso(shape: Shape, letters: np.ndarray, start: list[int]) -> Int[np.ndarray, " row"] | None:
    """Let Arrow read what is written as in ISO 8601; None where it is not, or one of the texts is no day."""
    spans = [shape.spans.get(name) for name in NUMBERS[:6]]
    size = {ISO[:3]: 10, ISO: 19}.get(tuple(span for span in spans if span))
    if size is None or shape.half or start[:20] != list(range(len(start)))[:20] or letters[0, 4] != ord("-"):
        return None
    texts = np.ascontiguousarray(letters[:, :size])
    offsets = np.arange(0, texts.size + 1, size, dtype=np.int64)
    column = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(texts))
    try:
        seconds = column.cast(pa.timestamp("s")).to_numpy(zero_copy_only=False).view(np.int64)
    except pa.ArrowInvalid:
        return None
    return seconds * SECOND + _fraction(shape, letters, start)


def _read_shape(
    shape: Shape, letters: np.ndarray, start: list[int]
) -> tuple[Int[np.ndarray, " row"], Bool[np.ndarray, " row"]]:
    """Read the time of each text, and whether it is one."""
    year, month, day, hour, minute, second = (_number(shape, letters, start, name) for name in NUMBERS[:6])
    if shape.spans["year"][1] - shape.spans["year"][0] == 2:
        year += np.where(year < 70, 2000, 1900)
    month = month + shape.month
    there = (hour <= 23) & (minute <= 59) & (second <= 59)
    if shape.half:
        there &= (hour >= 1) & ((hour <= 12) | (shape.half == "pm"))
        hour = np.where(hour < 12, hour, np.where(hour == 12, 0, hour - 12)) + (12 if shape.half == "pm" else 0)
    there &= (month >= 1) & (month <= 12) & (year >= FIRST_YEAR) & (year <= LAST_YEAR)
    number = np.where(there, (year - FIRST_YEAR) * 12 + month - 1, 0)
    there &= (day >= 1) & (day <= MONTH_DAYS[number])
    date = np.where(there, MONTH_STARTS[number] + day - 1, 0)
    seconds = date * DAY_SECONDS + hour * 3600 + minute * 60 + second
    return seconds * SECOND + _fraction(shape, letters, start), there


def _fraction(shape: Shape, letters: np.ndarray, start: list[int]) -> Int[np.ndarray, " row"] | int:
    """Read the fraction of a second in microseconds."""
    if "fraction" not in shape.spans:
        return 0
    low, high = shape.spans["fraction"]
    value = np.zeros(len(letters), np.int64)
    for place in range(low, low + 6):
        value = value * 10 + (letters[:, start[place]] - ord("0") if place < high else 0)
    return value


def _from_written(written: _Written, zone: ZoneInfo) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wall, utc = written.wall, written.wall - written.away * (60 * SECOND)
    has_time, has_offset = written.kind >= 2, written.kind == 3
    if has_offset.any():
        wall = np.where(has_offset, to_wall(utc, zone), wall)
    if (has_time & ~has_offset).any():
        utc = np.where(has_offset, utc, to_utc(wall, zone))
    return _lay_out(wall, utc, written.kind > 0, has_time)
