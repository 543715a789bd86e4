"""The one road from the bytes of a merchant's files to a panel; nothing is changed and nothing leaves.

    bytes → cells, line by line → lookups → rows that can be used ─┐
    bytes → cells of the merchant's calendar, and of what lies ahead ─┴→ panel

A round, the audit, check, doctor, predict, prove and the simulation all read here. What cannot be used is left out by
itself and counted: whatever a whole round made of it (a refusal, an empty sum) would tell of the one entity that it
belongs to. Where strictness is wanted, what was left out is an error afterwards (`require_whole`).

Guarantee: an entity's row of the panel depends on its own rows alone, from their bytes on, and so does whether there
is one; but for the merchant's own calendar (files of `data.ahead` without an entity column, school holidays), which is
the same for all entities, and for neighbours. A row is its lines; see `client.data.lines` for what bytes one line can
and cannot touch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from client.data.root import DataRoot, Root, as_root
from client.data.table import IsRow, Table, read_table
from common.data.calendar import DayTables, read_day_rows, read_spans
from common.data.cells import as_names, canonical_name, parse_day
from common.data.panel import Panel, find_active, lay_out
from common.data.usable import LeftOut, UsableRows, choose_rows, name_columns, require_columns
from common.errors import DataError
from common.model.features import Series, build_series
from common.plan.reads import columns_of, what_is_read
from common.plan.schema import DataPlan, Lookup, Plan

SHOWN = 5  # line numbers named in a sentence


@dataclass(frozen=True)
class Reading:
    """A panel, and what was left out on the way to it.

    Attributes
    ----------
    usable
        The rows that the panel was made of.
    num_rows
        Rows in the file.
    doubled
        What is wrong with the files beside the rows, in words: keys that a lookup has more than once, of which the
        first one counts, and lines that cannot be read.
    """

    panel: Panel
    usable: UsableRows
    num_rows: int
    left_out: tuple[LeftOut, ...]
    doubled: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """Say of everything that should not be so what it is and what to do, a sentence each."""
        return (*(each.say(self.num_rows) for each in self.left_out if each.is_fault), *self.doubled)


def read(plan: DataPlan, root: Root, *, ahead_from: date | None = None, whole: bool = False) -> Reading:
    """Read the rows that can be used, and lay them out by day; it may be the panel of nobody.

    Parameters
    ----------
    ahead_from
        The first day that is forecast: from it on, rows may have empty amounts; see `common.data.usable`.
    whole
        Whether the usable rows have the columns too that the plan does not read.

    Raises
    ------
    DataError
        A file or a column is missing: nothing that depends on a row.
    """
    if plan.source != "file":
        raise DataError("The plan draws its data (data.source); a merchant takes part with a file of its own.")
    table, doubled = read_rows(plan, root, whole=whole)
    tables, faults = read_day_tables(plan, root)
    doubled = (*doubled, *faults)
    reading = read_frame(table.rows, plan, ahead_from=ahead_from, tables=tables)
    unreadable = _unreadable(table)
    num_rows = reading.num_rows + len(table.unreadable)
    return replace(reading, num_rows=num_rows, left_out=(*unreadable, *reading.left_out), doubled=doubled)


def read_frame(
    rows: pd.DataFrame, plan: DataPlan, *, ahead_from: date | None = None, tables: DayTables | None = None
) -> Reading:
    """Do what `read` does, from the cells of a table on."""
    usable = choose_rows(rows, plan, ahead_from=ahead_from)
    return Reading(lay_out(usable, plan, tables), usable, len(rows), usable.left_out)


def read_present(plan: Plan, root: Root) -> tuple[Panel, int]:
    """Read the entities that take part at the plan's last origin, and give that day."""
    origin = plan.evaluation.origins[-1]
    panel = read(plan.data, root, ahead_from=origin).panel
    day = panel.day_of(origin)
    return panel.select(find_active(panel, plan.data, day)), day


def read_series(plan: Plan, root: Root) -> Series:
    """Read what a plan's rounds are computed from, up to its last origin; for the rehearsal see `client.round.leg`."""
    present, day = read_present(plan, root)
    return build_series(present, plan.model, day)


def require_whole(reading: Reading) -> Reading:
    """Give a reading back from which no row is missing that should be there.

    Raises
    ------
    DataError
        It says of the first kind of fault how many rows have it; or there is no row at all.
    """
    if reading.faults:
        raise DataError(reading.faults[0])
    if len(reading.usable.rows) == 0:
        raise DataError(
            "No row is left after the filters and within the span; check data.start, data.end and data.filters."
        )
    return reading


