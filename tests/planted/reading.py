"""Faults of reading: time zones, ends of the history, Parquet, encodings, names and who takes part."""

from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from client.data import lines, parquet, rows, table, window
from client.round import leg
from common.data import cells, rehearsal, usable
from common.data.panel import Panel, find_active
from common.plan.schema import DataPlan, Plan
from planted.fault import Fault

Patch = pytest.MonkeyPatch


def zone_of_most(patch: Patch) -> None:
    """Where the plan names no time zone, take the offset that most rows have."""
    as_days = usable.as_days

    def faulty(column: pd.Series, time_zone: str = "") -> np.ndarray:
        found = [cells.DAY.fullmatch(cells.canonical_name(value)) for value in column.dropna()]
        hours = Counter(int(each["offset"][:3]) for each in found if each and (each["offset"] or "")[:1] in tuple("+-"))
        if time_zone or not hours:
            return as_days(column, time_zone)
        zone = ZoneInfo(f"Etc/GMT{-hours.most_common(1)[0][0]:+d}")
        days = [None if pd.isna(value) else cells.parse_day(cells.canonical_name(value), zone) for value in column]
        return np.array(days, dtype="datetime64[D]")

    patch.setattr(usable, "as_days", faulty)


def until_the_first_late(patch: Patch) -> None:
    """Take a file for sorted, and stop at the first row after the plan's end."""

    def faulty(own: pd.DataFrame, plan: DataPlan, **options: Any) -> usable.UsableRows:
        late = cells.as_days(own[plan.time], plan.time_zone) > np.datetime64(plan.end, "D")
        return usable.choose_rows(own.iloc[: int(late.argmax()) if late.any() else len(own)], plan, **options)

    patch.setattr(rows, "choose_rows", faulty)


def whole_numbers_as_floats(patch: Patch) -> None:
    """Let a gap turn a Parquet column of whole numbers into floats: long numbers of two entities become one."""
    read = parquet._read_column

    def faulty(column: pa.ChunkedArray) -> pd.Series:
        return column.to_pandas() if pa.types.is_integer(column.type) else read(column)

    patch.setattr(parquet, "_read_column", faulty)


def column_emptied(patch: Patch) -> None:
    """Leave a whole Parquet column out for one value that cannot be read."""
    read = parquet._read_column

    def faulty(column: pa.ChunkedArray) -> pd.Series:
        try:
            column.to_pandas()
        except (pa.ArrowException, ValueError, OverflowError):
            return pd.Series([None] * len(column), dtype=object)
        return read(column)

    patch.setattr(parquet, "_read_column", faulty)


def one_encoding(patch: Patch) -> None:
    """Take a file that is not all UTF-8 for Latin-1: everyone's names change for the bytes of one."""

    def faulty(path: Path) -> BinaryIO:
        content = path.read_bytes()
        try:
            content.decode()
        except UnicodeDecodeError:
            content = content.decode("latin-1").encode()
        other = path.with_suffix(".latin")
        other.write_bytes(content)
        return other.open("rb")

    patch.setattr(table, "open_file", faulty)


def separator_by_vote(patch: Patch) -> None:
    """Take the character for the separator that is most frequent in the whole file."""
    read_header = lines.read_header

    def faulty(content: list[bytes], *arguments: Any, **options: Any) -> lines.Header:
        header = read_header(content, *arguments, **options)
        votes = Counter({mark: sum(line.count(mark.encode()) for line in content) for mark in lines.SEPARATORS})
        mark = votes.most_common(1)[0][0]
        first = content[header.first_row - 1].decode().split(mark)
        return lines.Header(tuple(cell.strip() for cell in first), mark, header.first_row)

    patch.setattr(window, "read_header", faulty)


def ends_with_the_rows(patch: Patch) -> None:
    """End the history with the last day on which anyone bought, if that is before the origin."""
    read_present = rows.read_present

    def faulty(plan: Plan, root: Any) -> tuple[Panel, int]:
        present, day = read_present(plan, root)
        bought = np.flatnonzero((present.target[:, :day] > 0).any(0))
        return present, day if not len(bought) else max(int(bought[-1]) + 1, day - plan.model.horizon_days)

    patch.setattr(leg, "read_present", faulty)
    patch.setattr(rows, "read_present", faulty)


def without_the_least(patch: Patch) -> None:
    """Leave the tenth with the least demand out: they teach nothing."""

    def faulty(own: Panel, plan: DataPlan, day: int) -> np.ndarray:
        found = find_active(own, plan, day)
        demand = own.target[found, : max(day, 0)].sum(1)
        return found[demand > np.quantile(demand, 0.1)] if len(found) > 2 else found

    patch.setattr(rows, "find_active", faulty)
    patch.setattr(rehearsal, "find_active", faulty)


def blanks_count(patch: Patch) -> None:
    """Take a name as it is written: "7" and "7 " are two entities, hence two records of one."""

    def faulty(column: pd.Series) -> np.ndarray:
        names = cells.as_names(column)
        pairs = zip(column.to_numpy(dtype=object), names, strict=True)
        return np.array([value if isinstance(value, str) else name for value, name in pairs], dtype=object)

    patch.setattr(usable, "as_names", faulty)


def amounts_by_the_column(patch: Patch) -> None:
    """Read a comma for the decimal point where any amount of the column has one, and for thousands else."""

    def faulty(column: pd.Series) -> np.ndarray:
        if pd.api.types.is_numeric_dtype(column):
            return cells.as_numbers(column)
        text = column.astype(object).map(cells.canonical_name, na_action="ignore").astype(object)
        is_decimal = text.dropna().astype(str).str.fullmatch(r"-?\d+,\d{1,2}").any()
        return cells.as_numbers(text.map(lambda v: v.replace(",", "." if is_decimal else ""), na_action="ignore"))

    patch.setattr("common.data.panel.as_numbers", faulty)
    patch.setattr(usable, "as_numbers", faulty)


FAULTS = (
    Fault("zone-of-most-rows", "high", "days are counted in the time zone of most rows", zone_of_most),
    Fault("stops-at-first-late-row", "high", "reading stops at the first row after the end", until_the_first_late),
    Fault("long-numbers-as-floats", "medium", "one gap makes two long numbers one name", whole_numbers_as_floats),
    Fault("column-emptied-by-a-value", "high", "one unreadable Parquet value empties its column", column_emptied),
    Fault("encoding-of-the-whole-file", "high", "one odd byte changes everyone's encoding", one_encoding),
    Fault("separator-by-vote", "high", "the most frequent character separates cells", separator_by_vote),
    Fault("history-ends-with-the-rows", "high", "the history ends on the last day anyone bought", ends_with_the_rows),
    Fault("least-active-left-out", "high", "the tenth with the least demand is left out", without_the_least),
    Fault("blank-makes-two-records", "high", "an entity with and without a blank is two records", blanks_count),
    Fault("decimal-comma-by-column", "high", "one decimal comma changes how all are read", amounts_by_the_column),
)
