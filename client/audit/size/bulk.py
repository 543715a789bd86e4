"""A file of more than a million rows: no number of other rows costs an entity one of its own.

Only the reading, which is what could be cut short. Entities stand at its beginning, in its middle and at its end; what
is read of them is what is read of a file of theirs alone.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import torch

from client.audit.neighbour import as_name, dated, numbers_of
from client.audit.size.model import cold
from client.audit.source import Part, Source, lookups_with
from client.audit.subject import AuditSubject
from common.data.cells import as_days
from common.model.features import Series
from common.plan.schema import DataPlan

ROWS = 1_050_000  # more than a million, and than a spreadsheet has (2^20)
NAMES = 33_000  # entities: more than 2^15
DAYS = 30  # of their histories, so that they fit into memory
SMALL = {"window_steps": 8, "positions": 2, "position_steps": None, "season": False}
PLACES = ("first", "middle", "last")


def check_bulk(subject: AuditSubject, num_rows: int = ROWS) -> list[str]:
    """Read a file of so many rows."""
    source, plan = subject.source, subject.plan.data
    own, lookups = _name_copies(source, plan, subject)
    first, middle, last = (own[own[plan.entity] == name] for name in own[plan.entity].unique())
    filling = _fill(source, num_rows // 2)
    small = subject.legs(source.encode([first, middle, last]), lookups)[0]
    large = subject.legs(source.encode([first, filling, middle, filling, last]), lookups)[0]
    if small.num_entities != len(PLACES):
        return [f"of {len(PLACES)} copies of an entity {small.num_entities} are read"]
    return [
        f"among {num_rows:,} rows the {words} entity's are not read as they are alone"
        for words, key in zip(PLACES, small.key, strict=True)
        if not _same(small, large, int(key))
    ]


def check_names(subject: AuditSubject, num_names: int = NAMES) -> list[str]:
    """Read very many entities of one row each, over few days; the first and the last are read as they are alone."""
    span = timedelta(days=DAYS)
    plan = subject.plan.data
    changed = {"start": subject.origin - span, "path": "audit.parquet", "active": None, "filters": ()}
    changed |= {"lookups": (), "ahead": (), "school_holidays": None}
    source = replace(subject.source, path="audit.parquet", lines=(), unreadable=(), lookups={})
    moved = subject.plan.model_copy(update={"data": plan.model_copy(update=changed)})
    anchor = moved.model.anchor
    if anchor.regime not in moved.data.covariates:
        anchor = anchor.model_copy(update={"regime": ""})
    reader = replace(subject, plan=cold(moved, **SMALL, anchor=anchor), source=source, allowed=None)
    one = dated(subject.source.rows.iloc[:1], plan, subject.origin - timedelta(days=DAYS // 2))
    rows = one.loc[one.index.repeat(num_names)].reset_index(drop=True)
    rows = rows.assign(**{plan.entity: [f"audit-{number:07d}" for number in range(num_names)]})
    large = reader.legs(source.encode([rows]))[0]
    if large.num_entities != num_names:
        return [f"of {num_names:,} entities {large.num_entities:,} are read"]
    small = reader.legs(source.encode([rows.iloc[[0, num_names // 2, -1]]]))[0]
    return [
        f"among {num_names:,} entities one is not read as it is alone"
        for key in small.key
        if not _same(small, large, int(key))
    ][:1]


def _name_copies(source: Source, plan: DataPlan, subject: AuditSubject) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Copy the entity with most rows, once for each place, and its rows in lookups; names sort as the places do."""
    names = source.names(plan.entity).astype(str)
    in_time = np.asarray(as_days(source.rows[plan.time], plan.time_zone) < np.datetime64(subject.origin, "D"))
    every, counts = np.unique(names[in_time], return_counts=True)
    chosen, column = str(every[counts.argmax()]), source.rows[plan.entity]
    own = source.rows[names == chosen]
    numbers, places = numbers_of(column, plan), range(len(PLACES))
    new: list[object] = [
        f"audit-{place}" if numbers is None else as_name(column, int(numbers.max()) + 1 + place) for place in places
    ]
    copies = pd.concat([own.assign(**{plan.entity: name}) for name in new])
    return copies, lookups_with(source, plan, {chosen: new})


def _fill(source: Source, num_rows: int) -> Part:
    """Repeat one row, the shortest."""
    if source.is_text:
        return (min(source.lines, key=len) + b"\n") * num_rows
    return source.rows.iloc[np.zeros(num_rows, int)]


def _same(small: Series, large: Series, key: int) -> bool:
    """Whether both hold the very same of one entity."""
    places = [np.flatnonzero(series.key == key) for series in (small, large)]
    if any(len(place) != 1 for place in places):
        return False
    mine, theirs = (
        series.select(torch.from_numpy(place)) for series, place in zip((small, large), places, strict=True)
    )
    names = ("inputs", "target", "open", "future", "level", "cell_level", "cell_of_day", "spread", "birth")
    return all(torch.equal(getattr(mine, name), getattr(theirs, name)) for name in names)