def read_rows(plan: DataPlan, root: Root, *, whole: bool = False) -> tuple[Table, tuple[str, ...]]:
    """Read the cells of the plan's table with its lookups beside them, and the lookups' keys that are there twice.

    Parameters
    ----------
    whole
        Whether columns are read too that the plan does not name, as far as they may be read.

    Raises
    ------
    DataError
        A file or a column is missing: nothing that depends on a row.
    """
    root, wanted = as_root(root), columns_of(plan)
    table = _read_allowed(root, plan.path, wanted, rows_of(plan), whole=whole)
    doubled = []
    for lookup in plan.lookups:
        other = _read_allowed(root, lookup.path, [lookup.column, *wanted], _keys_of(lookup), whole=whole)
        table, twice = _join(table, other, lookup, plan.path)
        if len(twice):
            named = ", ".join(repr(key) for key in twice[:SHOWN])
            doubled.append(
                f"Column {lookup.column!r} of {lookup.path} has {len(twice)} values more than once ({named}); a lookup "
                "needs one row each, so the first one counts: drop the others."
            )
        if other.unreadable:
            unreadable = _unreadable(other)[0]
            doubled.append(unreadable.say(len(other.rows) + unreadable.count, f" of {lookup.path}"))
    if not whole:
        require_columns(table.columns, plan)
    return table, tuple(doubled)


def _read_allowed(root: DataRoot, path: str, wanted: Collection[str], is_row: IsRow, *, whole: bool) -> Table:
    """Read a file of which nothing may be known but what the policy allows, names of columns included."""
    everything = root.allowed is None
    table = read_table(root.find(path), root.choose(path, wanted), is_row, whole=whole and everything)
    return table if everything else replace(table, columns=tuple(table.rows.columns))


def read_day_tables(plan: DataPlan, root: Root) -> tuple[DayTables, tuple[str, ...]]:
    """Read the cells of the plan's calendar files, and say what of them cannot be used.

    Raises
    ------
    DataError
        A file or a column is missing.
    """
    root, faults = as_root(root), list[str]()
    ahead = []
    for number, wanted in enumerate(plan.ahead):
        cells = _read_beside(plan, root, wanted.path, f"data.ahead.{number}", (wanted.time,), faults)
        faults += read_day_rows(wanted, cells, plan).faults
        ahead.append(cells)
    school = None
    if plan.school_holidays is not None:
        wanted_days = (plan.school_holidays.first_day, plan.school_holidays.last_day)
        school = _read_beside(plan, root, plan.school_holidays.path, "data.school_holidays", wanted_days, faults)
        faults += read_spans(plan.school_holidays, school, plan).faults
    return DayTables(tuple(ahead), school), tuple(faults)


def _read_beside(
    plan: DataPlan, root: DataRoot, path: str, key: str, days: tuple[str, ...], faults: list[str]
) -> pd.DataFrame:
    """Read a file of days; a line is a row of its own if it names them."""

    def is_row(cells: dict[str, str]) -> bool:
        return all(parse_day(canonical_name(cells[name])) is not None for name in days if name in cells)

    columns = [use.column for use in what_is_read(plan) if use.key.startswith(f"{key}.")]
    table = _read_allowed(root, path, columns, is_row, whole=True)
    for unreadable in _unreadable(table):
        faults.append(unreadable.say(len(table.rows) + unreadable.count, f" of {path}"))
    return table.rows


def _join(table: Table, other: Table, lookup: Lookup, path: str) -> tuple[Table, list[str]]:
    """Put the lookup's cells beside each row, by the key's name; a row whose key is not there gets empty ones."""
    for column, where, name in ((lookup.key, table, path), (lookup.column, other, lookup.path)):
        if column not in where.columns:
            raise DataError(
                f"data.lookups needs the column {column!r} in {name}; it has {', '.join(map(str, where.columns))}."
            )
    columns = tuple(name for name in other.columns if name != lookup.column)
    both = [name for name in table.columns if name in columns]
    if both:
        raise DataError(f"Both {path} and {lookup.path} have the column {both[0]!r}; rename one of them.")
    keys = pd.Index(as_names(other.rows[lookup.column]))
    again, named = keys.duplicated(), keys != ""
    first = named & ~again
    place = keys[first].get_indexer(pd.Index(as_names(table.rows[lookup.key])))
    found = other.rows.drop(columns=[lookup.column])[first].astype(object).reset_index(drop=True)
    beside = found.reindex(place).set_index(table.rows.index)  # -1 is nobody's place
    rows = pd.concat([table.rows, beside], axis=1)
    return replace(table, rows=rows, columns=(*table.columns, *columns)), list(dict.fromkeys(keys[again & named]))


def rows_of(plan: DataPlan) -> IsRow:
    """Say when a line is a row of its own: if it names an entity and a day."""

    def is_row(cells: dict[str, str]) -> bool:
        named = all(canonical_name(cells[name]) for name in name_columns(plan) if name in cells)
        return named and (plan.time not in cells or parse_day(canonical_name(cells[plan.time])) is not None)

    return is_row


def _keys_of(lookup: Lookup) -> IsRow:
    return lambda cells: bool(canonical_name(cells.get(lookup.column, "")))


def _unreadable(table: Table) -> tuple[LeftOut, ...]:
    lines = table.unreadable
    if not lines:
        return ()
    where = ", ".join(map(str, lines[:SHOWN])) + (", …" if len(lines) > SHOWN else "")
    what = "an open quote, more cells than the first line, or bytes that are no UTF-8"
    return (LeftOut(what, len(lines), True, f"line {where}", "mend them"),)
