"""The same rows, written in other ways: what one entity writes must not decide how anybody else's cells are read.

Each is a file of its own, by CSV or Parquet, whose cells are what a rule for a whole column or a whole file would read
in two ways; and an entity that would turn the rule the other way. It has more rows than all others together, since
rules go by majority too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from client.audit.neighbour import LAST, Neighbour, make_renamed, newcomer_lookups, value_columns
from client.audit.source import Source, make_source
from client.audit.subject import AuditSubject
from common.data.cells import as_days, as_names
from common.plan.reads import columns_of
from common.plan.schema import DataPlan

LONG = 2**53  # from here on not every whole number is a float
FAR_DAY = 6_000_000  # days after 1970, in the year 18397
TEXT, TYPED = "audit.csv", "audit.parquet"


@dataclass(frozen=True)
class Writing:
    """A file, and the same file with one entity more.

    Attributes
    ----------
    subject
        Reads the file.
    content
        Its bytes.
    """

    subject: AuditSubject = field(repr=False)
    content: bytes = field(repr=False)
    neighbour: Neighbour


@dataclass(frozen=True)
class _Rows:
    """Everybody's rows and the newcomer's, all cells text."""

    plan: DataPlan
    every: pd.DataFrame
    own: pd.DataFrame

    @property
    def number(self) -> np.ndarray:
        """Whose each row is: the number of its entity."""
        return np.unique(self.every[self.plan.entity], return_inverse=True)[1]

    def change(self, column: str, every: Any = None, own: Any = None) -> _Rows:
        """Write a column in another way."""
        return replace(
            self,
            every=self.every if every is None else self.every.assign(**{column: every}),
            own=self.own if own is None else self.own.assign(**{column: own}),
        )


def make_writings(subject: AuditSubject) -> Iterator[Writing]:
    """Write the rows of a few entities in all ways."""
    plan = subject.plan.data
    rows = _as_text(subject.source, plan)
    source = replace(make_source(rows, TEXT), lookups=subject.source.lookups)
    own = make_renamed(source, plan)
    own = pd.concat([own] * (len(rows) // len(own) + 1), ignore_index=True)
    known = newcomer_lookups(source, plan)
    texts = _Rows(plan, rows.reset_index(drop=True), own)
    for kind, changed in _texts(texts).items():
        yield _write(subject, kind, TEXT, _csv(changed.every), _csv(changed.own), known)
    for kind, damage in {"are no text": b"\xff", "are of another encoding": "é".encode("latin-1")}.items():
        accents = texts.change(plan.entity, texts.every[plan.entity] + "é")
        broken = b"".join(damage + line + b"\n" for line in _csv(texts.own).splitlines()[1:])
        header = _csv(texts.own).splitlines()[0] + b"\n"
        yield _write(subject, f"an entity whose bytes {kind}", TEXT, _csv(accents.every), header + broken, known)
    for kind, (every, own_table) in _tables(texts).items():
        yield _write(subject, kind, TYPED, every, own_table, known)


def _as_text(source: Source, plan: DataPlan) -> pd.DataFrame:
    """Write the columns that a plan reads as text, and days year first."""
    read = {column: as_names(source.rows[column]) for column in columns_of(plan) if column in source.rows}
    days = pd.Series(as_days(source.rows[plan.time], plan.time_zone))
    return pd.DataFrame(read).assign(**{plan.time: days.dt.strftime("%Y-%m-%d").fillna("").to_numpy()})


def _texts(rows: _Rows) -> Mapping[str, _Rows]:
    """Give what can be written as text."""
    plan, made = rows.plan, dict[str, _Rows]()
    place, time = np.arange(len(rows.every)), rows.every[plan.time]
    zoned = time + np.where(place % 2, "T23:30:00-08:00", "T00:30:00+02:00")
    made["an entity far to the east"] = rows.change(plan.time, zoned, rows.own[plan.time] + "T23:30:00+09:00")
    made["an entity far to the west"] = rows.change(plan.time, zoned, rows.own[plan.time] + "T00:30:00-11:00")
    for column in value_columns(plan, rows.every):
        grouped = np.where(rows.number % 2 == 1, "1,500", rows.every[column])
        for words, amount in {"decimal commas": "1,5", "thousands of points": "1.500,00", "a currency": "€ 3"}.items():
            made[f"an entity whose {column} has {words}"] = rows.change(column, grouped, amount)
    for attribute in (*plan.static, *plan.known):
        if attribute.column in rows.every and len(attribute.categories) > 1:
            for value in attribute.categories:  # two entities have one each, the others none: the newcomer decides
                other = next(each for each in attribute.categories if each != value)
                there = np.select([rows.number == 0, rows.number == 1], [value, other], "")
                made[f"an entity of {attribute.column} {value} among gaps"] = rows.change(
                    attribute.column, there, value
                )
    for marks in (";", "|", "\t"):
        many = marks * (4 * rows.every.shape[1])
        made[f"an entity whose name is full of {marks!r}"] = rows.change(plan.entity, None, LAST + many)
    blank = np.array([LAST, LAST + " ", " " + LAST, LAST + "\t"], dtype=object)[np.arange(len(rows.own)) % 4]
    made["an entity with blanks around its name"] = rows.change(plan.entity, None, blank)
    return made


def _tables(rows: _Rows) -> Mapping[str, tuple[bytes, bytes]]:
    """Give what only a file of types can hold; the newcomer's part is the rest of the same table."""
    plan, size = rows.plan, len(rows.every)
    both = pd.concat([rows.every, rows.own], ignore_index=True)
    columns: dict[str, pa.Array] = {str(name): pa.array(both[name].astype(str)) for name in both}
    made: dict[str, tuple[bytes, bytes]] = {}

    def add(kind: str, column: str, values: pa.Array) -> None:
        table = pa.table({**columns, column: values})
        made[kind] = _parquet(table.slice(0, size)), _parquet(table.slice(size))

    if not any(condition.column == plan.entity for condition in plan.filters):
        number = np.unique(both[plan.entity], return_inverse=True)[1] + LONG
        gap = np.arange(len(both)) == len(both) - 1
        add("an entity with a gap in its long number", plan.entity, pa.array(number, pa.int64(), mask=gap))
    for column in columns:
        cells = both[column].astype(str).str.encode("utf-8")
        strange = [*cells[:size], *(cell + b"\xff" for cell in cells[size:])]
        add(f"an entity with a {column} that is no text", column, pa.array(strange, pa.binary()).view(pa.string()))
    days = pd.to_datetime(both[plan.time], errors="coerce").to_numpy().astype("datetime64[D]").astype(np.int64)
    days[-1] = FAR_DAY
    moments = pa.array(days * 86_400_000_000, pa.int64()).view(pa.timestamp("us"))
    if not pd.isna(pd.to_datetime(both[plan.time], errors="coerce")).any():
        add("an entity of a far day", plan.time, moments)
    return made


def _csv(rows: pd.DataFrame) -> bytes:
    return make_source(rows, TEXT).content


def _parquet(table: pa.Table) -> bytes:
    stream = BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


def _write(
    subject: AuditSubject, kind: str, path: str, every: bytes, own: bytes, lookups: Mapping[str, bytes]
) -> Writing:
    data = subject.plan.data.model_copy(update={"path": path})
    source = replace(subject.source, path=path, lines=(), unreadable=())
    moved = replace(subject, plan=subject.plan.model_copy(update={"data": data}), source=source, allowed=None)
    return Writing(moved, every, Neighbour(f"{kind} joins", _join(path, every, own), own, lookups=lookups))


def _join(path: str, every: bytes, own: bytes) -> bytes:
    """Put the newcomer's rows after everybody's."""
    if path == TEXT:
        return every.rstrip(b"\n") + b"\n" + own.split(b"\n", 1)[1]
    return _parquet(pa.concat_tables([pq.read_table(BytesIO(every)), pq.read_table(BytesIO(own))]))
