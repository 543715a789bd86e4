"""Read a merchant's raw rows from where they are kept; nothing is changed and nothing leaves.

`read_rows` gives them as they are, for whoever looks at them. `read_panel` is what a round reads: there a row that
cannot be used is left out by itself, since whatever a whole round made of it (a refusal, an empty sum) would tell of
the one entity that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from common.data.panel import (
    LARGEST_VALUE,
    Panel,
    as_numbers,
    as_text,
    build_panel,
    derive_columns,
    empty_panel,
    filter_rows,
    find_active,
)
from common.errors import DataError
from common.model.features import Series, build_series
from common.plan.schema import DataPlan, Plan


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str)  # a guessed type would be a function of everyone's rows


READERS: dict[str, Callable[[Path], pd.DataFrame]] = {".parquet": pd.read_parquet, ".csv": _read_csv}


def read_rows(plan: DataPlan, root: Path) -> pd.DataFrame:
    """Read the table of the plan and join its lookups.

    Raises
    ------
    DataError
        A file is missing or unreadable, or a lookup does not fit.
    """
    rows = read_table(root / plan.path)
    for lookup in plan.lookups:
        table = read_table(root / lookup.path)
        for column, where, name in ((lookup.key, rows, plan.path), (lookup.column, table, lookup.path)):
            if column not in where:
                raise DataError(
                    f"data.lookups needs the column {column!r} in {name}; it has {', '.join(map(str, where.columns))}."
                )
        keys = pd.Index(as_text(table[lookup.column]))
        if keys.has_duplicates:
            raise DataError(
                f"Column {lookup.column!r} of {lookup.path} has a value twice; a lookup needs one row each."
            )
        table = table.drop(columns=[lookup.column])
        both = rows.columns.intersection(table.columns)
        if len(both):
            raise DataError(f"Both {plan.path} and {lookup.path} have the column {both[0]!r}; rename one of them.")
        rows = rows.join(table.set_index(keys).reindex(as_text(rows[lookup.key])).set_index(rows.index))
    return rows


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file."""
    reader = READERS.get(path.suffix)
    if reader is None:
        raise DataError(f"{path} is neither .csv nor .parquet; convert it to one of them.")
    if not path.is_file():
        raise DataError(f"There is no file {path}; check data.path and --data-root.")
    try:
        return reader(path)
    except (OSError, ValueError, LookupError) as error:  # LookupError: a Parquet file with other metadata
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"Cannot read {path}: {reason}. Is it a whole {path.suffix} file?") from error


def read_series(plan: Plan, root: Path) -> Series:
    """Read what a plan's rounds are computed from: the entities that take part at its last origin, up to that day."""
    panel = read_panel(plan.data, root)
    day = panel.day_of(plan.evaluation.origins[-1])
    return build_series(panel.select(find_active(panel, plan.data, day)), plan.model, day)


def read_panel(plan: DataPlan, root: Path) -> Panel:
    """Read the rows that can be used, and lay them out by day; it may be the panel of nobody.

    Guarantee: an entity's row of the panel depends on its own raw rows alone, and so does whether there is one.

    Raises
    ------
    DataError
        A file or a column is missing: nothing that depends on a single entity.
    """
    if plan.source != "file":
        raise DataError("The plan draws its data (data.source); a merchant takes part with a file of its own.")
    rows = keep_usable(read_rows(plan, root), plan)
    if rows.empty:
        return empty_panel(plan)
    return build_panel(rows, plan.model_copy(update={"filters": ()}))  # they would meet dates that are cut to days


def keep_usable(rows: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
    """Keep what passes the filters, without what `build_panel` would refuse: each row is judged by itself.

    Raises
    ------
    DataError
        A column is missing.
    """
    rows = derive_columns(rows, plan)
    _require_columns(rows, plan)
    rows = filter_rows(rows, plan.filters)
    day = _days(rows[plan.time])
    usable = np.asarray((day >= pd.Timestamp(plan.start)) & (day <= pd.Timestamp(plan.end)))
    for name in _name_columns(plan):
        usable &= as_text(rows[name]) != ""
    for measure in (plan.target, *plan.observed.values()):
        if measure.aggregate in {"sum", "mean"}:
            usable &= _is_amount(rows[measure.column])
    rows = rows.assign(**{plan.time: day.dt.strftime("%Y-%m-%d")})[usable]
    return _keep_first(rows, plan) if plan.rows == "panel" else rows


def _keep_first(rows: pd.DataFrame, plan: DataPlan) -> pd.DataFrame:
    """Keep one row per entity and day."""
    columns = [*_name_columns(plan), plan.time]
    again = pd.DataFrame({name: as_text(rows[name]) for name in columns}).duplicated()
    return rows[~again.to_numpy()]


def _days(times: pd.Series) -> pd.Series:
    """Read each time as its own local day; NaT where it is none."""
    if pd.api.types.is_datetime64_any_dtype(times):
        return times.dt.tz_localize(None).dt.normalize()
    text = pd.Series(as_text(times), times.index, dtype=object).astype(str)
    day = text.str.extract(r"^(\d{4}-\d\d-\d\d|\d{8})", expand=False)
    return pd.to_datetime(day, errors="coerce", format="ISO8601")


def _is_amount(column: pd.Series) -> Bool[np.ndarray, " row"]:
    values = as_numbers(column)
    return (values >= 0) & (values <= LARGEST_VALUE)


def _name_columns(plan: DataPlan) -> list[str]:
    group = plan.deal.column if plan.deal is not None and plan.deal.by == "group" else ""
    return [name for name in (plan.entity, plan.merchant, group) if name]


def _require_columns(rows: pd.DataFrame, plan: DataPlan) -> None:
    measured = [measure.column for measure in (plan.target, *plan.observed.values()) if measure.column]
    described = [part.column for part in (*plan.known, *plan.static)]
    filtered = [condition.column for condition in plan.filters]
    for column in (*_name_columns(plan), plan.time, *measured, *described, *filtered):
        if column not in rows:
            raise DataError(f"The plan names the column {column!r}; the data has {', '.join(map(str, rows.columns))}.")
